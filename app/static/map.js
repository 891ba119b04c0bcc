// The map, on which a click, a drag or the arrow keys select a place.

import { shades } from "./colors.js";
import { drawMap } from "./draw_map.js";
import { round } from "./features.js";
import { nearestCity } from "./geography.js";
import { MapView } from "./map_view.js";

const STEP = 0.01; // degrees, the precision of the data
const BOUNDS = { latitude: [32, 43], longitude: [-125, -114] }; // those of the service

/** Whether the service accepts these coordinates; false for NaN. */
export const isInBounds = (latitude, longitude) =>
  latitude >= BOUNDS.latitude[0] &&
  latitude <= BOUNDS.latitude[1] &&
  longitude >= BOUNDS.longitude[0] &&
  longitude <= BOUNDS.longitude[1];

const darkMode = matchMedia("(prefers-color-scheme: dark)");

export const theme = () => (darkMode.matches ? "dark" : "light");

/** `onSelect` gets the latitude and longitude of a selected place, rounded to 0.01 degrees. */
export class PlaceMap {
  #view = new MapView();
  #blockGroups = null;
  #pointers = new Map(); // the position of each pressed pointer, by its id
  #place = { latitude: 37.88, longitude: -122.23 };
  #frame = 0;

  constructor(container, onSelect) {
    this.canvas = container.querySelector("canvas");
    this.focus = container.querySelector(".map-focus");
    this.marker = container.querySelector(".marker");
    this.container = container;
    this.onSelect = onSelect;
    new ResizeObserver(() => this.#resize()).observe(container);
    darkMode.addEventListener("change", () => this.draw());
    this.#listenToPointers();
    this.focus.addEventListener("keydown", (event) => this.#onKey(event));
    for (const button of container.querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => this.zoom(button.dataset.zoom === "in" ? 2 : 0.5));
    }
  }

  set blockGroups(blockGroups) {
    this.#blockGroups = blockGroups;
    this.draw();
  }

  /** Show a place without calling `onSelect`. */
  show(latitude, longitude) {
    this.#place = { latitude, longitude };
    if (this.#view.centreIfHidden(this.#place)) this.draw();
    this.#moveMarker();
  }

  zoom(factor, fixedPlace = this.#place) {
    this.#view.zoomBy(factor, fixedPlace);
    this.draw();
  }

  /** Redraw before the next frame. */
  draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.container;
    const style = getComputedStyle(this.container);
    const color = (name) => style.getPropertyValue(name).trim();
    drawMap(this.canvas.getContext("2d"), this.#view, {
      width,
      height,
      blockGroups: this.#blockGroups,
      shades: shades(theme()),
      ink: {
        land: color("--land"),
        border: color("--line"),
        text: color("--ink"),
        halo: color("--halo"),
        font: style.fontFamily,
        size: 0.72 * parseFloat(style.fontSize),
      },
    });
    this.#moveMarker();
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.container;
    this.canvas.width = Math.round(width * devicePixelRatio);
    this.canvas.height = Math.round(height * devicePixelRatio);
    this.canvas.getContext("2d").setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    this.#view.resize(width, height);
    this.#draw(); // immediately, because resizing clears the canvas
  }

  #moveMarker() {
    const [x, y] = this.#view.toPixels(this.#place.latitude, this.#place.longitude);
    this.marker.style.transform = `translate(${x}px, ${y}px)`;
    const { clientWidth: width, clientHeight: height } = this.container;
    this.marker.hidden = x < 0 || y < 0 || x > width || y > height;
    const { latitude, longitude } = this.#place;
    const city = nearestCity(latitude, longitude);
    const position = `${latitude.toFixed(2)} north, ${(-longitude).toFixed(2)} west`;
    this.focus.setAttribute(
      "aria-label",
      `Map of California: ${position}${city ? `, near ${city}` : ""}`,
    );
  }

  #select({ latitude, longitude }) {
    const clampAndRound = (value, [low, high]) => round(Math.min(Math.max(value, low), high), 2);
    this.#place = {
      latitude: clampAndRound(latitude, BOUNDS.latitude),
      longitude: clampAndRound(longitude, BOUNDS.longitude),
    };
    this.#moveMarker();
    this.onSelect(this.#place.latitude, this.#place.longitude);
  }

  #onKey(event) {
    const step = event.shiftKey ? 10 * STEP : STEP;
    const [north, east] =
      { ArrowUp: [step, 0], ArrowDown: [-step, 0], ArrowRight: [0, step], ArrowLeft: [0, -step] }[
        event.key
      ] ?? [];
    if (north !== undefined) {
      const { latitude, longitude } = this.#place;
      this.#select({ latitude: latitude + north, longitude: longitude + east });
      if (this.#view.centreIfHidden(this.#place)) this.draw();
    } else if (event.key === "+" || event.key === "=") {
      this.zoom(2);
    } else if (event.key === "-") {
      this.zoom(0.5);
    } else {
      return;
    }
    event.preventDefault();
  }

  #listenToPointers() {
    for (const target of [this.focus, this.marker]) {
      target.addEventListener("pointerdown", (event) => this.#onDown(event));
      target.addEventListener("pointermove", (event) => this.#onMove(event));
      for (const end of ["pointerup", "pointercancel"]) {
        target.addEventListener(end, (event) => this.#pointers.delete(event.pointerId));
      }
    }
    this.focus.addEventListener("wheel", (event) => this.#onWheel(event), { passive: false });
  }

  #onDown(event) {
    if (event.button !== 0) return;
    event.target.setPointerCapture(event.pointerId);
    this.focus.focus({ preventScroll: true });
    event.preventDefault();
    this.#pointers.set(event.pointerId, this.#position(event));
    if (this.#pointers.size === 1) this.#select(this.#view.toPlace(...this.#position(event)));
  }

  /** One pointer selects a place; two pan and zoom the map. */
  #onMove(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const now = this.#position(event);
    this.#pointers.set(event.pointerId, now);
    if (this.#pointers.size === 1) {
      this.#select(this.#view.toPlace(...now));
      return;
    }
    const [[, other]] = [...this.#pointers].filter(([id]) => id !== event.pointerId);
    const distance = ([x, y]) => Math.max(Math.hypot(x - other[0], y - other[1]), 1);
    this.#view.zoomBy(distance(now) / distance(before), this.#view.toPlace(...other));
    this.#view.panBy((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    this.draw();
  }

  /** Zooms with Ctrl pressed, which browsers also report for a pinch; else the page scrolls. */
  #onWheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.zoom(2 ** (-event.deltaY / 120), this.#view.toPlace(...this.#position(event)));
  }

  #position(event) {
    const { left, top } = this.container.getBoundingClientRect();
    return [
      event.clientX - left - this.container.clientLeft,
      event.clientY - top - this.container.clientTop,
    ];
  }
}
