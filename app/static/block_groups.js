// Reads the census block groups from block-groups.bin; training/block_groups.py has the format.

import { OTHER_FEATURES, round } from "./features.js";

const NEIGHBOURS = 16;
const KM_PER_DEGREE = 111.2; // of latitude
const GOLDEN_ANGLE = 2.39996; // radians
const SPREAD = 0.005; // degrees; coordinates in the data are multiples of 0.01

export async function loadBlockGroups(url) {
  const response = await fetch(url, { credentials: "same-origin" });
  if (!response.ok) throw new Error(`Loading ${url} failed with status ${response.status}.`);
  const inflated = response.body.pipeThrough(new DecompressionStream("gzip"));
  return new BlockGroups(await new Response(inflated).arrayBuffer());
}

/** The coordinates and features of the block groups, as typed arrays. */
export class BlockGroups {
  constructor(buffer) {
    const view = new DataView(buffer);
    const start = 4 + view.getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, start - 4)));
    const { blockGroups, places, columns, marks } = header;
    this.length = blockGroups;
    /** The 1st and 99th percentile of each feature. */
    this.marks = marks;
    this.latitudes = new Float64Array(blockGroups);
    this.longitudes = new Float64Array(blockGroups);
    /** Where the map draws them: block groups with equal coordinates are spread in a spiral. */
    this.drawnLatitudes = new Float32Array(blockGroups);
    this.drawnLongitudes = new Float32Array(blockGroups);
    this.#readPlaces(view, start, places);
    this.columns = {};
    columns.forEach((column, index) => {
      const encoded = new Uint8Array(buffer, start + 5 * places + index * blockGroups, blockGroups);
      this.columns[column.name] = decodeColumn(column, encoded);
    });
    /** Median house values in 100,000 USD. */
    this.values = this.columns.MedHouseVal;
  }

  #readPlaces(view, start, places) {
    let [latitude, longitude, index] = [0, 0, 0];
    for (let place = 0; place < places; place++) {
      latitude += view.getInt16(start + 4 * place, true);
      longitude += view.getInt16(start + 4 * place + 2, true);
      const count = view.getUint8(start + 4 * places + place);
      for (let member = 0; member < count; member++, index++) {
        const radius = count > 1 ? SPREAD * Math.sqrt((member + 0.5) / count) : 0;
        this.latitudes[index] = latitude / 100;
        this.longitudes[index] = longitude / 100;
        this.drawnLatitudes[index] = latitude / 100 + radius * Math.sin(member * GOLDEN_ANGLE);
        this.drawnLongitudes[index] = longitude / 100 + radius * Math.cos(member * GOLDEN_ANGLE);
      }
    }
  }

  /** The 16 nearest block groups and any tied with the farthest: their indices and its distance. */
  nearest(latitude, longitude) {
    const longitudeScale = Math.cos((latitude * Math.PI) / 180);
    const squaredDistances = this.latitudes.map((north, index) => {
      const east = (this.longitudes[index] - longitude) * longitudeScale;
      return (north - latitude) ** 2 + east ** 2;
    });
    const farthest = smallest(squaredDistances, NEIGHBOURS).at(-1) * (1 + 1e-9);
    const indices = [];
    squaredDistances.forEach((squared, index) => squared <= farthest && indices.push(index));
    return { indices, km: KM_PER_DEGREE * Math.sqrt(farthest) };
  }

  /** The median value and features of the nearest block groups, their number and distance. */
  mediansNear(latitude, longitude) {
    const { indices, km } = this.nearest(latitude, longitude);
    const medianOf = (column) => median(indices.map((index) => column[index]));
    return {
      count: indices.length,
      km,
      value: medianOf(this.values),
      features: Object.fromEntries(
        OTHER_FEATURES.map(({ name, digits }) => [
          name,
          round(medianOf(this.columns[name]), digits),
        ]),
      ),
    };
  }
}

function decodeColumn({ scale, minimum, maximum, steps }, encoded) {
  const decode =
    scale === "log"
      ? (step) => minimum * (maximum / minimum) ** (step / steps)
      : (step) => minimum + (maximum - minimum) * (step / steps);
  const values = Float32Array.from({ length: steps + 1 }, (_, step) => decode(step));
  return Float32Array.from(encoded, (step) => values[step]);
}

/** The smallest `count` numbers, in ascending order. */
function smallest(numbers, count) {
  const found = [];
  for (const number of numbers) {
    if (found.length === count && number >= found[count - 1]) continue;
    if (found.length === count) found.pop();
    let position = found.length;
    while (position > 0 && found[position - 1] > number) position--;
    found.splice(position, 0, number);
  }
  return found;
}

function median(values) {
  const sorted = values.sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
