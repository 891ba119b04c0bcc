// What if one feature were different: each model's price along it, the others as they are.

import { drawn } from "./dom.js";
import { FEATURES, inDollars, rounded } from "./features.js";

const POINTS = 65;
const MARGINS = { top: 0.9, right: 1, bottom: 2.75, left: 3.6 }; // rem
const END = 5; // 100,000 USD

/** The numbers of a feature from mark to mark, and on to the number that it has. */
export function numbersAlong([low, high], current) {
  const from = Math.min(low, current);
  const to = Math.max(high, current);
  return Array.from({ length: POINTS }, (_, index) => from + ((to - from) * index) / (POINTS - 1));
}

/** Eight equally long columns: a row, with one feature at each of some numbers. */
export function columnsAlong(row, name, numbers) {
  return Object.fromEntries(
    FEATURES.map((feature) => [
      feature.name,
      feature.name === name ? numbers : numbers.map(() => row[feature.name]),
    ]),
  );
}

/** Draws the curves of all models; calls back with the number that is pointed at. */
export class Curves {
  #shown = null;
  #frame = 0;

  constructor(container, onNumber) {
    this.container = container;
    this.onNumber = onNumber;
    this.byModel = new Map();
    new ResizeObserver(() => this.draw()).observe(container);
    const follow = (event) => this.#follow(event);
    container.addEventListener("pointerdown", follow);
    container.addEventListener("pointermove", (event) => event.buttons === 1 && follow(event));
  }

  setModels(names) {
    this.names = names;
    this.byModel.clear();
    this.draw();
  }

  /** The answer of one model to the columns along a feature. */
  show(model, { feature, numbers, answer }) {
    this.byModel.set(model, { feature, numbers, answer });
    this.draw();
  }

  /** What the curve is of, the number it has, each model's price there, and the model at hand. */
  setPoint(point) {
    this.point = point;
    this.draw();
  }

  /** Before the next frame, once. */
  draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    const curves = [...this.byModel].filter(([, { feature }]) => feature === this.point?.feature);
    const { clientWidth: width, clientHeight: height } = this.container;
    if (!curves.length || !width) return;
    const [{ numbers }] = curves.map(([, curve]) => curve);
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const [top, right, bottom, left] = ["top", "right", "bottom", "left"].map(
      (side) => rem * MARGINS[side],
    );
    const highest = Math.max(
      END,
      ...curves.flatMap(([, { answer }]) => answer.prediction.filter((one) => one !== null)),
    );
    const x = (number) =>
      left + ((number - numbers[0]) / (numbers.at(-1) - numbers[0] || 1)) * (width - left - right);
    const y = (value) => height - bottom - (Math.max(value, 0) / highest) * (height - top - bottom);
    this.#shown = { numbers, left, right: width - right };

    const { label, unit } = FEATURES.find(({ name }) => name === this.point.feature);
    const svg = drawn("svg", {
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": this.#inWords(curves, label),
    });
    svg.append(
      ...valueTicks(highest, y, left, width - right),
      ...numberTicks(numbers, x, height - bottom + rem),
    );
    svg.append(
      drawn(
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
    for (const [model, { numbers: at, answer }] of curves) {
      if (model !== this.point.atHand) continue;
      svg.append(
        drawn("path", {
          class: `curve-band line-${this.#lineOf(model)}`,
          d: bandOf(at, answer, x, y),
        }),
      );
    }
    for (const [model, { numbers: at, answer }] of curves) {
      const hand = model === this.point.atHand ? " at-hand" : "";
      svg.append(
        drawn("path", {
          class: `curve-line line-${this.#lineOf(model)}${hand}`,
          d: lineOf(at, answer.prediction, x, y),
        }),
      );
    }
    if (Number.isFinite(this.point.number)) {
      const here = x(this.point.number);
      svg.append(
        drawn("line", { class: "here", x1: here, x2: here, y1: top, y2: height - bottom }),
      );
      for (const [model] of curves) {
        const price = this.point.prices.get(model);
        if (price !== undefined)
          svg.append(
            drawn("circle", {
              class: `curve-dot line-${this.#lineOf(model)}`,
              cx: here,
              cy: y(price),
            }),
          );
      }
    }
    this.container.replaceChildren(svg, this.#key(curves));
  }

  #lineOf = (model) => this.names.indexOf(model) % 4;

  #key(curves) {
    const key = document.createElement("p");
    key.className = "key";
    for (const [model] of curves) {
      const name = document.createElement("span");
      name.className = `key-name line-${this.#lineOf(model)}`;
      name.textContent = model;
      key.append(name);
    }
    return key;
  }

  #inWords(curves, label) {
    return curves
      .map(([model, { numbers, answer }]) => {
        const ends = [0, numbers.length - 1].map(
          (at) => `${inDollars(answer.prediction[at] ?? 0)} at ${rounded(numbers[at], 2)}`,
        );
        return `${model}: from ${ends.join(" to ")}`;
      })
      .reduce((text, one) => `${text} ${one}.`, `Price by ${label.toLowerCase()}.`);
  }

  #follow(event) {
    if (!this.#shown) return;
    const { numbers, left, right } = this.#shown;
    const x = event.clientX - this.container.getBoundingClientRect().left;
    const share = (x - left) / (right - left);
    this.onNumber(numbers[0] + Math.min(Math.max(share, 0), 1) * (numbers.at(-1) - numbers[0]));
  }
}

/** A path through the points that have a value. */
function lineOf(numbers, values, x, y) {
  let pen = "M";
  return values
    .map((value, index) => {
      if (value === null) {
        pen = "M";
        return "";
      }
      const step = `${pen}${x(numbers[index]).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
      return step;
    })
    .join("");
}

function bandOf(numbers, { lower, upper }, x, y) {
  const known = numbers.map((_, index) => index).filter((index) => lower[index] !== null);
  const at = (values) => (index) =>
    `${x(numbers[index]).toFixed(1)} ${y(values[index]).toFixed(1)}`;
  return `M${[...known.map(at(upper)), ...known.reverse().map(at(lower))].join("L")}Z`;
}

function valueTicks(highest, y, left, right) {
  return Array.from({ length: Math.floor(highest) + 1 }, (_, value) => [
    drawn("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }),
    drawn(
      "text",
      {
        class: "tick-label",
        x: left - 8,
        y: y(value),
        "text-anchor": "end",
        "dominant-baseline": "middle",
      },
      value ? `$${value}00k` : "$0",
    ),
  ]).flat();
}

function numberTicks(numbers, x, y) {
  const [from, to] = [numbers[0], numbers.at(-1)];
  const step = roundStep((to - from) / 5);
  const ticks = [];
  for (let tick = Math.ceil(from / step) * step; tick <= to + step / 1e6; tick += step) {
    ticks.push(
      drawn(
        "text",
        { class: "tick-label", x: x(tick), y, "text-anchor": "middle" },
        rounded(tick, 2).toLocaleString("en-US"),
      ),
    );
  }
  return ticks;
}

/** The nearest of 1, 2 and 5 times a power of ten. */
function roundStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough || 1));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
}
