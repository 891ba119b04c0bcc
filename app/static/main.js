// The entry point: holds the row and the selection, requests predictions, and connects the parts.

import {
  HttpError,
  UnavailableError,
  requestJSON,
  serviceStatus,
  setApiKey,
} from "./api_client.js";
import { initBatch } from "./batch.js";
import { loadBlockGroups } from "./block_groups.js";
import { shades } from "./colors.js";
import { showContributions } from "./contributions.js";
import { copyText, curlCommand } from "./curl.js";
import { byId, element } from "./dom.js";
import { FeatureControls } from "./feature_controls.js";
import { FEATURES, formatDollars, round } from "./features.js";
import { nearestCity } from "./geography.js";
import { PlaceMap, isInBounds, theme } from "./map.js";
import { initPlaceSearch } from "./place_search.js";
import { PredictionCards } from "./prediction_cards.js";
import { showReport } from "./report.js";
import { RequestQueue } from "./request_queue.js";
import { initTabs } from "./tabs.js";
import { WhatIfChart, sweepColumns, sweepValues } from "./what_if_chart.js";

const MAX_MODELS = 4; // shown side by side
const SETTLE_DELAY = 100; // milliseconds without a change before curves and contributions load
const INITIAL_ROW = {
  MedInc: 3.5,
  HouseAge: 29,
  AveRooms: 5.2,
  AveBedrms: 1.05,
  Population: 1166,
  AveOccup: 2.8,
  Latitude: 37.88,
  Longitude: -122.23,
};

const row = { ...INITIAL_ROW }; // an empty or invalid field is NaN
let models = [];
let selectedModel = null;
let selectedFeature = "MedInc"; // which the what-if chart varies
let blockGroups = null;
let prices = new Map(); // the latest prediction of each model, 100,000 USD
let queues = new Map(); // by model
let settleTimer;
let isReportShown = false;

const map = new PlaceMap(byId("map"), setPlace);
const controls = new FeatureControls(byId("features"), byId("coordinates"), {
  onChange: setFeature,
  onSelect: selectFeature,
});
const cards = new PredictionCards(byId("predictions"), byId("announcement"), selectModel);
const chart = new WhatIfChart(byId("curve"), (value) => {
  const { digits } = FEATURES.find(({ name }) => name === selectedFeature);
  setFeature(selectedFeature, round(value, digits));
  controls.show(selectedFeature, row[selectedFeature]);
});

// --- requests ------------------------------------------------------------------------------------

const isComplete = () => FEATURES.every(({ name }) => Number.isFinite(row[name]));

/** Request predictions for the row now, and the slower curves and contributions once it settles. */
function requestPredictions() {
  byId("curl").textContent = selectedModel ? curlCommand(row, selectedModel) : "";
  for (const { name } of models) {
    if (isComplete()) queues.get(name).submit("prediction", { ...row });
    else cards.showError(name, "Each of the eight features must be a number, got an empty field.");
  }
  scheduleDetails();
}

function scheduleDetails() {
  clearTimeout(settleTimer);
  settleTimer = setTimeout(requestDetails, SETTLE_DELAY);
}

function requestDetails() {
  if (!isComplete() || !models.length) return;
  const feature = selectedFeature;
  const values = sweepValues(sweepRange(feature), row[feature]);
  const columns = sweepColumns(row, feature, values);
  for (const { name } of models) {
    queues.get(name).submit("curve", { feature, values, columns });
    if (name === selectedModel) queues.get(name).submit("explanation", { ...row });
  }
}

function createQueue(name) {
  const send = (path, body, signal) =>
    requestJSON(`${path}?model=${encodeURIComponent(name)}`, { body, signal });
  const types = {
    prediction: {
      send: (input, signal) => send("predict", input, signal),
      receive: (response) => {
        cards.showPrediction(name, response);
        prices.set(name, response.prediction);
        updateChart();
      },
    },
    curve: {
      send: ({ columns }, signal) => send("predict/batch", columns, signal),
      receive: (predictions, { feature, values }) =>
        chart.setCurve(name, { feature, values, predictions }),
    },
    explanation: {
      send: (input, signal) => send("explain", input, signal),
      receive: (explanation, input) => {
        if (name === selectedModel) showContributions(byId("contributions"), explanation, input);
      },
    },
  };
  return new RequestQueue(types, (error) => {
    if (error instanceof HttpError) cards.showError(name, error.message);
    else if (!(error instanceof UnavailableError)) throw error;
  });
}

// --- changes by the user -------------------------------------------------------------------------

function setFeature(name, value) {
  row[name] = value;
  const isCoordinate = name === "Latitude" || name === "Longitude";
  if (isCoordinate && isInBounds(row.Latitude, row.Longitude)) {
    setPlace(row.Latitude, row.Longitude);
    return;
  }
  if (!isCoordinate) updateChart();
  requestPredictions();
}

