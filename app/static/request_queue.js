// Sends the requests for one model one at a time and drops those that newer ones replace.

const SETTLE_DELAY = 150; // milliseconds without a new urgent request before a stale one is aborted

/**
 * @typedef {object} RequestType
 * @property {(input, signal: AbortSignal) => Promise} send
 * @property {(result, input) => void} receive
 */

/**
 * Keeps only the newest request of each type and sends the most urgent type first.
 *
 * A new request of the most urgent type makes the other types stale: queued ones are dropped, and
 * one in flight is aborted. A stale request of the most urgent type is aborted only when no newer
 * one arrives for SETTLE_DELAY, so that the page keeps updating on a slow connection.
 */
export class RequestQueue {
  #queued = new Map(); // type: its newest input
  #inFlight = null;
  #settleTimer;

  /** @param {Record<string, RequestType>} types  the most urgent first */
  constructor(types, onError) {
    this.types = types;
    this.priority = Object.keys(types);
    this.onError = onError;
  }

  submit(type, input) {
    const isUrgent = type === this.priority[0];
    if (isUrgent) this.#queued.clear();
    this.#queued.set(type, input);
    if (!this.#inFlight) {
      this.#sendNext();
    } else if (this.#inFlight.type !== this.priority[0]) {
      if (isUrgent || this.#inFlight.type === type) this.#inFlight.controller.abort();
    } else if (isUrgent) {
      clearTimeout(this.#settleTimer);
      this.#settleTimer = setTimeout(() => this.#inFlight?.controller.abort(), SETTLE_DELAY);
    }
  }

  /** Drop the queued requests and abort the one in flight. */
  cancel() {
    this.#queued.clear();
    this.#inFlight?.controller.abort();
  }

  async #sendNext() {
    const type = this.priority.find((name) => this.#queued.has(name));
    if (!type) return;
    const input = this.#queued.get(type);
    this.#queued.delete(type);
    const controller = new AbortController();
    this.#inFlight = { type, controller };
    try {
      const result = await this.types[type].send(input, controller.signal);
      if (!controller.signal.aborted) this.types[type].receive(result, input);
    } catch (error) {
      if (!controller.signal.aborted) this.onError(error);
    } finally {
      clearTimeout(this.#settleTimer);
      this.#inFlight = null;
      this.#sendNext();
    }
  }
}
