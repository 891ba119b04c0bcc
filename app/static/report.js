// How good the models are: what /models/NAME tells, beside the pictures that training drew.

import { element } from "./dom.js";
import { FEATURES } from "./features.js";
import { ask, askJSON, hasKey, whole, addressOf } from "./api_client.js";

const PICTURE = /^### (.+)\n\n!\[[^\]]*\]\(report\/([\w-]+\.(?:svg|png))\)\n\n((?:.+\n?)+)/gm;

const dollars = (value) => `$${Math.round(value * 100_000).toLocaleString("en-US")}`;
const share = (value) => `${(100 * value).toFixed(1)} %`;

/** The pictures that a model card shows: file, title and caption. */
export function picturesOf(card) {
  return [...card.matchAll(PICTURE)].map(([, title, file, caption]) => ({
    title,
    file,
    caption: caption.trim().replace(/\s+/g, " "),
  }));
}

/** Fill the view with the named models; throws what `ask` throws. */
export async function showReport(metadata, pictures, names) {
  const models = await Promise.all(
    names.map((name) => askJSON(`models/${encodeURIComponent(name)}`)),
  );
  const cards = await Promise.all(names.map(pictureListOf));
  metadata.replaceChildren(tableOf(models), ...models.map(detailsOf));
  pictures.replaceChildren(...(await figuresOf(names, cards)));
}

/** What the model's card shows, or nothing where it was saved without a report. */
async function pictureListOf(name) {
  try {
    const response = await ask(`models/${encodeURIComponent(name)}/card`);
    return picturesOf(await whole(response.text()));
  } catch (error) {
    if (error.status === 404) return [];
    throw error;
  }
}

function tableOf(models) {
  const lines = [
    ["Mean absolute error", ({ metrics }) => dollars(metrics.mae)],
    ["Root mean squared error", ({ metrics }) => dollars(metrics.rmse)],
    ["Variance explained", ({ metrics }) => share(metrics.r2)],
    ["90 % intervals that hold the true value", ({ metrics }) => share(metrics.coverage)],
    ["Their mean width", ({ metrics }) => dollars(metrics.mean_width)],
    [
      "Block groups: training, test",
      ({ split }) =>
        `${split.train_rows.toLocaleString("en-US")}, ${split.test_rows.toLocaleString("en-US")}`,
    ],
    ["Split", ({ split }) => `${split.kind}, seed ${split.seed}`],
    ["Recipe", ({ recipe }) => recipe],
    ["Version", ({ version }) => version],
    ["Trained", ({ created }) => created.slice(0, 10)],
    ["Time to fit", ({ fit_seconds: seconds }) => `${seconds.toFixed(1)} s`],
    ["Data", ({ data }) => `${data.name}, ${String(data.sha256).slice(0, 8)}`],
  ];
  return element(
    "div",
    { class: "table-box", tabindex: 0, role: "region", "aria-label": "The models, side by side" },
    element(
      "table",
      { class: "metadata-table" },
      element(
        "caption",
        { class: "quiet" },
        "On block groups that they were not trained on; dollars of 1990.",
      ),
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          element("td"),
          ...models.map(({ name }, index) =>
            element("th", { scope: "col", class: `line-${index % 4}` }, name),
          ),
        ),
      ),
      element(
        "tbody",
        {},
        ...lines.map(([label, of]) =>
          element(
            "tr",
            {},
            element("th", { scope: "row" }, label),
            ...models.map((model) => element("td", {}, of(model))),
          ),
        ),
      ),
    ),
  );
}

/** What is of interest to some: hyper-parameters, training ranges, versions. */
function detailsOf(model) {
  const list = (entries) =>
    element(
      "dl",
      {},
      ...entries.flatMap(([term, value]) => [
        element("dt", {}, term),
        element("dd", {}, String(value)),
      ]),
    );
  const readable = (value) =>
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
    element("summary", {}, `All of ${model.name}`),
    element("h3", {}, "Training ranges"),
    list(ranges),
    element("h3", {}, "Hyper-parameters"),
    list([
      ...Object.entries(model.hyperparameters).map(([name, value]) => [name, readable(value)]),
      ["seed", model.seed],
    ]),
    element("h3", {}, "Made with"),
    list([
      ...Object.entries(model.versions),
      ["SHA-256 of the parameters", model.parameters_sha256],
      ["SHA-256 of the data", model.data.sha256],
    ]),
  );
}

/** A row for each picture, with every model's beside the others'. */
async function figuresOf(names, cards) {
  const kinds = [...new Map(cards.flat().map((picture) => [picture.file, picture])).values()];
  if (!kinds.length)
    return [element("p", { class: "empty" }, "These models were saved without a report.")];
  return Promise.all(
    kinds.map(async ({ file, title, caption }) => {
      const shown = await Promise.all(
        names.map((name, index) =>
          cards[index].some((picture) => picture.file === file)
            ? pictureOf(name, index, file, title)
            : element("p", { class: "empty" }, `${name} has none.`),
        ),
      );
      return element(
        "section",
        { class: "picture-row" },
        element("h3", {}, title),
        element("p", { class: "quiet" }, caption),
        element("div", { class: "figures" }, ...shown),
      );
    }),
  );
}

async function pictureOf(name, index, file, title) {
  const path = `models/${encodeURIComponent(name)}/report/${file}`;
  const source = hasKey()
    ? URL.createObjectURL(await whole((await ask(path)).blob()))
    : addressOf(path);
  return element(
    "figure",
    {},
    element("figcaption", { class: `line-${index % 4}` }, name),
    element("img", {
      src: source,
      alt: `${title}, ${name}`,
      loading: "lazy",
      width: 700,
      height: 420,
    }),
  );
}
