// A waterfall chart of a prediction: the baseline, what each feature adds, and the sum.

import { element } from "./dom.js";
import { FEATURES, formatDifference, formatDollars } from "./features.js";

const HUNDREDS = 1000; // hundreds of dollars in 100,000 USD

/**
 * The contributions in whole hundreds of dollars. Rounding the running sum, rather than each
 * contribution, makes the rounded numbers add up.
 */
export function roundedSteps({ baseline, contributions }) {
  let sum = baseline * HUNDREDS;
  let to = Math.round(sum);
  return FEATURES.map(({ name }) => {
    const from = to;
    sum += contributions[name] * HUNDREDS;
    to = Math.round(sum);
    return { name, from, to };
  });
}

/** Fill the container with a table of bars; each bar starts where the one above it ends. */
export function showContributions(container, explanation, row) {
  const steps = roundedSteps(explanation);
  const start = Math.round(explanation.baseline * HUNDREDS);
  const ends = [start, ...steps.map(({ to }) => to)];
  const [lowest, highest] = [Math.min(...ends), Math.max(...ends)];
  const percent = (hundreds) => (100 * (hundreds - lowest)) / (highest - lowest || 1);

  const bar = (from, to, kind) => {
    const filled = element("span", { class: `bar ${kind}` });
    filled.style.left = `${percent(Math.min(from, to))}%`;
    filled.style.width = `${Math.abs(percent(to) - percent(from))}%`;
    return element(
      "td",
      { class: "bars", "aria-hidden": "true" },
      element("span", { class: "bar-box" }, filled),
    );
  };
  const tableRow = (label, note, amount, cell, kind) =>
    element(
      "tr",
      { class: kind },
      element(
        "th",
        { scope: "row" },
        label,
        note ? element("span", { class: "quiet" }, ` ${note}`) : "",
      ),
      cell,
      element("td", { class: "amount" }, amount),
    );

  const features = FEATURES.map(({ name, label, describe }, index) => {
    const { from, to } = steps[index];
    const kind = to >= from ? "more" : "less";
    return tableRow(
      label,
      describe(row[name]),
      formatDifference(to - from),
      bar(from, to, kind),
      kind,
    );
  });
  container.replaceChildren(
    element(
      "table",
      { class: "contributions" },
      element("caption", { class: "visually-hidden" }, "What each feature adds, in 1990 dollars"),
      element(
        "tbody",
        {},
        tableRow(
          "An average block group",
          "",
          formatDollars(explanation.baseline),
          bar(start, start, "total"),
          "total",
        ),
        ...features,
        tableRow(
          "This block group",
          "",
          formatDollars(explanation.prediction),
          bar(steps.at(-1).to, steps.at(-1).to, "total"),
          "total",
        ),
      ),
    ),
  );
}
