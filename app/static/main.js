// The page: a row, the models that are asked about it, and everything that shows their answers.

import { Answers } from "./prediction_cards.js";
import { Asker } from "./request_queue.js";
import { startBatch } from "./batch.js";
import { loadBlockGroups } from "./block_groups.js";
import { shades } from "./colors.js";
import { showContributions } from "./contributions.js";
import { Controls } from "./feature_controls.js";
import { copy, curlFor } from "./curl.js";
import { Curves, columnsAlong, numbersAlong } from "./what_if_chart.js";
import { byId, element } from "./dom.js";
import { FEATURES, inDollars, rounded } from "./features.js";
import { cityNear } from "./geography.js";
import { PlaceMap, isOnMap, theme } from "./map.js";
import { showReport } from "./report.js";
import { suggestPlaces } from "./place_search.js";
import { GoneError, RefusedError, askJSON, service, useKey } from "./api_client.js";
import { startTabs } from "./tabs.js";

const MOST_MODELS = 4; // side by side
const REST = 100; // milliseconds without a change, after which more than the price is asked
const START = {
  MedInc: 3.5,
  HouseAge: 29,
  AveRooms: 5.2,
  AveBedrms: 1.05,
  Population: 1166,
  AveOccup: 2.8,
  Latitude: 37.88,
  Longitude: -122.23,
};

/** The row that is asked about; a number that is none, while it is typed, is NaN. */
const row = { ...START };
let models = [];
let atHand = null; // the model whose reasons are shown
let feature = "MedInc"; // that the what-if curve is of
let blockGroups = null;
let prices = new Map(); // by model: the newest answer's
let askers = new Map(); // by model
let resting;
let reportShown = false;

const map = new PlaceMap(byId("map"), choosePlace);
const controls = new Controls(byId("features"), byId("coordinates"), {
  onChange: change,
  onAtHand: takeFeature,
});
const answers = new Answers(byId("answers"), byId("spoken"), takeModel);
const curves = new Curves(byId("curve"), (number) => {
  const { digits } = FEATURES.find(({ name }) => name === feature);
  change(feature, rounded(number, digits));
  controls.show(feature, row[feature]);
});

// --- what is asked -------------------------------------------------------------------------------

const complete = () => FEATURES.every(({ name }) => Number.isFinite(row[name]));

/** Ask every model about the row as it is now; what costs more than a price, when it rests. */
function askAll() {
  byId("curl").textContent = atHand ? curlFor(row, atHand) : "";
  for (const { name } of models) {
    if (complete()) askers.get(name).ask("price", { ...row });
    else answers.refuse(name, "Each of the eight must be a number, however one is empty.");
  }
  askMoreSoon();
}

function askMoreSoon() {
  clearTimeout(resting);
  resting = setTimeout(askMore, REST);
}

function askMore() {
  if (!complete()) return;
  for (const { name } of models) {
    const numbers = numbersAlong(marksOf(feature), row[feature]);
    askers
      .get(name)
      .ask("curve", { feature, numbers, columns: columnsAlong(row, feature, numbers) });
    if (name === atHand) askers.get(name).ask("reasons", { ...row });
  }
}

function askerOf(name) {
  const send = (path, body, signal) =>
    askJSON(`${path}?model=${encodeURIComponent(name)}`, { body, signal });
  const kinds = {
    price: {
      send: (asked, signal) => send("predict", asked, signal),
      receive: (answer) => {
        answers.show(name, answer);
        prices.set(name, answer.prediction);
        showPoint();
      },
    },
    curve: {
      send: ({ columns }, signal) => send("predict/batch", columns, signal),
      receive: (answer, asked) => curves.show(name, { ...asked, answer }),
    },
    reasons: {
      send: (asked, signal) => send("explain", asked, signal),
      receive: (answer, asked) => {
        if (name === atHand) showContributions(byId("contributions"), answer, asked);
      },
    },
  };
  return new Asker(kinds, (error) => {
    if (error instanceof RefusedError) answers.refuse(name, error.message);
    else if (!(error instanceof GoneError)) throw error;
  });
}

// --- what is chosen ------------------------------------------------------------------------------

function change(name, value) {
  if (name === "Latitude" || name === "Longitude") {
    row[name] = value;
    if (isOnMap(row.Latitude, row.Longitude)) choosePlace(row.Latitude, row.Longitude);
    else askAll();
    return;
  }
  row[name] = value;
  showPoint();
  askAll();
}

