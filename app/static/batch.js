// A CSV file is dropped, goes to the service in slices, and comes back with its answers.

import { answered, errorOf, slicesOf } from "./csv_chunks.js";
import { byId, element } from "./dom.js";
import { FEATURES } from "./features.js";
import { GoneError, ask, service, whole } from "./api_client.js";

const MOST_ERRORS = 100; // shown; the file has them all
const SAMPLE_ROWS = 1000;
const PATIENCE = 300_000; // milliseconds for the answers to a slice

const count = (number) => number.toLocaleString("en-US");

/** Start the drop zone; asks for the model at hand and, for a sample, for the block groups. */
export function startBatch({ modelAtHand, blockGroups }) {
  let run = null;
  const start = (file) => {
    run?.stop();
    run = new Run(file, modelAtHand());
    run.goOn();
  };
  const [drop, input] = [byId("drop"), byId("file")];

  addEventListener("dragover", (event) => event.preventDefault()); // a near miss is no reason to leave
  addEventListener("drop", (event) => event.preventDefault());
  drop.addEventListener("dragover", () => drop.classList.add("over"));
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    drop.classList.remove("over");
    const [file] = event.dataTransfer.files;
    if (file) start(file);
  });
  input.addEventListener("change", () => {
    if (input.files[0]) start(input.files[0]);
    input.value = "";
  });
  byId("sample").addEventListener("click", () => {
    const groups = blockGroups();
    if (groups) start(sampleOf(groups));
  });
  byId("batch-stop").addEventListener("click", () => run?.stop());
  byId("batch-go-on").addEventListener("click", () => run?.goOn());
  service.addEventListener("back", () => run?.broken && run.goOn());
}

/** One file on its way. */
class Run {
  #controller = new AbortController();
  #rows = 0;
  #refused = 0;
  #errors = [];
  #parts = [];
  #waiting = null; // the slice that is to be sent (again)
  broken = false;

  constructor(file, model) {
    this.file = file;
    this.model = model;
    this.slices = slicesOf(file);
    byId("batch-run").hidden = false;
    byId("batch-result").hidden = true;
    byId("batch-errors").replaceChildren();
    this.#show(0);
  }

  /** Send slice after slice, to the end or until something breaks. */
  async goOn() {
    this.broken = false;
    this.#offer({ stop: true });
    try {
      for (;;) {
        this.#waiting ??= (await this.slices.next()).value ?? null;
        if (!this.#waiting) break;
        await this.#send(this.#waiting);
        this.#show(this.#waiting.bytes / (this.file.size || 1));
        this.#waiting = null;
      }
      this.#finish();
    } catch (error) {
      this.#break(error);
    }
  }

  /** Give up; what was answered so far can be saved. */
  stop() {
    this.#controller.abort();
    this.broken = false;
    this.#offer({ result: this.#rows > 0 });
    this.#tell(`Stopped after ${count(this.#rows)} rows of ${this.file.name}.`);
  }

  async #send(slice) {
    const { signal } = this.#controller;
    const path = `predict/batch?model=${encodeURIComponent(this.model)}&errors=true`;
    const body = `${slice.header}\n${slice.lines.join("\n")}\n`;
    const response = await ask(path, { body, type: "text/csv", signal, patience: PATIENCE });
    const [, ...answers] = (await whole(response.text(), signal)).trimEnd().split("\n");
    if (answers.length !== slice.lines.length) {
      throw new Error(
        `The service must answer ${count(slice.lines.length)} rows, however it answered ${count(answers.length)}.`,
      );
    }
    if (!this.#parts.length) this.#parts.push(`${slice.header},prediction,lower,upper,error\n`);
    this.#parts.push(new Blob([answered(slice, answers)]));
    answers.forEach((answer, index) => {
      const why = errorOf(answer);
      if (!why) return;
      if (this.#refused++ < MOST_ERRORS)
        this.#errors.push({ row: this.#rows + index + 1, line: slice.numbers[index], why });
    });
    this.#rows += answers.length;
  }

  #finish() {
    this.#offer({ result: this.#rows > 0 });
    byId("batch-progress").value = 1;
    const refused = this.#refused ? `; ${count(this.#refused)} of them were refused` : "";
    this.#tell(
      this.#rows
        ? `${this.model} answered all ${count(this.#rows)} rows of ${this.file.name}${refused}.`
        : `${this.file.name} has no rows below its header.`,
    );
    this.#showErrors();
  }

  #break(error) {
    if (error.name === "AbortError") return;
    this.broken = error instanceof GoneError;
    this.#offer({ goOn: this.broken || error.status === 401, result: this.#rows > 0 });
    const after = this.#rows ? ` after ${count(this.#rows)} rows` : "";
    this.#tell(
      `${this.file.name} was not scored to its end${after}. ${error.message}${this.broken ? " It goes on when the service is back." : ""}`,
      { failed: true },
    );
    this.#showErrors();
  }

  #show(share) {
    byId("batch-progress").value = share;
    const refused = this.#refused ? `, ${count(this.#refused)} refused` : "";
    this.#tell(
      `${this.file.name}: ${Math.floor(100 * share)} %, ${count(this.#rows)} rows${refused}`,
    );
  }

  #tell(text, { failed = false } = {}) {
    byId("batch-status").textContent = text;
    byId("batch-status").classList.toggle("failed", failed);
  }

  #offer({ stop = false, goOn = false, result = false }) {
    byId("batch-stop").hidden = !stop;
    byId("batch-go-on").hidden = !goOn;
    const link = byId("batch-result");
    link.hidden = !result;
    if (!result) return;
    URL.revokeObjectURL(link.href);
    link.href = URL.createObjectURL(new Blob(this.#parts, { type: "text/csv" }));
    link.download = `${this.file.name.replace(/\.csv$/i, "")}-${this.model}.csv`;
  }

  #showErrors() {
    if (!this.#refused) return;
    const rest = this.#refused - this.#errors.length;
    byId("batch-errors").replaceChildren(
      element(
        "div",
        { class: "table-box", tabindex: 0, role: "region", "aria-label": "Refused rows" },
        element(
          "table",
          { class: "errors" },
          element(
            "caption",
            {},
            `Refused rows${rest ? `: the first ${MOST_ERRORS}, and ${count(rest)} more in the file` : ""}`,
          ),
          element(
            "thead",
            {},
            element(
              "tr",
              {},
              ...["Row", "Line", "Why"].map((name) => element("th", { scope: "col" }, name)),
            ),
          ),
          element(
            "tbody",
            {},
            ...this.#errors.map(({ row, line, why }) =>
              element(
                "tr",
                {},
                element("td", {}, count(row)),
                element("td", {}, count(line)),
                element("td", {}, why),
              ),
            ),
          ),
        ),
      ),
    );
  }
}

/** Every so manieth block group as a CSV file. */
function sampleOf({ length, columns, latitudes, longitudes }) {
  const all = { ...columns, Latitude: latitudes, Longitude: longitudes };
  const lines = [FEATURES.map(({ name }) => name).join(",")];
  for (let row = 0; row < SAMPLE_ROWS; row++) {
    const index = Math.floor((row * length) / SAMPLE_ROWS);
    lines.push(FEATURES.map(({ name, digits }) => all[name][index].toFixed(digits)).join(","));
  }
  return new File([`${lines.join("\n")}\n`], "block-groups.csv", { type: "text/csv" });
}
