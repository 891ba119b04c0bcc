// A search field for places, by city name or coordinates.

import { element } from "./dom.js";
import { CITIES } from "./geography.js";

const MAX_SUGGESTIONS = 8;
const COORDINATES = /^\s*([−-]?\d+(?:\.\d+)?)[\s,;]+([−-]?\d+(?:\.\d+)?)\s*$/;

const normalize = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** The places that match a text: coordinates, or cities with a word that starts with the text. */
export function findPlaces(text) {
  const coordinates = COORDINATES.exec(text);
  if (coordinates) {
    const [latitude, longitude] = coordinates
      .slice(1)
      .map((part) => Number(part.replace("−", "-")));
    return [{ name: `${latitude}, ${longitude}`, latitude, longitude }];
  }
  const prefix = normalize(text.trim());
  if (!prefix) return [];
  return CITIES.filter(([name]) => ` ${normalize(name)}`.includes(` ${prefix}`))
    .slice(0, MAX_SUGGESTIONS)
    .map(([name, latitude, longitude]) => ({ name, latitude, longitude }));
}

/** Suggest places in a list below the input (an ARIA combobox); `onSelect` gets the coordinates. */
export function initPlaceSearch(input, list, onSelect) {
  let places = [];
  let active = -1;

  function show() {
    places = findPlaces(input.value);
    const isEmpty = input.value.trim() !== "" && places.length === 0;
    list.replaceChildren(
      ...places.map(({ name }, index) => {
        const option = element(
          "li",
          { role: "option", id: `city-${index}`, "aria-selected": "false" },
          name,
        );
        // The input keeps the focus.
        option.addEventListener("pointerdown", (event) => event.preventDefault());
        option.addEventListener("click", () => select(index));
        return option;
      }),
      ...(isEmpty
        ? [
            element(
              "li",
              { role: "option", "aria-disabled": "true" },
              "No city found. Select the place on the map.",
            ),
          ]
        : []),
    );
    list.hidden = list.children.length === 0;
    input.setAttribute("aria-expanded", String(!list.hidden));
    activate(-1);
  }

  function activate(index) {
    active = index;
    [...list.children].forEach((option, position) =>
      option.setAttribute("aria-selected", String(position === index)),
    );
    if (index < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", `city-${index}`);
  }

  function close() {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    activate(-1);
  }

  function select(index) {
    const { name, latitude, longitude } = places[index];
    input.value = name;
    close();
    onSelect(latitude, longitude);
  }

  input.addEventListener("input", show);
  input.addEventListener("focus", () => input.select());
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && list.hidden) show();
    if (event.key === "Enter" && places.length) select(Math.max(active, 0));
    else if (event.key === "Escape") close();
    else if (event.key === "ArrowDown" && places.length) activate((active + 1) % places.length);
    else if (event.key === "ArrowUp" && places.length)
      activate((active <= 0 ? places.length : active) - 1);
    else return;
    event.preventDefault();
  });
}
