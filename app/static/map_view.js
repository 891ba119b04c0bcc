// Which part of California a map shows, and how its degrees and pixels belong together.

const NARROWER = Math.cos((37.25 * Math.PI) / 180); // a degree of longitude, in the middle
const WHOLE = { north: 42.25, south: 32.3, west: -124.8, east: -113.9 };
const LARGEST_ZOOM = 32;

/** A plate carrée with its true proportions in the middle of the state: north is up everywhere. */
export class View {
  #zoom = 1;
  #centre = middle();
  #width = 1;
  #height = 1;

  get zoom() {
    return this.#zoom;
  }

  /** Pixels of a degree of latitude. */
  get scale() {
    const { north, south, west, east } = WHOLE;
    const fitting = Math.min(
      this.#height / (north - south),
      this.#width / ((east - west) * NARROWER),
    );
    return this.#zoom * fitting;
  }

  resize(width, height) {
    [this.#width, this.#height] = [width, height];
  }

  /** Zoom by a factor; the place stays where it is on the map, if it can. */
  zoomBy(factor, { latitude, longitude }) {
    const [x, y] = this.toPixels(latitude, longitude);
    this.#zoom = Math.min(Math.max(this.#zoom * factor, 1), LARGEST_ZOOM);
    const [newX, newY] = this.toPixels(latitude, longitude);
    this.panBy(x - newX, y - newY);
  }

  /** Move what is shown by pixels, not beyond the whole. */
  panBy(x, y) {
    if (this.#zoom === 1) {
      this.#centre = middle();
      return;
    }
    const { north, south, west, east } = WHOLE;
    const latitude = this.#centre.latitude + y / this.scale;
    const longitude = this.#centre.longitude - x / (this.scale * NARROWER);
    this.#centre = {
      latitude: Math.min(Math.max(latitude, south), north),
      longitude: Math.min(Math.max(longitude, west), east),
    };
  }

  /** Whether a place is shown, away from the edge; if not, it is moved to the middle. */
  reveal({ latitude, longitude }) {
    const [x, y] = this.toPixels(latitude, longitude);
    const margin = Math.min(this.#width, this.#height) / 12;
    const shown = x > margin && x < this.#width - margin && y > margin && y < this.#height - margin;
    if (shown || this.#zoom === 1) return true;
    this.#centre = { latitude, longitude };
    return false;
  }

  /** A pixel is (left + longitude * across, top + latitude * down). */
  get projection() {
    const { scale } = this;
    const [across, down] = [NARROWER * scale, -scale];
    return {
      across,
      down,
      left: this.#width / 2 - this.#centre.longitude * across,
      top: this.#height / 2 - this.#centre.latitude * down,
    };
  }

  toPixels(latitude, longitude) {
    const { left, top, across, down } = this.projection;
    return [left + longitude * across, top + latitude * down];
  }

  toPlace(x, y) {
    return {
      latitude: this.#centre.latitude - (y - this.#height / 2) / this.scale,
      longitude: this.#centre.longitude + (x - this.#width / 2) / (NARROWER * this.scale),
    };
  }
}

function middle() {
  return {
    latitude: (WHOLE.north + WHOLE.south) / 2,
    longitude: (WHOLE.west + WHOLE.east) / 2,
  };
}
