// A slider and a number field for each feature, and the fields of the place.

import { element } from "./dom.js";
import { OTHERS, PLACE, rounded } from "./features.js";

const POSITIONS = 1000; // of a slider
const TAIL = 0.1; // of its length, for the 1 % of block groups at each end

/**
 * Which position stands for which value: the middle is for the 98 % of block groups between the
 * marks, because on an even scale they would share a few pixels beside a handful of extremes.
 */
export class Scale {
  constructor(minimum, maximum, [low, high] = [minimum, maximum]) {
    this.marks = [low, high];
    const start = low > minimum ? TAIL : 0;
    const end = high < maximum ? 1 - TAIL : 1;
    this.stops = [
      [0, minimum],
      [start, low],
      [end, high],
      [1, maximum],
    ];
  }

  /** The share of the slider, 0 to 1, at which a value stands. */
  shareOf(value) {
    return this.#interpolate(value, 1, 0);
  }

  /** The value at a share, with so many digits behind the point as leave it within the ends. */
  valueAt(share, digits) {
    const value = rounded(this.#interpolate(share, 0, 1), digits);
    const step = 10 ** -digits;
    if (value < this.stops[0][1]) return rounded(value + step, digits);
    if (value > this.stops.at(-1)[1]) return rounded(value - step, digits);
    return value;
  }

  #interpolate(given, from, to) {
    const index = this.stops.findIndex((stop) => given < stop[from]);
    if (index === 0) return this.stops[0][to];
    if (index < 0) return this.stops.at(-1)[to];
    const [before, after] = [this.stops[index - 1], this.stops[index]];
    return (
      before[to] +
      ((given - before[from]) / (after[from] - before[from])) * (after[to] - before[to])
    );
  }
}

/** Calls back with a feature's name and number as it is changed, and with its name when it is at hand. */
export class Controls {
  #controls = new Map();

  constructor(features, coordinates, { onChange, onAtHand }) {
    this.onChange = onChange;
    this.onAtHand = onAtHand;
    for (const feature of OTHERS) features.append(this.#withSlider(feature));
    for (const feature of PLACE) coordinates.append(this.#withoutSlider(feature));
  }

  /** Give the sliders their ends, and their marks where they are known. */
  setRanges(ranges, marks = {}) {
    for (const { name, minimum, maximum } of ranges) {
      const control = this.#controls.get(name);
      if (!control?.slider) continue;
      control.scale = new Scale(minimum, maximum, marks[name]);
      this.#drawMarks(control);
      control.slider.disabled = false;
      this.show(name, control.field.valueAsNumber);
    }
  }

  /** Show a feature's number, without calling back. */
  show(name, value) {
    const { field, slider, scale, feature, words } = this.#controls.get(name);
    if (Number.isNaN(value)) return;
    if (field.valueAsNumber !== value) field.value = String(value);
    if (!slider) return;
    words.textContent = feature.translated ? `: ${feature.words(value)}` : "";
    slider.setAttribute("aria-valuetext", feature.words(value));
    if (scale) slider.value = String(Math.round(scale.shareOf(value) * POSITIONS));
  }

  /** Mark the feature that the what-if curve is of. */
  setAtHand(name) {
    for (const [other, { root }] of this.#controls)
      root.classList.toggle("at-hand", other === name);
  }

  #withSlider(feature) {
    const { name, label, unit, digits } = feature;
    const words = element("span");
    const slider = element("input", {
      type: "range",
      min: 0,
      max: POSITIONS,
      step: 1,
      disabled: true,
      "aria-label": `${label}, slider`,
      "data-feature": name,
    });
    const marks = element("div", { class: "marks", "aria-hidden": "true" });
    const field = this.#field(feature);
    const root = element(
      "div",
      { class: "feature" },
      element("label", { for: name }, label),
      field,
      element("span", { class: "unit", id: `${name}-unit` }, unit, words),
      element("div", { class: "slider" }, slider, marks),
    );
    const control = { root, field, slider, words, marks, feature, scale: null };
    this.#register(name, control);
    slider.addEventListener("input", () => {
      const share = Number(slider.value) / POSITIONS;
      const value = control.scale.valueAt(share, digits);
      this.show(name, value);
      slider.value = String(share * POSITIONS); // where it was put, though the value is rounded
      this.onChange(name, value);
    });
    return root;
  }

  #withoutSlider(feature) {
    const { name, label, unit } = feature;
    const field = this.#field(feature);
    const root = element(
      "div",
      { class: "coordinate" },
      element("label", { for: name }, label),
      field,
      element("span", { class: "unit", id: `${name}-unit` }, unit),
    );
    this.#register(name, { root, field, feature });
    return root;
  }

  #field({ name, digits }) {
    return element("input", {
      type: "number",
      id: name,
      step: "any",
      inputmode: "decimal",
      "aria-describedby": `${name}-unit`,
      "data-digits": digits,
    });
  }

  #register(name, control) {
    this.#controls.set(name, control);
    control.root.addEventListener("focusin", () => this.onAtHand(name));
    control.root.addEventListener("pointerdown", () => this.onAtHand(name));
    control.field.addEventListener("input", () => {
      this.onChange(name, control.field.valueAsNumber);
      this.show(name, control.field.valueAsNumber);
    });
  }

  #drawMarks({ marks, scale, feature }) {
    const [low, high] = scale.marks;
    const [start, end] = [scale.stops[1][0], scale.stops[2][0]];
    const within = element("span", { class: "within" });
    within.style.left = `${100 * start}%`;
    within.style.width = `${100 * (end - start)}%`;
    const tick = (share, percent, value) => {
      const text = feature.digits ? value.toFixed(1) : Math.round(value).toLocaleString("en-US");
      const label = element("span", { class: "tick" }, `${percent}: ${text}`);
      label.style.left = `${100 * share}%`;
      return label;
    };
    marks.replaceChildren(within, tick(start, "1 %", low), tick(end, "99 %", high));
    marks.lastChild.classList.toggle("at-end", end === 1);
  }
}
