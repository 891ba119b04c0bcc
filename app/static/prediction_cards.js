// A card for each model: the predicted price, its interval and its warnings.

import { element } from "./dom.js";
import { PRICE_CAP, formatDollars } from "./features.js";

const ANNOUNCE_DELAY = 700; // milliseconds without a change before the announcement

const percent = (value) => `${100 * Math.min(Math.max(value / PRICE_CAP, 0), 1)}%`;

/** The cards of all models, as a radio group; `onSelect` gets the name of the selected model. */
export class PredictionCards {
  #cards = new Map(); // by model
  #localMedian = null; // 100,000 USD
  #announceTimer;

  constructor(fieldset, liveRegion, onSelect) {
    this.fieldset = fieldset;
    this.liveRegion = liveRegion;
    this.onSelect = onSelect;
  }

  setModels(models, selected) {
    this.#cards = new Map(
      models.map((model, index) => [
        model.name,
        this.#createCard(model, index, model.name === selected),
      ]),
    );
    const [legend] = this.fieldset.children;
    this.fieldset.replaceChildren(legend, ...[...this.#cards.values()].map(({ root }) => root));
    this.setLocalMedian(this.#localMedian);
  }

  /** Show a response of POST /predict on the card of a model. */
  showPrediction(name, { prediction, interval, warnings, model }) {
    const card = this.#cards.get(name);
    if (!card) return;
    card.root.classList.remove("waiting", "failed");
    card.price.textContent = formatDollars(prediction);
    card.interval.replaceChildren(
      `${Math.round(100 * interval.level)} % between `,
      element("span", { class: "nowrap" }, formatDollars(interval.lower)),
      " and ",
      element("span", { class: "nowrap" }, formatDollars(interval.upper)),
    );
    card.band.style.left = percent(interval.lower);
    card.band.style.right = `calc(100% - ${percent(interval.upper)})`;
    card.dot.style.left = percent(prediction);
    card.warnings.replaceChildren(...warnings.map((text) => element("li", {}, text)));
    card.version.textContent = model.slice(name.length);
    this.#announce();
  }

  /** Show on the card of a model why there is no prediction. */
  showError(name, message) {
    const card = this.#cards.get(name);
    if (!card) return;
    card.root.classList.remove("waiting");
    card.root.classList.add("failed");
    card.price.textContent = "no prediction";
    card.interval.textContent = "";
    card.warnings.replaceChildren(element("li", {}, message));
    this.#announce();
  }

  /** Mark the median value of nearby block groups (100,000 USD, or null) on every card. */
  setLocalMedian(value) {
    this.#localMedian = value;
    for (const { localMedian } of this.#cards.values()) {
      localMedian.hidden = value === null;
      if (value !== null) localMedian.style.left = percent(value);
    }
  }

  /** Announce all predictions to screen readers, once they stop changing. */
  #announce() {
    clearTimeout(this.#announceTimer);
    this.#announceTimer = setTimeout(() => {
      this.liveRegion.textContent = [...this.#cards]
        .map(([name, card]) =>
          [`${name}: ${card.price.textContent}`, card.interval.textContent, card.warnings.innerText]
            .filter(Boolean)
            .join(", "),
        )
        .join(". ");
    }, ANNOUNCE_DELAY);
  }

  #createCard(model, index, checked) {
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
      localMedian: element("span", { class: "local-median", hidden: true }),
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
      { class: `card waiting series-${index % 4}` },
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
          parts.localMedian,
          parts.dot,
        ),
        element("span", { class: "scale-ticks", "aria-hidden": "true" }, ...ticks),
      ),
      parts.warnings,
    );
    radio.addEventListener("change", () => this.onSelect(name));
    return { root, ...parts };
  }
}
