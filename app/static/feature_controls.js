// The inputs: a slider and a number field for each feature, and number fields for the coordinates.

import { element } from "./dom.js";
import { LOCATION_FEATURES, OTHER_FEATURES, round } from "./features.js";

const SLIDER_STEPS = 1000;
const TAIL = 0.1; // share of the slider's length for the 1 % of block groups at each end

/**
 * Maps slider positions to values by linear interpolation between four points. The middle 80 % of
 * the slider covers the 98 % of block groups between the marks; a linear scale would squeeze them
 * into a few pixels beside the extremes.
 */
export class SliderScale {
  constructor(minimum, maximum, [low, high] = [minimum, maximum]) {
    this.marks = [low, high];
    const start = low > minimum ? TAIL : 0;
    const end = high < maximum ? 1 - TAIL : 1;
    this.points = [
      [0, minimum],
      [start, low],
      [end, high],
      [1, maximum],
    ];
  }

  /** The position of a value, from 0 to 1. */
  positionOf(value) {
    return this.#interpolate(value, 1, 0);
  }

  /** The value at a position, rounded to a number of decimal places but kept within the range. */
  valueAt(position, digits) {
    const value = round(this.#interpolate(position, 0, 1), digits);
    const step = 10 ** -digits;
    if (value < this.points[0][1]) return round(value + step, digits);
    if (value > this.points.at(-1)[1]) return round(value - step, digits);
    return value;
  }

  /** Interpolate from one coordinate of the points, 0 or 1, to the other. */
  #interpolate(input, from, to) {
    const index = this.points.findIndex((point) => input < point[from]);
    if (index === 0) return this.points[0][to];
    if (index < 0) return this.points.at(-1)[to];
    const [before, after] = [this.points[index - 1], this.points[index]];
    return (
      before[to] +
      ((input - before[from]) / (after[from] - before[from])) * (after[to] - before[to])
    );
  }
}

/** Calls `onChange` with the name and value of a feature, and `onSelect` with its name. */
export class FeatureControls {
  #controls = new Map(); // by feature name

  constructor(features, coordinates, { onChange, onSelect }) {
    this.onChange = onChange;
    this.onSelect = onSelect;
    for (const feature of OTHER_FEATURES) features.append(this.#createSlider(feature));
    for (const feature of LOCATION_FEATURES) coordinates.append(this.#createCoordinate(feature));
  }

  /** Set the range of each slider, and its marks (the 1st and 99th percentile) if known. */
  setRanges(ranges, marks = {}) {
    for (const { name, minimum, maximum } of ranges) {
      const control = this.#controls.get(name);
      if (!control?.slider) continue;
      control.scale = new SliderScale(minimum, maximum, marks[name]);
      this.#drawMarks(control);
      control.slider.disabled = false;
      this.show(name, control.field.valueAsNumber);
    }
  }

  /** Show the value of a feature, without calling `onChange`. */
  show(name, value) {
    const { field, slider, scale, feature, description } = this.#controls.get(name);
    if (Number.isNaN(value)) return;
    if (field.valueAsNumber !== value) field.value = String(value);
    if (!slider) return;
    description.textContent = feature.showDescription ? `: ${feature.describe(value)}` : "";
    slider.setAttribute("aria-valuetext", feature.describe(value));
    if (scale) slider.value = String(Math.round(scale.positionOf(value) * SLIDER_STEPS));
  }

  /** Highlight the feature that the what-if chart varies. */
  setSelected(name) {
    for (const [other, { root }] of this.#controls)
      root.classList.toggle("selected", other === name);
  }

  #createSlider(feature) {
    const { name, label, unit, digits } = feature;
    const description = element("span");
    const slider = element("input", {
      type: "range",
      min: 0,
      max: SLIDER_STEPS,
      step: 1,
      disabled: true,
      "aria-label": `${label}, slider`,
      "data-feature": name,
    });
    const marks = element("div", { class: "marks", "aria-hidden": "true" });
    const field = this.#createField(feature);
    const root = element(
      "div",
      { class: "feature" },
      element("label", { for: name }, label),
      field,
      element("span", { class: "unit", id: `${name}-unit` }, unit, description),
      element("div", { class: "slider" }, slider, marks),
    );
    const control = { root, field, slider, description, marks, feature, scale: null };
    this.#register(name, control);
    slider.addEventListener("input", () => {
      const position = Number(slider.value) / SLIDER_STEPS;
      const value = control.scale.valueAt(position, digits);
      this.show(name, value);
      slider.value = String(position * SLIDER_STEPS); // undo the move to the rounded value
      this.onChange(name, value);
    });
    return root;
  }

  #createCoordinate(feature) {
    const { name, label, unit } = feature;
    const field = this.#createField(feature);
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

  #createField({ name, digits }) {
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
    control.root.addEventListener("focusin", () => this.onSelect(name));
    control.root.addEventListener("pointerdown", () => this.onSelect(name));
    control.field.addEventListener("input", () => {
      this.onChange(name, control.field.valueAsNumber);
      this.show(name, control.field.valueAsNumber);
    });
  }

  #drawMarks({ marks, scale, feature }) {
    const [low, high] = scale.marks;
    const [start, end] = [scale.points[1][0], scale.points[2][0]];
    const bar = element("span", { class: "mark-range" });
    bar.style.left = `${100 * start}%`;
    bar.style.width = `${100 * (end - start)}%`;
    const tick = (position, percent, value) => {
      const text = feature.digits ? value.toFixed(1) : Math.round(value).toLocaleString("en-US");
      const label = element("span", { class: "tick" }, `${percent}: ${text}`);
      label.style.left = `${100 * position}%`;
      return label;
    };
    marks.replaceChildren(bar, tick(start, "1 %", low), tick(end, "99 %", high));
    marks.lastChild.classList.toggle("at-end", end === 1);
  }
}
