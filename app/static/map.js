// The map: a place is chosen by a click, a drag or the keyboard.

import { shades } from "./colors.js";
import { drawMap } from "./draw_map.js";
import { rounded } from "./features.js";
import { cityNear } from "./geography.js";
import { View } from "./map_view.js";

const STEP = 0.01; // degrees: as exact as the data's places
const BOUNDS = { latitude: [32, 43], longitude: [-125, -114] }; // what the service takes
/** Whether a place is one that the service takes; never true of NaN. */
export const isOnMap = (latitude, longitude) =>
  latitude >= BOUNDS.latitude[0] &&
  latitude <= BOUNDS.latitude[1] &&
  longitude >= BOUNDS.longitude[0] &&
  longitude <= BOUNDS.longitude[1];

const dark = matchMedia("(prefers-color-scheme: dark)");

export const theme = () => (dark.matches ? "dark" : "light");

/** Calls back with the latitude and the longitude, in hundredths, of each place that is chosen. */
export class PlaceMap {
  #view = new View();
  #blockGroups = null;
  #fingers = new Map(); // by pointer: where each is
  #place = { latitude: 37.88, longitude: -122.23 };
  #frame = 0;

  constructor(container, onPlace) {
    this.canvas = container.querySelector("canvas");
    this.focus = container.querySelector(".map-focus");
    this.marker = container.querySelector(".marker");
    this.container = container;
    this.onPlace = onPlace;
    new ResizeObserver(() => this.#resize()).observe(container);
    dark.addEventListener("change", () => this.draw());
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

  /** Show a place that was chosen elsewhere. */
  show(latitude, longitude) {
    this.#place = { latitude, longitude };
    if (!this.#view.reveal(this.#place)) this.draw();
    this.#moveMarker();
  }

  zoom(factor, around = this.#place) {
    this.#view.zoomBy(factor, around);
    this.draw();
  }

  /** Before the next frame, once. */
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
    this.#draw(); // at once: a canvas that changed its size is blank
  }

  #moveMarker() {
    const [x, y] = this.#view.toPixels(this.#place.latitude, this.#place.longitude);
    this.marker.style.transform = `translate(${x}px, ${y}px)`;
    const { clientWidth: width, clientHeight: height } = this.container;
    this.marker.hidden = x < 0 || y < 0 || x > width || y > height;
    const { latitude, longitude } = this.#place;
    const city = cityNear(latitude, longitude);
    const where = `${latitude.toFixed(2)} north, ${(-longitude).toFixed(2)} west`;
    this.focus.setAttribute(
      "aria-label",
      `Map of California: ${where}${city ? `, near ${city}` : ""}`,
    );
  }

  #choose({ latitude, longitude }) {
    const within = (value, [low, high]) => rounded(Math.min(Math.max(value, low), high), 2);
    this.#place = {
      latitude: within(latitude, BOUNDS.latitude),
      longitude: within(longitude, BOUNDS.longitude),
    };
    this.#moveMarker();
    this.onPlace(this.#place.latitude, this.#place.longitude);
  }

  #onKey(event) {
    const far = event.shiftKey ? 10 * STEP : STEP;
    const [north, east] =
      { ArrowUp: [far, 0], ArrowDown: [-far, 0], ArrowRight: [0, far], ArrowLeft: [0, -far] }[
        event.key
      ] ?? [];
    if (north !== undefined) {
      const { latitude, longitude } = this.#place;
      this.#choose({ latitude: latitude + north, longitude: longitude + east });
      if (!this.#view.reveal(this.#place)) this.draw();
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
        target.addEventListener(end, (event) => this.#fingers.delete(event.pointerId));
      }
    }
    this.focus.addEventListener("wheel", (event) => this.#onWheel(event), { passive: false });
  }

  #onDown(event) {
    if (event.button !== 0) return;
    event.target.setPointerCapture(event.pointerId);
    this.focus.focus({ preventScroll: true });
    event.preventDefault();
    this.#fingers.set(event.pointerId, this.#at(event));
    if (this.#fingers.size === 1) this.#choose(this.#view.toPlace(...this.#at(event)));
  }

  /** One finger chooses, two move and zoom the map. */
  #onMove(event) {
    const before = this.#fingers.get(event.pointerId);
    if (!before) return;
    const now = this.#at(event);
    this.#fingers.set(event.pointerId, now);
    if (this.#fingers.size === 1) {
      this.#choose(this.#view.toPlace(...now));
      return;
    }
    const [other] = [...this.#fingers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    const apart = (one) => Math.max(Math.hypot(one[0] - other[0], one[1] - other[1]), 1);
    this.#view.zoomBy(apart(now) / apart(before), this.#view.toPlace(...other));
    this.#view.panBy((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    this.draw();
  }

  /** Zooms with Ctrl, as a pinch on a touchpad does; otherwise the page scrolls. */
  #onWheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.zoom(2 ** (-event.deltaY / 120), this.#view.toPlace(...this.#at(event)));
  }

  #at(event) {
    const { left, top } = this.container.getBoundingClientRect();
    return [
      event.clientX - left - this.container.clientLeft,
      event.clientY - top - this.container.clientTop,
    ];
  }
}
