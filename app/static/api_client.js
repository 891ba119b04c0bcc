// Asking the service, and knowing whether it is there.

const PATIENCE = 20_000; // milliseconds for an answer, unless more is asked for
const FIRST_DELAY = 500; // milliseconds before it is looked for again, twice as long each time
const LONGEST_DELAY = 8_000;
const KEY = "housing-api-key";

/** What the service refused, in its own sentence. */
export class RefusedError extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

/** The service did not answer. */
export class GoneError extends Error {}

/** Tells of "gone" and "back", and of "key" when the service asks for one. */
export const service = new EventTarget();

let key = sessionStorage.getItem(KEY);
let looking = false;

export const hasKey = () => key !== null;

export function useKey(text) {
  key = text;
  sessionStorage.setItem(KEY, text);
}

/** The address of a path below the page's own, whatever proxy is in front. */
export const addressOf = (path) => new URL(path, document.baseURI).href;

/** The response to a request; throws RefusedError or GoneError, or what aborted it. */
export async function ask(
  path,
  { body, type = "application/json", signal, patience = PATIENCE } = {},
) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = type;
  if (key !== null) headers["X-API-Key"] = key;
  const signals = [AbortSignal.timeout(patience), ...(signal ? [signal] : [])];
  let response;
  try {
    response = await fetch(addressOf(path), {
      method: body === undefined ? "GET" : "POST",
      headers,
      body,
      signal: AbortSignal.any(signals),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    lookForIt();
    throw new GoneError("The service does not answer.", { cause: error });
  }
  if (response.ok) return response;
  if (response.status === 401) service.dispatchEvent(new Event("key"));
  throw new RefusedError(response.status, await sentenceOf(response));
}

/** The parsed JSON of an answer; what breaks off in its midst counts as gone. */
export async function askJSON(path, { body, signal } = {}) {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const response = await ask(path, { body: text, signal });
  return whole(response.json(), signal);
}

/** What a response's body is read into; a body that breaks off counts as gone. */
export async function whole(reading, signal) {
  try {
    return await reading;
  } catch (error) {
    if (signal?.aborted) throw error;
    lookForIt();
    throw new GoneError("The service stopped in the midst of its answer.", { cause: error });
  }
}

async function sentenceOf(response) {
  try {
    return (await response.json()).detail;
  } catch {
    return `The service answered with status ${response.status}.`;
  }
}

/** Say that it is gone, and look for it until it is back. */
async function lookForIt() {
  if (looking) return;
  looking = true;
  service.dispatchEvent(new Event("gone"));
  for (let delay = FIRST_DELAY; ; delay = Math.min(2 * delay, LONGEST_DELAY)) {
    await Promise.race([wait(delay), happens(window, "online")]);
    if (await isThere()) break;
  }
  looking = false;
  service.dispatchEvent(new Event("back"));
}

async function isThere() {
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    return (await fetch(addressOf("readyz"), { signal, cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const happens = (target, event) =>
  new Promise((resolve) => target.addEventListener(event, resolve, { once: true }));
