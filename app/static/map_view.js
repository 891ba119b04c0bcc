// Converts between coordinates and pixels for the part of California that the map shows.

const LONGITUDE_SCALE = Math.cos((37.25 * Math.PI) / 180); // at the middle latitude of the state
const FULL_EXTENT = { north: 42.25, south: 32.3, west: -124.8, east: -113.9 };
const MAX_ZOOM = 32;

/** An equirectangular projection with its standard parallel in the middle of the state. */
export class MapView {
  #zoom = 1;
  #centre = middleOfState();
  #width = 1;
  #height = 1;

  get zoom() {
    return this.#zoom;
  }

  /** Pixels per degree of latitude. */
  get scale() {
    const { north, south, west, east } = FULL_EXTENT;
    const fitting = Math.min(
      this.#height / (north - south),
      this.#width / ((east - west) * LONGITUDE_SCALE),
    );
    return this.#zoom * fitting;
  }

  resize(width, height) {
    [this.#width, this.#height] = [width, height];
  }

  /** Zoom by a factor and keep the place at the same pixel, if the pan limits allow it. */
  zoomBy(factor, { latitude, longitude }) {
    const [x, y] = this.toPixels(latitude, longitude);
    this.#zoom = Math.min(Math.max(this.#zoom * factor, 1), MAX_ZOOM);
    const [newX, newY] = this.toPixels(latitude, longitude);
    this.panBy(x - newX, y - newY);
  }

  /** Pan by pixels; the centre stays within the full extent. */
  panBy(x, y) {
    if (this.#zoom === 1) {
      this.#centre = middleOfState();
      return;
    }
    const { north, south, west, east } = FULL_EXTENT;
    const latitude = this.#centre.latitude + y / this.scale;
    const longitude = this.#centre.longitude - x / (this.scale * LONGITUDE_SCALE);
    this.#centre = {
      latitude: Math.min(Math.max(latitude, south), north),
      longitude: Math.min(Math.max(longitude, west), east),
    };
  }

  /** Centre a place that is outside the view or close to its edge. Returns whether it did. */
  centreIfHidden({ latitude, longitude }) {
    const [x, y] = this.toPixels(latitude, longitude);
    const margin = Math.min(this.#width, this.#height) / 12;
    const isVisible =
      x > margin && x < this.#width - margin && y > margin && y < this.#height - margin;
    if (isVisible || this.#zoom === 1) return false;
    this.#centre = { latitude, longitude };
    return true;
  }

  /** The linear map to pixels: x = left + longitude * across, y = top + latitude * down. */
  get projection() {
    const { scale } = this;
    const [across, down] = [LONGITUDE_SCALE * scale, -scale];
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
      longitude: this.#centre.longitude + (x - this.#width / 2) / (LONGITUDE_SCALE * this.scale),
    };
  }
}

function middleOfState() {
  return {
    latitude: (FULL_EXTENT.north + FULL_EXTENT.south) / 2,
    longitude: (FULL_EXTENT.west + FULL_EXTENT.east) / 2,
  };
}
