// Why a model gives its price: what each feature adds to a common block group's, one after another.

import { element } from "./dom.js";
import { FEATURES, asDifference, inDollars } from "./features.js";

const HUNDREDS = 1000; // of dollars in 100,000 USD

/**
 * The contributions in hundreds of dollars, as whole numbers that add up as shown: what is rounded
 * is the running sum, and a step is the difference of two of them.
 */
export function roundedSteps({ baseline, contributions }) {
  let exact = baseline * HUNDREDS;
  let shown = Math.round(exact);
  return FEATURES.map(({ name }) => {
    const from = shown;
    exact += contributions[name] * HUNDREDS;
    shown = Math.round(exact);
    return { name, from, to: shown };
  });
}

/** A table of bars, of which each begins where the one above ended; the ends are marked. */
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
  const line = (label, note, amount, cell, kind) =>
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

  const features = FEATURES.map(({ name, label, words }, index) => {
    const { from, to } = steps[index];
    const kind = to >= from ? "more" : "less";
    return line(label, words(row[name]), asDifference(to - from), bar(from, to, kind), kind);
  });
  container.replaceChildren(
    element(
      "table",
      { class: "contributions" },
      element("caption", { class: "spoken-only" }, "What each feature adds, in dollars of 1990"),
      element(
        "tbody",
        {},
        line(
          "A common block group",
          "",
          inDollars(explanation.baseline),
          bar(start, start, "total"),
          "total",
        ),
        ...features,
        line(
          "This one",
          "",
          inDollars(explanation.prediction),
          bar(steps.at(-1).to, steps.at(-1).to, "total"),
          "total",
        ),
      ),
    ),
  );
}
