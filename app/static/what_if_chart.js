// A line chart of each model's prediction as one feature varies and the others stay fixed.

import { element, svgElement } from "./dom.js";
import { FEATURES, PRICE_CAP, formatDollars, round } from "./features.js";

const POINTS = 65;
const MARGINS = { top: 0.9, right: 1, bottom: 2.75, left: 3.6 }; // rem

/** Evenly spaced values from low to high, extended to include the current value. */
export function sweepValues([low, high], current) {
  const from = Math.min(low, current);
  const to = Math.max(high, current);
  return Array.from({ length: POINTS }, (_, index) => from + ((to - from) * index) / (POINTS - 1));
}

/** The body of POST /predict/batch for copies of a row in which one feature takes each value. */
export function sweepColumns(row, name, values) {
  return Object.fromEntries(
    FEATURES.map((feature) => [
      feature.name,
      feature.name === name ? values : values.map(() => row[feature.name]),
    ]),
  );
}

/** Draws a curve for each model; `onPick` gets the feature value under the pointer. */
export class WhatIfChart {
  #axis = null; // the values and pixels of the horizontal axis
  #frame = 0;

  constructor(container, onPick) {
    this.container = container;
    this.onPick = onPick;
    this.curves = new Map(); // by model
    new ResizeObserver(() => this.draw()).observe(container);
    const pick = (event) => this.#pick(event);
    container.addEventListener("pointerdown", pick);
    container.addEventListener("pointermove", (event) => event.buttons === 1 && pick(event));
  }

  setModels(names) {
    this.names = names;
    this.curves.clear();
    this.draw();
  }

  /** Set a model's curve: the feature, its values, and the columns of predictions for them. */
  setCurve(model, { feature, values, predictions }) {
    this.curves.set(model, { feature, values, predictions });
    this.draw();
  }

  /** Set the feature, its current value, each model's price there, and the selected model. */
  setPoint(point) {
    this.point = point;
    this.draw();
  }

  /** Redraw before the next frame. */
  draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    const curves = [...this.curves].filter(([, { feature }]) => feature === this.point?.feature);
    const { clientWidth: width, clientHeight: height } = this.container;
    if (!curves.length || !width) return;
    const [{ values }] = curves.map(([, curve]) => curve);
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const [top, right, bottom, left] = ["top", "right", "bottom", "left"].map(
      (side) => rem * MARGINS[side],
    );
    const highest = Math.max(
      PRICE_CAP,
      ...curves.flatMap(([, { predictions }]) =>
        predictions.prediction.filter((price) => price !== null),
      ),
    );
    const x = (value) =>
      left + ((value - values[0]) / (values.at(-1) - values[0] || 1)) * (width - left - right);
    const y = (price) => height - bottom - (Math.max(price, 0) / highest) * (height - top - bottom);
    this.#axis = { values, left, right: width - right };

    const { label, unit } = FEATURES.find(({ name }) => name === this.point.feature);
    const svg = svgElement("svg", {
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": this.#describe(curves, label),
    });
    svg.append(
      ...priceTicks(highest, y, left, width - right),
      ...valueTicks(values, x, height - bottom + rem),
    );
    svg.append(
      svgElement(
        "text",
        {
          class: "axis-title",
          x: (left + width - right) / 2,
          y: height - rem / 3,
          "text-anchor": "middle",
        },
        unit,
      ),
    );
    for (const [model, { predictions }] of curves) {
      if (model !== this.point.selected) continue;
      svg.append(
        svgElement("path", {
          class: `curve-band series-${this.#seriesOf(model)}`,
          d: bandPath(values, predictions, x, y),
        }),
      );
    }
    for (const [model, { predictions }] of curves) {
      const selected = model === this.point.selected ? " selected" : "";
      svg.append(
        svgElement("path", {
          class: `curve-line series-${this.#seriesOf(model)}${selected}`,
          d: linePath(values, predictions.prediction, x, y),
        }),
      );
    }
    if (Number.isFinite(this.point.value)) {
      const current = x(this.point.value);
      svg.append(
        svgElement("line", {
          class: "current-value",
          x1: current,
          x2: current,
          y1: top,
          y2: height - bottom,
        }),
      );
      for (const [model] of curves) {
        const price = this.point.prices.get(model);
        if (price !== undefined)
          svg.append(
            svgElement("circle", {
              class: `curve-dot series-${this.#seriesOf(model)}`,
              cx: current,
              cy: y(price),
            }),
          );
      }
    }
    this.container.replaceChildren(svg, this.#legend(curves));
  }

  #seriesOf = (model) => this.names.indexOf(model) % 4;

  #legend(curves) {
    const names = curves.map(([model]) =>
      element("span", { class: `chart-legend-name series-${this.#seriesOf(model)}` }, model),
    );
    return element("p", { class: "chart-legend" }, ...names);
  }

  #describe(curves, label) {
    const sentences = curves.map(([model, { values, predictions }]) => {
      const ends = [0, values.length - 1].map(
        (index) =>
          `${formatDollars(predictions.prediction[index] ?? 0)} at ${round(values[index], 2)}`,
      );
      return `${model}: from ${ends.join(" to ")}.`;
    });
    return [`Price by ${label.toLowerCase()}.`, ...sentences].join(" ");
  }

  #pick(event) {
    if (!this.#axis) return;
    const { values, left, right } = this.#axis;
    const x = event.clientX - this.container.getBoundingClientRect().left;
    const fraction = (x - left) / (right - left);
    this.onPick(values[0] + Math.min(Math.max(fraction, 0), 1) * (values.at(-1) - values[0]));
  }
}

/** An SVG path through the points; null prices leave gaps. */
function linePath(values, prices, x, y) {
  let command = "M";
  return prices
    .map((price, index) => {
      if (price === null) {
        command = "M";
        return "";
      }
      const segment = `${command}${x(values[index]).toFixed(1)} ${y(price).toFixed(1)}`;
      command = "L";
      return segment;
    })
    .join("");
}

/** An SVG path around the area between the lower and the upper bounds. */
function bandPath(values, { lower, upper }, x, y) {
  const known = values.map((_, index) => index).filter((index) => lower[index] !== null);
  const point = (prices) => (index) =>
    `${x(values[index]).toFixed(1)} ${y(prices[index]).toFixed(1)}`;
  return `M${[...known.map(point(upper)), ...known.reverse().map(point(lower))].join("L")}Z`;
}

function priceTicks(highest, y, left, right) {
  return Array.from({ length: Math.floor(highest) + 1 }, (_, price) => [
    svgElement("line", { class: "grid", x1: left, x2: right, y1: y(price), y2: y(price) }),
    svgElement(
      "text",
      {
        class: "tick-label",
        x: left - 8,
        y: y(price),
        "text-anchor": "end",
        "dominant-baseline": "middle",
      },
      price ? `$${price}00k` : "$0",
    ),
  ]).flat();
}

function valueTicks(values, x, y) {
  const [from, to] = [values[0], values.at(-1)];
  const step = niceStep((to - from) / 5);
  const ticks = [];
  for (let tick = Math.ceil(from / step) * step; tick <= to + step / 1e6; tick += step) {
    ticks.push(
      svgElement(
        "text",
        { class: "tick-label", x: x(tick), y, "text-anchor": "middle" },
        round(tick, 2).toLocaleString("en-US"),
      ),
    );
  }
  return ticks;
}

/** Round up to 1, 2 or 5 times a power of ten. */
function niceStep(step) {
  const power = 10 ** Math.floor(Math.log10(step || 1));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= step);
}
