// Of many questions to a model only the newest matters, and one request at a time is enough.

const REST = 150; // milliseconds without a newer question, after which a stale one is given up

/**
 * @typedef {object} Kind  of a question
 * @property {(question, signal: AbortSignal) => Promise} send
 * @property {(answer, question) => void} receive
 */

/**
 * Asks one model, one request at a time: the newest question of each kind, the most urgent kind
 * first.
 *
 * A question of the most urgent kind makes those of the others stale: they are dropped, and aborted
 * if under way. While such questions keep coming, each answer is taken, so that something moves on
 * a slow line too; once they rest, what is still under way is stale and is aborted.
 */
export class Asker {
  #waiting = new Map();
  #underWay = null;
  #rest;

  /** @param {Record<string, Kind>} kinds  the most urgent first */
  constructor(kinds, fail) {
    this.kinds = kinds;
    this.order = Object.keys(kinds);
    this.fail = fail;
  }

  ask(kind, question) {
    const isUrgent = kind === this.order[0];
    if (isUrgent) this.#waiting.clear();
    this.#waiting.set(kind, question);
    if (!this.#underWay) {
      this.#next();
    } else if (this.#underWay.kind !== this.order[0]) {
      if (isUrgent || this.#underWay.kind === kind) this.#underWay.controller.abort();
    } else if (isUrgent) {
      clearTimeout(this.#rest);
      this.#rest = setTimeout(() => this.#underWay?.controller.abort(), REST);
    }
  }

  /** Forget what is waiting, and abort what is under way. */
  stop() {
    this.#waiting.clear();
    this.#underWay?.controller.abort();
  }

  async #next() {
    const kind = this.order.find((one) => this.#waiting.has(one));
    if (!kind) return;
    const question = this.#waiting.get(kind);
    this.#waiting.delete(kind);
    const controller = new AbortController();
    this.#underWay = { kind, controller };
    try {
      const answer = await this.kinds[kind].send(question, controller.signal);
      if (!controller.signal.aborted) this.kinds[kind].receive(answer, question);
    } catch (error) {
      if (!controller.signal.aborted) this.fail(error);
    } finally {
      clearTimeout(this.#rest);
      this.#underWay = null;
      this.#next();
    }
  }
}