/** The place moves, and the other features go to what is typical there, unless they are held. */
function choosePlace(latitude, longitude) {
  [row.Latitude, row.Longitude] = [latitude, longitude];
  map.show(latitude, longitude);
  if (blockGroups) {
    const around = blockGroups.around(latitude, longitude);
    if (!byId("hold").checked) Object.assign(row, around.features);
    answers.setAround(around.value);
    const city = cityNear(latitude, longitude);
    byId("neighbourhood").replaceChildren(
      element("b", {}, city ? `Near ${city}. ` : ""),
      `The ${around.count} nearest block groups, up to ${rounded(around.km, around.km < 10 ? 1 : 0)} km away, had a median value of `,
      element("b", {}, inDollars(around.value)),
      " (▾ above the bands).",
    );
  }
  for (const { name } of FEATURES) controls.show(name, row[name]);
  showPoint();
  askAll();
}

function takeModel(name) {
  atHand = name;
  byId("reasons-model").textContent = name;
  controls.setRanges(models.find((model) => model.name === name).features, blockGroups?.marks);
  showPoint();
  askAll();
}

function takeFeature(name) {
  if (name === feature) return;
  feature = name;
  showPoint();
  askMoreSoon();
}

/** From where to where a feature's curve goes: the marks, or without them the training range. */
function marksOf(name) {
  const range = models
    .find((model) => model.name === atHand)
    ?.features.find((one) => one.name === name);
  return blockGroups?.marks[name] ?? [range.minimum, range.maximum];
}

function showPoint() {
  const { label } = FEATURES.find(({ name }) => name === feature);
  byId("what-if-feature").textContent = label.toLowerCase();
  controls.setAtHand(feature);
  curves.setPoint({ feature, number: row[feature], prices, atHand });
}

// --- what is there -------------------------------------------------------------------------------

/** Get what is not there yet, and ask; again when the service is back, or a key was given. */
async function start() {
  await Promise.all([meetModels(), blockGroups ?? meetBlockGroups()]);
  if (models.length) takeModel(atHand);
  if (!byId("models").hidden) openReport();
}

/** Learn which models there are. */
async function meetModels() {
  try {
    const found = (await askJSON("models")).models;
    found.sort((one, other) => other.default - one.default); // the default one first
    found.splice(MOST_MODELS);
    if (JSON.stringify(found) === JSON.stringify(models)) return;
    models = found;
  } catch (error) {
    if (error instanceof RefusedError && error.status !== 401) tellTrouble(error.message);
    return;
  }
  for (const asker of askers.values()) asker.stop();
  askers = new Map(models.map(({ name }) => [name, askerOf(name)]));
  prices = new Map();
  if (!askers.has(atHand)) atHand = models[0].name;
  answers.setModels(models, atHand);
  curves.setModels(models.map(({ name }) => name));
  reportShown = false;
}

async function meetBlockGroups() {
  try {
    blockGroups = await loadBlockGroups("page/block-groups.bin");
  } catch {
    byId("map-note").hidden = false;
    return;
  }
  byId("map-note").hidden = true;
  map.blockGroups = blockGroups;
  choosePlace(row.Latitude, row.Longitude);
}

async function openReport() {
  if (reportShown || !models.length) return;
  reportShown = true;
  byId("report-status").textContent = "The report is on its way.";
  try {
    await showReport(
      byId("metadata"),
      byId("pictures"),
      models.map(({ name }) => name),
    );
    byId("report-status").textContent = "";
  } catch (error) {
    reportShown = false;
    byId("report-status").textContent = `The report did not come. ${error.message}`;
  }
}

function tellTrouble(text) {
  byId("trouble").textContent = text;
  byId("trouble").hidden = !text;
  document.body.classList.toggle("troubled", Boolean(text));
}

service.addEventListener("gone", () =>
  tellTrouble(
    "The service does not answer. What you see may be old; this page tries again until it is back.",
  ),
);
service.addEventListener("back", () => {
  tellTrouble("");
  start();
});
service.addEventListener("key", () => {
  byId("key-form").hidden = false;
  if (byId("key").value) byId("key-note").textContent = "The service does not know this key.";
});
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey(byId("key").value.trim());
  byId("key-form").hidden = true;
  start();
});

byId("copy").addEventListener("click", async () => {
  byId("copied").textContent = await copy(byId("curl").textContent, byId("curl"));
});

function drawLegend() {
  document.querySelector(".legend-bar").style.background =
    `linear-gradient(to right in oklab, ${shades(theme())
      .filter((_, index) => index % 15 === 0)
      .join(", ")})`;
}

drawLegend();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawLegend);
document
  .querySelector(".legend-ticks")
  .append(
    ...["0", "100", "200", "300", "400", "500 and more"].map((text) => element("span", {}, text)),
  );
suggestPlaces(byId("city"), byId("cities"), choosePlace);
startBatch({ modelAtHand: () => atHand, blockGroups: () => blockGroups });
startTabs(document.querySelector("[role=tablist]"), (panel) => panel === "models" && openReport());
start();
