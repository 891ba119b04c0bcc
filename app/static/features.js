// The eight features as people read them. Names and units are the data set's own, as on the wire.

/**
 * @typedef {object} Feature
 * @property {string} name  its name on the wire
 * @property {string} label
 * @property {string} unit  written out
 * @property {number} digits  behind the point, of what the page itself chooses
 * @property {(value: number) => string} words  a value as it would be said
 * @property {boolean} [translated]  whether that says more than the number and its unit
 */

const number = (value, digits = 0) =>
  value.toLocaleString("en-US", { maximumFractionDigits: digits });

/** @type {Feature[]} In the order of the model's columns. */
export const FEATURES = [
  {
    name: "MedInc",
    label: "Median household income",
    unit: "10,000 US dollars a year",
    digits: 2,
    translated: true,
    words: (value) => `${number(value * 10_000)} dollars a year`,
  },
  {
    name: "HouseAge",
    label: "Median age of the houses",
    unit: "years",
    digits: 0,
    words: (value) => `${number(value, 1)} years old`,
  },
  {
    name: "AveRooms",
    label: "Average number of rooms",
    unit: "rooms per household",
    digits: 2,
    words: (value) => `${number(value, 2)} rooms per household`,
  },
  {
    name: "AveBedrms",
    label: "Average number of bedrooms",
    unit: "bedrooms per household",
    digits: 2,
    words: (value) => `${number(value, 2)} bedrooms per household`,
  },
  {
    name: "Population",
    label: "Population",
    unit: "people in the block group",
    digits: 0,
    words: (value) => `${number(value)} people`,
  },
  {
    name: "AveOccup",
    label: "Average household size",
    unit: "people per household",
    digits: 2,
    words: (value) => `${number(value, 2)} people per household`,
  },
  {
    name: "Latitude",
    label: "Latitude",
    unit: "degrees north",
    digits: 2,
    words: (value) => `${number(value, 2)} degrees north`,
  },
  {
    name: "Longitude",
    label: "Longitude",
    unit: "degrees east; California’s are negative",
    digits: 2,
    words: (value) => `${number(-value, 2)} degrees west`,
  },
];

export const PLACE = FEATURES.slice(6);
export const OTHERS = FEATURES.slice(0, 6);

/** Dollars of 1990, to the hundred, from a value in 100,000 USD. */
export function inDollars(value) {
  const hundreds = Math.round(value * 1000);
  return `${hundreds < 0 ? "−" : ""}$${number(Math.abs(hundreds) * 100)}`;
}

/** The same with its sign, as a difference. */
export function asDifference(hundreds) {
  const sign = hundreds > 0 ? "+" : hundreds < 0 ? "−" : "±";
  return `${sign}$${number(Math.abs(hundreds) * 100)}`;
}

export function rounded(value, digits) {
  return Number(value.toFixed(digits));
}
