// Draws the map on a canvas: land, block groups coloured by price, and city names.

import { PRICE_CAP } from "./features.js";
import { CITIES, OUTLINE } from "./geography.js";

const LABEL_OFFSET = 6; // pixels between a city's dot and its name

/** Draw the part of the map that `view` shows. `blockGroups` is null until they are loaded. */
export function drawMap(context, view, { width, height, blockGroups, shades, ink }) {
  context.clearRect(0, 0, width, height);
  drawLand(context, view, ink);
  if (blockGroups) drawBlockGroups(context, view, { width, height, blockGroups, shades });
  drawNames(context, view, { width, height, ink });
}

function drawLand(context, view, ink) {
  context.beginPath();
  for (const [latitude, longitude] of OUTLINE) {
    context.lineTo(...view.toPixels(latitude, longitude));
  }
  context.closePath();
  context.fillStyle = ink.land;
  context.fill();
  context.strokeStyle = ink.border;
  context.lineWidth = 1;
  context.lineJoin = "round";
  context.stroke();
}

/** Draws in the file's order, south to north, so that overlap does not depend on price. */
function drawBlockGroups(context, view, { width, height, blockGroups, shades }) {
  const { drawnLatitudes, drawnLongitudes, values, length } = blockGroups;
  const { left, top, across, down } = view.projection;
  const radius = radiusAt(view.scale);
  const step = (shades.length - 1) / PRICE_CAP;
  for (let index = 0; index < length; index++) {
    const x = left + drawnLongitudes[index] * across;
    const y = top + drawnLatitudes[index] * down;
    if (x < -radius || y < -radius || x > width + radius || y > height + radius) continue;
    context.fillStyle = shades[Math.min(Math.round(values[index] * step), shades.length - 1)];
    if (radius < 1.5) {
      context.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
    } else {
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fill();
    }
  }
}

/** The radius grows more slowly than the map, so that points separate when zooming in. */
const radiusAt = (scale) => 0.263 * scale ** 0.35;

function drawNames(context, view, { width, height, ink }) {
  context.font = `${ink.size}px ${ink.font}`;
  context.textBaseline = "middle";
  context.lineJoin = "round";
  for (const [name, latitude, longitude, minimumZoom] of CITIES) {
    if (!minimumZoom || view.zoom < minimumZoom) continue;
    const [x, y] = view.toPixels(latitude, longitude);
    if (x < 0 || y < 0 || x > width || y > height) continue;
    const right = x + LABEL_OFFSET + context.measureText(name).width;
    const isLeft = right > width - LABEL_OFFSET;
    context.textAlign = isLeft ? "right" : "left";
    const labelX = isLeft ? x - LABEL_OFFSET : x + LABEL_OFFSET;
    context.strokeStyle = ink.halo;
    context.lineWidth = 3;
    context.strokeText(name, labelX, y);
    context.fillStyle = ink.text;
    context.fillText(name, labelX, y);
    context.beginPath();
    context.arc(x, y, 2, 0, 2 * Math.PI);
    context.lineWidth = 2;
    context.stroke();
    context.fill();
  }
}
