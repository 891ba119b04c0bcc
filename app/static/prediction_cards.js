// What each model says of the row: a price, its interval as a band, and its warnings.

import { element } from "./dom.js";
import { inDollars } from "./features.js";

const END = 5; // 100,000 USD: the end of the data, and of the band's scale
const PAUSE = 700; // milliseconds without a new answer, after which it is spoken

const percent = (value) => `${100 * Math.min(Math.max(value / END, 0), 1)}%`;

/** A card for each model; one of them is at hand, and calls back when it is chosen. */
export class Answers {
  #cards = new Map();
  #around = null; // 100,000 USD
  #speaking;

  constructor(fieldset, spoken, onChoose) {
    this.fieldset = fieldset;
    this.spoken = spoken;
    this.onChoose = onChoose;
  }

  setModels(models, atHand) {
    this.#cards = new Map(
      models.map((model, index) => [model.name, this.#card(model, index, model.name === atHand)]),
    );
    const [legend] = this.fieldset.children;
    this.fieldset.replaceChildren(legend, ...[...this.#cards.values()].map(({ root }) => root));
    this.setAround(this.#around);
  }

  /** Show an answer of a model. */
  show(name, { prediction, interval, warnings, model }) {
    const card = this.#cards.get(name);
    if (!card) return;
    card.root.classList.remove("waiting", "refused");
    card.price.textContent = inDollars(prediction);
    card.interval.replaceChildren(
      `${Math.round(100 * interval.level)} % between `,
      element("span", { class: "whole" }, inDollars(interval.lower)),
      " and ",
      element("span", { class: "whole" }, inDollars(interval.upper)),
    );
    card.band.style.left = percent(interval.lower);
    card.band.style.right = `calc(100% - ${percent(interval.upper)})`;
    card.dot.style.left = percent(prediction);
    card.warnings.replaceChildren(...warnings.map((sentence) => element("li", {}, sentence)));
    card.version.textContent = model.slice(name.length);
    this.#speak();
  }

  /** Say why a model has no answer. */
  refuse(name, sentence) {
    const card = this.#cards.get(name);
    if (!card) return;
    card.root.classList.remove("waiting");
    card.root.classList.add("refused");
    card.price.textContent = "no answer";
    card.interval.textContent = "";
    card.warnings.replaceChildren(element("li", {}, sentence));
    this.#speak();
  }

  /** Mark what is typical around (100,000 USD) on every band; null: nobody knows. */
  setAround(value) {
    this.#around = value;
    for (const { around } of this.#cards.values()) {
      around.hidden = value === null;
      if (value !== null) around.style.left = percent(value);
    }
  }

  #speak() {
    clearTimeout(this.#speaking);
    this.#speaking = setTimeout(() => {
      this.spoken.textContent = [...this.#cards]
        .map(([name, card]) =>
          [`${name}: ${card.price.textContent}`, card.interval.textContent, card.warnings.innerText]
            .filter(Boolean)
            .join(", "),
        )
        .join(". ");
    }, PAUSE);
  }

  #card(model, index, checked) {
    const { name, version } = model;
    const radio = element("input", {
      type: "radio",
      name: "model",
      value: name,
      checked,
      "aria-labelledby": `${name}-name`,
      "aria-describedby": `${name}-price ${name}-interval`,
    });
    const parts = {
      price: element("span", { class: "price", id: `${name}-price` }, "…"),
      interval: element("span", { class: "interval", id: `${name}-interval` }),
      band: element("span", { class: "band" }),
      dot: element("span", { class: "dot" }),
      around: element("span", { class: "around", hidden: true }),
      warnings: element("ul", { class: "warnings" }),
      version: element("span", { class: "version" }, `@${version}`),
    };
    const ticks = [0, 1, 2, 3, 4, 5].map((tick) => {
      const label = element("span", {}, tick ? `$${tick}00k` : "$0");
      label.style.left = percent(tick);
      return label;
    });
    const root = element(
      "div",
      { class: `card waiting line-${index % 4}` },
      element(
        "label",
        { class: "card-face" },
        element(
          "span",
          { class: "card-name" },
          radio,
          element("span", { id: `${name}-name` }, name),
          parts.version,
        ),
        parts.price,
        parts.interval,
        element(
          "span",
          { class: "scale", "aria-hidden": "true" },
          parts.band,
          parts.around,
          parts.dot,
        ),
        element("span", { class: "scale-ticks", "aria-hidden": "true" }, ...ticks),
      ),
      parts.warnings,
    );
    radio.addEventListener("change", () => this.onChoose(name));
    return { root, ...parts };
  }
}
