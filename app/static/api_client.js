// Sends requests to the service, and reports when it becomes unreachable and reachable again.

const TIMEOUT = 20_000; // milliseconds
const FIRST_RETRY_DELAY = 500; // milliseconds; doubles with each attempt
const MAX_RETRY_DELAY = 8_000;
const STORAGE_KEY = "housing-api-key";

/** The service responded with an error status; the message is the problem's detail. */
export class HttpError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** The service did not respond, or its response was cut off. */
export class UnavailableError extends Error {}

/** Dispatches "unavailable", "available", and "unauthorized" when the service requires a key. */
export const serviceStatus = new EventTarget();

let apiKey = sessionStorage.getItem(STORAGE_KEY);
let isPolling = false;

export const hasApiKey = () => apiKey !== null;

export function setApiKey(key) {
  apiKey = key;
  sessionStorage.setItem(STORAGE_KEY, key);
}

/** The URL of a path relative to the page, so that it works behind a proxy with a path prefix. */
export const urlOf = (path) => new URL(path, document.baseURI).href;

/** Send a request. Throws HttpError, UnavailableError, or the abort reason of `signal`. */
export async function request(
  path,
  { body, type = "application/json", signal, timeout = TIMEOUT } = {},
) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = type;
  if (apiKey !== null) headers["X-API-Key"] = apiKey;
  const signals = [AbortSignal.timeout(timeout), ...(signal ? [signal] : [])];
  let response;
  try {
    response = await fetch(urlOf(path), {
      method: body === undefined ? "GET" : "POST",
      headers,
      body,
      signal: AbortSignal.any(signals),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    pollUntilReady();
    throw new UnavailableError("The service does not respond.", { cause: error });
  }
  if (response.ok) return response;
  if (response.status === 401) serviceStatus.dispatchEvent(new Event("unauthorized"));
  throw new HttpError(response.status, await detailOf(response));
}

/** Send a request and parse the JSON of its response. */
export async function requestJSON(path, { body, signal } = {}) {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const response = await request(path, { body: text, signal });
  return readBody(response.json(), signal);
}

/** Await a response body, such as `response.text()`. Throws UnavailableError if it is cut off. */
export async function readBody(body, signal) {
  try {
    return await body;
  } catch (error) {
    if (signal?.aborted) throw error;
    pollUntilReady();
    throw new UnavailableError("The response was cut off.", { cause: error });
  }
}

async function detailOf(response) {
  try {
    return (await response.json()).detail;
  } catch {
    return `The service responded with status ${response.status}.`;
  }
}

async function pollUntilReady() {
  if (isPolling) return;
  isPolling = true;
  serviceStatus.dispatchEvent(new Event("unavailable"));
  for (let delay = FIRST_RETRY_DELAY; ; delay = Math.min(2 * delay, MAX_RETRY_DELAY)) {
    await Promise.race([sleep(delay), nextEvent(window, "online")]);
    if (await isReady()) break;
  }
  isPolling = false;
  serviceStatus.dispatchEvent(new Event("available"));
}

async function isReady() {
  try {
    const signal = AbortSignal.timeout(TIMEOUT);
    return (await fetch(urlOf("readyz"), { signal, cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const nextEvent = (target, name) =>
  new Promise((resolve) => target.addEventListener(name, resolve, { once: true }));
