// The Models tab: metadata from GET /models/NAME and the figures of each model's training report.

import { element } from "./dom.js";
import { FEATURES } from "./features.js";
import { hasApiKey, readBody, request, requestJSON, urlOf } from "./api_client.js";

const FIGURE = /^### (.+)\n\n!\[[^\]]*\]\(report\/([\w-]+\.(?:svg|png))\)\n\n((?:.+\n?)+)/gm;

const dollars = (value) => `$${Math.round(value * 100_000).toLocaleString("en-US")}`;
const percent = (value) => `${(100 * value).toFixed(1)} %`;

/** The title, file and caption of each figure in a model card (Markdown). */
export function parseFigures(card) {
  return [...card.matchAll(FIGURE)].map(([, title, file, caption]) => ({
    title,
    file,
    caption: caption.trim().replace(/\s+/g, " "),
  }));
}

/** Load and show the named models. Throws what `request` throws. */
export async function showReport(metadata, figures, names) {
  const models = await Promise.all(
    names.map((name) => requestJSON(`models/${encodeURIComponent(name)}`)),
  );
  const cards = await Promise.all(names.map(loadFigureList));
  metadata.replaceChildren(metadataTable(models), ...models.map(modelDetails));
  figures.replaceChildren(...(await figureRows(names, cards)));
}

/** The figures of a model's card; none if the model was saved without a report. */
async function loadFigureList(name) {
  try {
    const response = await request(`models/${encodeURIComponent(name)}/card`);
    return parseFigures(await readBody(response.text()));
  } catch (error) {
    if (error.status === 404) return [];
    throw error;
  }
}

function metadataTable(models) {
  const rows = [
    ["Mean absolute error", ({ metrics }) => dollars(metrics.mae)],
    ["Root mean squared error", ({ metrics }) => dollars(metrics.rmse)],
    ["Variance explained", ({ metrics }) => percent(metrics.r2)],
    ["90 % intervals that contain the true value", ({ metrics }) => percent(metrics.coverage)],
    ["Mean width of these intervals", ({ metrics }) => dollars(metrics.mean_width)],
    [
      "Block groups (training, test)",
      ({ split }) =>
        `${split.train_rows.toLocaleString("en-US")}, ${split.test_rows.toLocaleString("en-US")}`,
    ],
    ["Split", ({ split }) => `${split.kind}, seed ${split.seed}`],
    ["Recipe", ({ recipe }) => recipe],
    ["Version", ({ version }) => version],
    ["Trained", ({ created }) => created.slice(0, 10)],
    ["Training time", ({ fit_seconds: seconds }) => `${seconds.toFixed(1)} s`],
    ["Data", ({ data }) => `${data.name}, ${String(data.sha256).slice(0, 8)}`],
  ];
  return element(
    "div",
    { class: "table-box", tabindex: 0, role: "region", "aria-label": "Comparison of the models" },
    element(
      "table",
      { class: "metadata-table" },
      element("caption", { class: "quiet" }, "Measured on the test set, in 1990 dollars."),
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          element("td"),
          ...models.map(({ name }, index) =>
            element("th", { scope: "col", class: `series-${index % 4}` }, name),
          ),
        ),
      ),
      element(
        "tbody",
        {},
        ...rows.map(([label, valueOf]) =>
          element(
            "tr",
            {},
            element("th", { scope: "row" }, label),
            ...models.map((model) => element("td", {}, valueOf(model))),
          ),
        ),
      ),
    ),
  );
}

/** Collapsed details: training ranges, hyperparameters, versions. */
function modelDetails(model) {
  const list = (entries) =>
    element(
      "dl",
      {},
      ...entries.flatMap(([term, value]) => [
        element("dt", {}, term),
        element("dd", {}, String(value)),
      ]),
    );
  const toText = (value) =>
    Array.isArray(value)
      ? value.join(", ")
      : typeof value === "object"
        ? JSON.stringify(value)
        : value;
  const ranges = model.features.map(({ name, minimum, maximum, unit }) => {
    const { label } = FEATURES.find((feature) => feature.name === name);
    return [
      `${label} (${name})`,
      `${Number(minimum.toPrecision(6))} to ${Number(maximum.toPrecision(6))} ${unit}`,
    ];
  });
  return element(
    "details",
    {},
    element("summary", {}, `Details of ${model.name}`),
    element("h3", {}, "Training ranges"),
    list(ranges),
    element("h3", {}, "Hyperparameters"),
    list([
      ...Object.entries(model.hyperparameters).map(([name, value]) => [name, toText(value)]),
      ["seed", model.seed],
    ]),
    element("h3", {}, "Versions and checksums"),
    list([
      ...Object.entries(model.versions),
      ["SHA-256 of the parameters", model.parameters_sha256],
      ["SHA-256 of the data", model.data.sha256],
    ]),
  );
}

/** A row for each kind of figure, with one figure per model. */
async function figureRows(names, cards) {
  const kinds = [...new Map(cards.flat().map((figure) => [figure.file, figure])).values()];
  if (!kinds.length)
    return [element("p", { class: "empty" }, "These models have no training report.")];
  return Promise.all(
    kinds.map(async ({ file, title, caption }) => {
      const figures = await Promise.all(
        names.map((name, index) =>
          cards[index].some((figure) => figure.file === file)
            ? loadFigure(name, index, file, title)
            : element("p", { class: "empty" }, `${name} does not have this figure.`),
        ),
      );
      return element(
        "section",
        { class: "figure-row" },
        element("h3", {}, title),
        element("p", { class: "quiet" }, caption),
        element("div", { class: "figures" }, ...figures),
      );
    }),
  );
}

async function loadFigure(name, index, file, title) {
  const path = `models/${encodeURIComponent(name)}/report/${file}`;
  // An <img> cannot send the API key, so fetch the image if there is one.
  const source = hasApiKey()
    ? URL.createObjectURL(await readBody((await request(path)).blob()))
    : urlOf(path);
  return element(
    "figure",
    {},
    element("figcaption", { class: `series-${index % 4}` }, name),
    element("img", {
      src: source,
      alt: `${title}, ${name}`,
      loading: "lazy",
      width: 700,
      height: 420,
    }),
  );
}
