// Scores a CSV file: sends it to the service in chunks and collects the results for download.

import { UnavailableError, readBody, request, serviceStatus } from "./api_client.js";
import { appendResults, errorOf, readChunks } from "./csv_chunks.js";
import { byId, element } from "./dom.js";
import { FEATURES } from "./features.js";

const MAX_SHOWN_ERRORS = 100; // the downloaded file has all of them
const SAMPLE_ROWS = 1000;
const TIMEOUT = 300_000; // milliseconds per chunk

const format = (number) => number.toLocaleString("en-US");

/** Set up the drop zone. `getModel` returns the selected model's name. */
export function initBatch({ getModel, getBlockGroups }) {
  let job = null;
  const start = (file) => {
    job?.stop();
    job = new BatchJob(file, getModel());
    job.run();
  };
  const [drop, input] = [byId("drop"), byId("file")];

  // A file dropped beside the zone must not replace the page.
  addEventListener("dragover", (event) => event.preventDefault());
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
    const blockGroups = getBlockGroups();
    if (blockGroups) start(sampleFile(blockGroups));
  });
  byId("batch-stop").addEventListener("click", () => job?.stop());
  byId("batch-resume").addEventListener("click", () => job?.run());
  serviceStatus.addEventListener("available", () => job?.isInterrupted && job.run());
}

/** One file being scored. */
class BatchJob {
  #controller = new AbortController();
  #rows = 0;
  #rejected = 0;
  #errors = [];
  #parts = []; // the contents of the downloaded file
  #pending = null; // the chunk being sent; kept for a retry
  isInterrupted = false; // the service is unavailable

  constructor(file, model) {
    this.file = file;
    this.model = model;
    this.chunks = readChunks(file);
    byId("batch-run").hidden = false;
    byId("batch-result").hidden = true;
    byId("batch-errors").replaceChildren();
    this.#showProgress(0);
  }

  /** Start or resume: send the remaining chunks until the end or the first error. */
  async run() {
    this.isInterrupted = false;
    this.#showActions({ stop: true });
    try {
      for (;;) {
        this.#pending ??= (await this.chunks.next()).value ?? null;
        if (!this.#pending) break;
        await this.#send(this.#pending);
        this.#showProgress(this.#pending.bytes / (this.file.size || 1));
        this.#pending = null;
      }
      this.#finish();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Stop, and offer the results so far. */
  stop() {
    this.#controller.abort();
    this.isInterrupted = false;
    this.#showActions({ result: this.#rows > 0 });
    this.#showStatus(`Stopped scoring ${this.file.name} after ${this.#rowCount()}.`);
  }

  async #send(chunk) {
    const { signal } = this.#controller;
    const path = `predict/batch?model=${encodeURIComponent(this.model)}&errors=true`;
    const body = `${chunk.header}\n${chunk.lines.join("\n")}\n`;
    const response = await request(path, { body, type: "text/csv", signal, timeout: TIMEOUT });
    const [, ...results] = (await readBody(response.text(), signal)).trimEnd().split("\n");
    if (results.length !== chunk.lines.length) {
      const [expected, received] = [chunk.lines.length, results.length].map(format);
      throw new Error(`The service must return ${expected} results, got ${received}.`);
    }
    if (!this.#parts.length) this.#parts.push(`${chunk.header},prediction,lower,upper,error\n`);
    this.#parts.push(new Blob([appendResults(chunk, results)]));
    results.forEach((result, index) => {
      const error = errorOf(result);
      if (!error) return;
      if (this.#rejected++ < MAX_SHOWN_ERRORS)
        this.#errors.push({ row: this.#rows + index + 1, line: chunk.numbers[index], error });
    });
    this.#rows += results.length;
  }

  #finish() {
    this.#showActions({ result: this.#rows > 0 });
    byId("batch-progress").value = 1;
    const rejected = this.#rejected ? `; ${format(this.#rejected)} rejected` : "";
    this.#showStatus(
      this.#rows
        ? `${this.model} scored ${this.file.name}: ${this.#rowCount()}${rejected}.`
        : `${this.file.name} has no rows below its header.`,
    );
    this.#showErrors();
  }

  #fail(error) {
    if (error.name === "AbortError") return;
    this.isInterrupted = error instanceof UnavailableError;
    this.#showActions({
      resume: this.isInterrupted || error.status === 401,
      result: this.#rows > 0,
    });
    const after = this.#rows ? ` after ${this.#rowCount()}` : "";
    const resumes = this.isInterrupted ? " Scoring resumes when the service is available." : "";
    this.#showStatus(`Scoring of ${this.file.name} failed${after}. ${error.message}${resumes}`, {
      failed: true,
    });
    this.#showErrors();
  }

  #rowCount() {
    return `${format(this.#rows)} ${this.#rows === 1 ? "row" : "rows"}`;
  }

  #showProgress(fraction) {
    byId("batch-progress").value = fraction;
    const rejected = this.#rejected ? `, ${format(this.#rejected)} rejected` : "";
    this.#showStatus(
      `${this.file.name}: ${Math.floor(100 * fraction)} %, ${this.#rowCount()}${rejected}`,
    );
  }

  #showStatus(text, { failed = false } = {}) {
    byId("batch-status").textContent = text;
    byId("batch-status").classList.toggle("failed", failed);
  }

  #showActions({ stop = false, resume = false, result = false }) {
    byId("batch-stop").hidden = !stop;
    byId("batch-resume").hidden = !resume;
    const link = byId("batch-result");
    link.hidden = !result;
    if (!result) return;
    URL.revokeObjectURL(link.href);
    link.href = URL.createObjectURL(new Blob(this.#parts, { type: "text/csv" }));
    link.download = `${this.file.name.replace(/\.csv$/i, "")}-${this.model}.csv`;
  }

  #showErrors() {
    if (!this.#rejected) return;
    const rest = this.#rejected - this.#errors.length;
    const note = rest ? `: the first ${MAX_SHOWN_ERRORS} (${format(rest)} more in the file)` : "";
    byId("batch-errors").replaceChildren(
      element(
        "div",
        { class: "table-box", tabindex: 0, role: "region", "aria-label": "Rejected rows" },
        element(
          "table",
          { class: "errors" },
          element("caption", {}, `Rejected rows${note}`),
          element(
            "thead",
            {},
            element(
              "tr",
              {},
              ...["Row", "Line", "Error"].map((name) => element("th", { scope: "col" }, name)),
            ),
          ),
          element(
            "tbody",
            {},
            ...this.#errors.map(({ row, line, error }) =>
              element(
                "tr",
                {},
                element("td", {}, format(row)),
                element("td", {}, format(line)),
                element("td", {}, error),
              ),
            ),
          ),
        ),
      ),
    );
  }
}

/** A CSV file of block groups, evenly spaced in the data. */
function sampleFile({ length, columns, latitudes, longitudes }) {
  const allColumns = { ...columns, Latitude: latitudes, Longitude: longitudes };
  const lines = [FEATURES.map(({ name }) => name).join(",")];
  for (let row = 0; row < SAMPLE_ROWS; row++) {
    const index = Math.floor((row * length) / SAMPLE_ROWS);
    const cells = FEATURES.map(({ name, digits }) => allColumns[name][index].toFixed(digits));
    lines.push(cells.join(","));
  }
  return new File([`${lines.join("\n")}\n`], "block-groups.csv", { type: "text/csv" });
}
