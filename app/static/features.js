// The eight features: labels, units and formatting. Names and units are those of the data set.

/**
 * @typedef {object} Feature
 * @property {string} name  the name in requests
 * @property {string} label
 * @property {string} unit
 * @property {number} digits  decimal places of a value that the page sets
 * @property {(value: number) => string} describe  a value with its unit, in words
 * @property {boolean} [showDescription]  whether to show the description beside the unit
 */

const format = (value, digits = 0) =>
  value.toLocaleString("en-US", { maximumFractionDigits: digits });

/** @type {Feature[]} In the order of the model's inputs. */
export const FEATURES = [
  {
    name: "MedInc",
    label: "Median household income",
    unit: "10,000 US dollars a year",
    digits: 2,
    showDescription: true,
    describe: (value) => `${format(value * 10_000)} dollars a year`,
  },
  {
    name: "HouseAge",
    label: "Median age of the houses",
    unit: "years",
    digits: 0,
    describe: (value) => `${format(value, 1)} years old`,
  },
  {
    name: "AveRooms",
    label: "Average number of rooms",
    unit: "rooms per household",
    digits: 2,
    describe: (value) => `${format(value, 2)} rooms per household`,
  },
  {
    name: "AveBedrms",
    label: "Average number of bedrooms",
    unit: "bedrooms per household",
    digits: 2,
    describe: (value) => `${format(value, 2)} bedrooms per household`,
  },
  {
    name: "Population",
    label: "Population",
    unit: "people in the block group",
    digits: 0,
    describe: (value) => `${format(value)} people`,
  },
  {
    name: "AveOccup",
    label: "Average household size",
    unit: "people per household",
    digits: 2,
    describe: (value) => `${format(value, 2)} people per household`,
  },
  {
    name: "Latitude",
    label: "Latitude",
    unit: "degrees north",
    digits: 2,
    describe: (value) => `${format(value, 2)} degrees north`,
  },
  {
    name: "Longitude",
    label: "Longitude",
    unit: "degrees east; California’s are negative",
    digits: 2,
    describe: (value) => `${format(-value, 2)} degrees west`,
  },
];

/** Where the data cap house values, in 100,000 USD; the scales of prices end there. */
export const PRICE_CAP = 5;

export const LOCATION_FEATURES = FEATURES.slice(6);
export const OTHER_FEATURES = FEATURES.slice(0, 6);

/** Format a value in 100,000 USD as dollars, rounded to the nearest hundred. */
export function formatDollars(value) {
  const hundreds = Math.round(value * 1000);
  return `${hundreds < 0 ? "−" : ""}$${format(Math.abs(hundreds) * 100)}`;
}

/** Format a difference in hundreds of dollars as dollars, with its sign. */
export function formatDifference(hundreds) {
  const sign = hundreds > 0 ? "+" : hundreds < 0 ? "−" : "±";
  return `${sign}$${format(Math.abs(hundreds) * 100)}`;
}

/** Round to a number of decimal places. */
export function round(value, digits) {
  return Number(value.toFixed(digits));
}
