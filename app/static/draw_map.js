// What the map's canvas shows: land, block groups by price, a few names.

import { CITIES, OUTLINE } from "./geography.js";

export const DEAREST = 5; // 100,000 USD: the end of the data, and of the colours

const AWAY = 6; // pixels between a city's dot and its name

/** Draw a view of the block groups (null: not there yet) in a theme's colours. */
export function drawMap(context, view, { width, height, blockGroups, shades, ink }) {
  context.clearRect(0, 0, width, height);
  drawLand(context, view, ink);
  if (blockGroups) drawBlockGroups(context, view, { width, height, blockGroups, shades });
  drawNames(context, view, { width, height, ink });
}

function drawLand(context, view, ink) {
  context.beginPath();
  for (const place of OUTLINE) context.lineTo(...view.toPixels(...place));
  context.closePath();
  context.fillStyle = ink.land;
  context.fill();
  context.strokeStyle = ink.border;
  context.lineWidth = 1;
  context.lineJoin = "round";
  context.stroke();
}

/** In the file's order, from south to north: none covers another for its price. */
function drawBlockGroups(context, view, { width, height, blockGroups, shades }) {
  const { drawnLatitudes, drawnLongitudes, values, length } = blockGroups;
  const { left, top, across, down } = view.projection;
  const radius = radiusAt(view.scale);
  const step = (shades.length - 1) / DEAREST;
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

/** Grows more slowly than the map, so that points part as one looks closer. */
const radiusAt = (scale) => 0.263 * scale ** 0.35;

function drawNames(context, view, { width, height, ink }) {
  context.font = `${ink.size}px ${ink.font}`;
  context.textBaseline = "middle";
  context.lineJoin = "round";
  for (const [name, latitude, longitude, from] of CITIES) {
    if (!from || view.zoom < from) continue;
    const [x, y] = view.toPixels(latitude, longitude);
    if (x < 0 || y < 0 || x > width || y > height) continue;
    const toTheLeft = x + AWAY + context.measureText(name).width > width - AWAY;
    context.textAlign = toTheLeft ? "right" : "left";
    const at = toTheLeft ? x - AWAY : x + AWAY;
    context.strokeStyle = ink.halo;
    context.lineWidth = 3;
    context.strokeText(name, at, y);
    context.fillStyle = ink.text;
    context.fillText(name, at, y);
    context.beginPath();
    context.arc(x, y, 2, 0, 2 * Math.PI);
    context.lineWidth = 2;
    context.stroke();
    context.fill();
  }
}
