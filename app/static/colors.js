// A scale of colours for prices: cool is cheap, warm is dear, and dear stands out from the ground.
//
// Equal steps of price are equal steps of colour as the eye sees them: the path through OKLab
// (Björn Ottosson, 2020) is walked at an even pace. The lightness only ever rises, or only ever
// falls, so that whoever sees fewer hues, or none, still reads it in the right order.

const SHADES = 256;
const PIECES = 64; // of each leg, to measure its length

/** Lightness, chroma and hue (degrees) of the corners of the path. */
const legs = {
  light: [
    [0.8, 0.08, 228],
    [0.68, 0.12, 275],
    [0.54, 0.17, 330],
    [0.42, 0.15, 375],
    [0.28, 0.08, 400],
  ],
  dark: [
    [0.36, 0.11, 270],
    [0.5, 0.16, 310],
    [0.66, 0.17, 375],
    [0.79, 0.13, 420],
    [0.93, 0.11, 462],
  ],
};

/** The shades of a theme, "light" or "dark", from cheap to dear, as CSS colours. */
export function shades(theme) {
  return evenly(path(legs[theme])).map(toCSS);
}

/** Points of OKLab along the corners, close together. */
function path(corners) {
  const points = [];
  for (let leg = 0; leg + 1 < corners.length; leg++) {
    for (let piece = 0; piece < PIECES; piece++) {
      points.push(toLab(between(corners[leg], corners[leg + 1], piece / PIECES)));
    }
  }
  return [...points, toLab(corners.at(-1))];
}

/** As many points as there are shades, equally far from each other along a path. */
function evenly(points) {
  const travelled = [0];
  for (let i = 1; i < points.length; i++) {
    const [one, other] = [points[i - 1], points[i]];
    travelled.push(travelled[i - 1] + Math.hypot(...one.map((value, axis) => other[axis] - value)));
  }
  let next = 1;
  return Array.from({ length: SHADES }, (_, shade) => {
    const wanted = (travelled.at(-1) * shade) / (SHADES - 1);
    while (next < points.length - 1 && travelled[next] < wanted) next++;
    const share = (wanted - travelled[next - 1]) / (travelled[next] - travelled[next - 1]);
    return between(points[next - 1], points[next], share);
  });
}

function between(one, other, share) {
  return one.map((value, axis) => value + (other[axis] - value) * share);
}

function toLab([lightness, chroma, degrees]) {
  const hue = (degrees * Math.PI) / 180;
  return [lightness, chroma * Math.cos(hue), chroma * Math.sin(hue)];
}

const toCSS = ([lightness, a, b]) =>
  `oklab(${lightness.toFixed(4)} ${a.toFixed(4)} ${b.toFixed(4)})`;
