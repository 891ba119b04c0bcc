// A perceptually uniform colour scale for prices: low is cool, high is warm and contrasts most with
// the background.
//
// The colours are equally spaced along a path through OKLab (Björn Ottosson, 2020), so equal price
// differences look equal. Lightness changes monotonically, so the order is also visible to people
// with a colour vision deficiency.

const SHADES = 256;
const POINTS_PER_SEGMENT = 64;

/** The corners of the path: lightness, chroma and hue (degrees). */
const CORNERS = {
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

/** The CSS colours of a theme, "light" or "dark", from the lowest price to the highest. */
export function shades(theme) {
  return resample(toPath(CORNERS[theme])).map(toCSS);
}

/** Closely spaced OKLab points along the straight segments between the corners. */
function toPath(corners) {
  const points = [];
  for (let segment = 0; segment + 1 < corners.length; segment++) {
    for (let index = 0; index < POINTS_PER_SEGMENT; index++) {
      const fraction = index / POINTS_PER_SEGMENT;
      points.push(toLab(interpolate(corners[segment], corners[segment + 1], fraction)));
    }
  }
  return [...points, toLab(corners.at(-1))];
}

/** Points at equal distances along the path, one for each shade. */
function resample(points) {
  const lengths = [0]; // of the path up to each point
  for (let i = 1; i < points.length; i++) {
    const [start, end] = [points[i - 1], points[i]];
    lengths.push(lengths[i - 1] + Math.hypot(...start.map((value, axis) => end[axis] - value)));
  }
  let next = 1;
  return Array.from({ length: SHADES }, (_, shade) => {
    const length = (lengths.at(-1) * shade) / (SHADES - 1);
    while (next < points.length - 1 && lengths[next] < length) next++;
    const fraction = (length - lengths[next - 1]) / (lengths[next] - lengths[next - 1]);
    return interpolate(points[next - 1], points[next], fraction);
  });
}

function interpolate(start, end, fraction) {
  return start.map((value, axis) => value + (end[axis] - value) * fraction);
}

function toLab([lightness, chroma, degrees]) {
  const hue = (degrees * Math.PI) / 180;
  return [lightness, chroma * Math.cos(hue), chroma * Math.sin(hue)];
}

const toCSS = ([lightness, a, b]) =>
  `oklab(${lightness.toFixed(4)} ${a.toFixed(4)} ${b.toFixed(4)})`;