/** Move to a place and set the other features to its local medians, unless the user keeps them. */
function setPlace(latitude, longitude) {
  [row.Latitude, row.Longitude] = [latitude, longitude];
  map.show(latitude, longitude);
  if (blockGroups) {
    const { features, value, count, km } = blockGroups.mediansNear(latitude, longitude);
    if (!byId("keep-features").checked) Object.assign(row, features);
    cards.setLocalMedian(value);
    const city = nearestCity(latitude, longitude);
    const distance = round(km, km < 10 ? 1 : 0);
    byId("neighbourhood").replaceChildren(
      element("b", {}, city ? `Near ${city}. ` : ""),
      `The ${count} nearest block groups, up to ${distance} km away, had a median value of `,
      element("b", {}, formatDollars(value)),
      " (marked ▾ on each scale).",
    );
  }
  for (const { name } of FEATURES) controls.show(name, row[name]);
  updateChart();
  requestPredictions();
}

function selectModel(name) {
  selectedModel = name;
  byId("explanation-model").textContent = name;
  controls.setRanges(models.find((model) => model.name === name).features, blockGroups?.marks);
  updateChart();
  requestPredictions();
}

function selectFeature(name) {
  if (name === selectedFeature) return;
  selectedFeature = name;
  updateChart();
  scheduleDetails();
}

/** The range of the what-if chart: the 1st to 99th percentile if known, else the training range. */
function sweepRange(name) {
  const range = models
    .find((model) => model.name === selectedModel)
    ?.features.find((feature) => feature.name === name);
  return blockGroups?.marks[name] ?? [range.minimum, range.maximum];
}

function updateChart() {
  const { label } = FEATURES.find(({ name }) => name === selectedFeature);
  byId("what-if-feature").textContent = label.toLowerCase();
  controls.setSelected(selectedFeature);
  chart.setPoint({
    feature: selectedFeature,
    value: row[selectedFeature],
    prices,
    selected: selectedModel,
  });
}

// --- loading -------------------------------------------------------------------------------------

/** Load what is missing and request predictions; runs again after an outage or with a new key. */
async function load() {
  await Promise.all([loadModels(), blockGroups ?? showBlockGroups()]);
  if (models.length) selectModel(selectedModel);
  if (!byId("models").hidden) openReport();
}

async function loadModels() {
  try {
    const loaded = (await requestJSON("models")).models;
    loaded.sort((a, b) => b.default - a.default); // the default model first
    loaded.splice(MAX_MODELS);
    if (JSON.stringify(loaded) === JSON.stringify(models)) return;
    models = loaded;
  } catch (error) {
    if (error instanceof HttpError && error.status !== 401) showAlert(error.message);
    return;
  }
  for (const queue of queues.values()) queue.cancel();
  queues = new Map(models.map(({ name }) => [name, createQueue(name)]));
  prices = new Map();
  if (!queues.has(selectedModel)) selectedModel = models[0].name;
  cards.setModels(models, selectedModel);
  chart.setModels(models.map(({ name }) => name));
  isReportShown = false;
}

async function showBlockGroups() {
  try {
    blockGroups = await loadBlockGroups("page/block-groups.bin");
  } catch {
    byId("map-note").hidden = false;
    return;
  }
  byId("map-note").hidden = true;
  map.blockGroups = blockGroups;
  setPlace(row.Latitude, row.Longitude);
}

async function openReport() {
  if (isReportShown || !models.length) return;
  isReportShown = true;
  byId("report-status").textContent = "Loading the report.";
  try {
    await showReport(
      byId("metadata"),
      byId("figures"),
      models.map(({ name }) => name),
    );
    byId("report-status").textContent = "";
  } catch (error) {
    isReportShown = false;
    byId("report-status").textContent = `The report could not be loaded. ${error.message}`;
  }
}

/** Show an alert and dim the predictions, or clear the alert if the text is empty. */
function showAlert(text) {
  byId("alert").textContent = text;
  byId("alert").hidden = !text;
  document.body.classList.toggle("has-alert", Boolean(text));
}

serviceStatus.addEventListener("unavailable", () =>
  showAlert(
    "The service does not respond. This page may show old values; it keeps trying to reconnect.",
  ),
);
serviceStatus.addEventListener("available", () => {
  showAlert("");
  load();
});
serviceStatus.addEventListener("unauthorized", () => {
  byId("key-form").hidden = false;
  if (byId("key").value) byId("key-note").textContent = "The service rejected this key.";
});
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  setApiKey(byId("key").value.trim());
  byId("key-form").hidden = true;
  load();
});

byId("copy").addEventListener("click", async () => {
  byId("copy-status").textContent = await copyText(byId("curl").textContent, byId("curl"));
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
initPlaceSearch(byId("city"), byId("cities"), setPlace);
initBatch({ getModel: () => selectedModel, getBlockGroups: () => blockGroups });
initTabs(document.querySelector("[role=tablist]"), (panel) => panel === "models" && openReport());
load();
