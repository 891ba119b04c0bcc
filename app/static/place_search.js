// Finding a place by a city's name, or by its coordinates.

import { element } from "./dom.js";
import { CITIES } from "./geography.js";

const MOST = 8; // suggestions
const COORDINATES = /^\s*([−-]?\d+(?:\.\d+)?)[\s,;]+([−-]?\d+(?:\.\d+)?)\s*$/;

const folded = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** The places that a text may mean: cities with a word that begins so, or coordinates. */
export function placesFor(text) {
  const coordinates = COORDINATES.exec(text);
  if (coordinates) {
    const [latitude, longitude] = coordinates.slice(1).map((n) => Number(n.replace("−", "-")));
    return [{ name: `${latitude}, ${longitude}`, latitude, longitude }];
  }
  const wanted = folded(text.trim());
  if (!wanted) return [];
  return CITIES.filter(([name]) => ` ${folded(name)}`.includes(` ${wanted}`))
    .slice(0, MOST)
    .map(([name, latitude, longitude]) => ({ name, latitude, longitude }));
}

/** Let an input suggest places in a list below it (ARIA's combobox); calls back with the chosen. */
export function suggestPlaces(input, list, onPlace) {
  let places = [];
  let active = -1;

  function show() {
    places = placesFor(input.value);
    const nothing = input.value.trim() !== "" && places.length === 0;
    list.replaceChildren(
      ...places.map(({ name }, index) => {
        const option = element(
          "li",
          { role: "option", id: `city-${index}`, "aria-selected": "false" },
          name,
        );
        option.addEventListener("pointerdown", (event) => event.preventDefault()); // keeps the focus
        option.addEventListener("click", () => choose(index));
        return option;
      }),
      ...(nothing
        ? [
            element(
              "li",
              { role: "option", "aria-disabled": "true" },
              "No such city here. The map has them all.",
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
    [...list.children].forEach((option, at) =>
      option.setAttribute("aria-selected", String(at === index)),
    );
    if (index < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", `city-${index}`);
  }

  function close() {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    activate(-1);
  }

  function choose(index) {
    const { name, latitude, longitude } = places[index];
    input.value = name;
    close();
    onPlace(latitude, longitude);
  }

  input.addEventListener("input", show);
  input.addEventListener("focus", () => input.select());
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && list.hidden) show();
    if (event.key === "Enter" && places.length) choose(Math.max(active, 0));
    else if (event.key === "Escape") close();
    else if (event.key === "ArrowDown" && places.length) activate((active + 1) % places.length);
    else if (event.key === "ArrowUp" && places.length)
      activate((active <= 0 ? places.length : active) - 1);
    else return;
    event.preventDefault();
  });
}
