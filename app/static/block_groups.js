// The block groups of the census, from the file that training/block_groups.py describes.

import { OTHERS, rounded } from "./features.js";

const AROUND = 16; // block groups that tell what is typical of a place
const KILOMETRES = 111.2; // of one degree of latitude
const GOLDEN_ANGLE = 2.39996; // radians
const SPREAD = 0.005; // degrees: places are given to a hundredth

/** The file's block groups; throws where it cannot be had. */
export async function loadBlockGroups(address) {
  const response = await fetch(address, { credentials: "same-origin" });
  if (!response.ok) throw new Error(`The map’s points cannot be had (${response.status}).`);
  const inflated = response.body.pipeThrough(new DecompressionStream("gzip"));
  return new BlockGroups(await new Response(inflated).arrayBuffer());
}

/** Where the block groups are and what they have, a typed array for each. */
export class BlockGroups {
  constructor(buffer) {
    const view = new DataView(buffer);
    const start = 4 + view.getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, start - 4)));
    const { blockGroups, places, columns, marks } = header;
    this.length = blockGroups;
    /** What 1 % and 99 % of all block groups are below, by feature. */
    this.marks = marks;
    this.latitudes = new Float64Array(blockGroups);
    this.longitudes = new Float64Array(blockGroups);
    /** Where to draw each: those that share a place stand around it, within its hundredth. */
    this.drawnLatitudes = new Float32Array(blockGroups);
    this.drawnLongitudes = new Float32Array(blockGroups);
    this.#readPlaces(view, start, places);
    this.columns = {};
    columns.forEach((column, index) => {
      const steps = new Uint8Array(buffer, start + 5 * places + index * blockGroups, blockGroups);
      this.columns[column.name] = fromSteps(column, steps);
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
      for (let one = 0; one < count; one++, index++) {
        const away = count > 1 ? SPREAD * Math.sqrt((one + 0.5) / count) : 0;
        this.latitudes[index] = latitude / 100;
        this.longitudes[index] = longitude / 100;
        this.drawnLatitudes[index] = latitude / 100 + away * Math.sin(one * GOLDEN_ANGLE);
        this.drawnLongitudes[index] = longitude / 100 + away * Math.cos(one * GOLDEN_ANGLE);
      }
    }
  }

  /** The nearest block groups to a place, and all that are no farther: indices, and km of the last. */
  nearest(latitude, longitude) {
    const narrower = Math.cos((latitude * Math.PI) / 180);
    const squares = this.latitudes.map((north, index) => {
      const east = (this.longitudes[index] - longitude) * narrower;
      return (north - latitude) ** 2 + east ** 2;
    });
    const farthest = smallest(squares, AROUND).at(-1) * (1 + 1e-9);
    const indices = [];
    squares.forEach((square, index) => square <= farthest && indices.push(index));
    return { indices, km: KILOMETRES * Math.sqrt(farthest) };
  }

  /** The medians of what the block groups around a place have, and how far they are. */
  around(latitude, longitude) {
    const { indices, km } = this.nearest(latitude, longitude);
    const medianOf = (column) => median(indices.map((index) => column[index]));
    return {
      count: indices.length,
      km,
      value: medianOf(this.values),
      features: Object.fromEntries(
        OTHERS.map(({ name, digits }) => [name, rounded(medianOf(this.columns[name]), digits)]),
      ),
    };
  }
}

function fromSteps({ scale, minimum, maximum, steps }, taken) {
  const share = (step) => step / steps;
  const value =
    scale === "log"
      ? (step) => minimum * (maximum / minimum) ** share(step)
      : (step) => minimum + (maximum - minimum) * share(step);
  const values = Float32Array.from({ length: steps + 1 }, (_, step) => value(step));
  return Float32Array.from(taken, (step) => values[step]);
}

/** The smallest numbers, ascending. */
function smallest(numbers, count) {
  const found = [];
  for (const number of numbers) {
    if (found.length === count && number >= found[count - 1]) continue;
    if (found.length === count) found.pop();
    let at = found.length;
    while (at > 0 && found[at - 1] > number) at--;
    found.splice(at, 0, number);
  }
  return found;
}

function median(values) {
  const sorted = values.sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
