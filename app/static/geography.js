// A coarse outline of California and its cities. Coordinates are [latitude, longitude] in degrees.

/** A polygon: the coast from north to south, then the inland border from south to north. */
export const OUTLINE = [
  [42.0, -124.21], // Oregon's border
  [41.75, -124.23], // Crescent City
  [41.46, -124.07],
  [41.06, -124.15], // Trinidad Head
  [40.8, -124.2], // Humboldt Bay
  [40.44, -124.41], // Cape Mendocino
  [40.26, -124.36], // Punta Gorda
  [40.02, -124.08], // Shelter Cove
  [39.7, -123.81],
  [39.3, -123.81], // Mendocino
  [38.96, -123.74], // Point Arena
  [38.7, -123.45],
  [38.5, -123.26],
  [38.3, -123.06], // Bodega Head
  [38.22, -122.96],
  [38.0, -123.02], // Point Reyes
  [37.99, -122.82],
  [37.9, -122.7], // Bolinas
  [37.82, -122.53], // the Golden Gate
  [37.7, -122.5],
  [37.5, -122.49], // Half Moon Bay
  [37.18, -122.4],
  [36.95, -122.06], // Santa Cruz
  [36.96, -121.89],
  [36.8, -121.79], // Moss Landing
  [36.61, -121.86],
  [36.63, -121.94], // Monterey
  [36.52, -121.95],
  [36.3, -121.9], // Point Sur
  [36.0, -121.5],
  [35.66, -121.25], // San Simeon
  [35.44, -120.9],
  [35.35, -120.86], // Morro Bay
  [35.25, -120.89],
  [35.16, -120.68], // Pismo Beach
  [34.9, -120.66],
  [34.72, -120.61],
  [34.57, -120.65], // Point Arguello
  [34.45, -120.47], // Point Conception
  [34.47, -120.1],
  [34.41, -119.85],
  [34.4, -119.6], // Santa Barbara
  [34.27, -119.3], // Ventura
  [34.14, -119.2],
  [34.0, -118.81], // Point Dume
  [34.03, -118.55],
  [33.95, -118.45],
  [33.8, -118.41], // Palos Verdes
  [33.71, -118.29],
  [33.75, -118.12],
  [33.6, -117.9], // Newport Beach
  [33.45, -117.7], // Dana Point
  [33.2, -117.39], // Oceanside
  [32.85, -117.28], // La Jolla
  [32.67, -117.24], // Point Loma
  [32.53, -117.12], // Mexico's border
  [32.72, -114.72], // the Colorado River
  [32.76, -114.53],
  [33.03, -114.5],
  [33.4, -114.72],
  [33.68, -114.52],
  [34.0, -114.45],
  [34.17, -114.25],
  [34.3, -114.14], // Parker Dam
  [34.45, -114.36],
  [34.72, -114.48],
  [35.0, -114.63], // Nevada's corner
  [39.0, -120.0], // Lake Tahoe
  [42.0, -120.0],
];

/** Name, latitude, longitude, and the zoom from which the map shows the name (0: never). */
export const CITIES = [
  ["Alturas", 41.49, -120.54, 4],
  ["Anaheim", 33.84, -117.91, 8],
  ["Bakersfield", 35.37, -119.02, 1],
  ["Barstow", 34.9, -117.02, 2],
  ["Berkeley", 37.87, -122.27, 8],
  ["Beverly Hills", 34.07, -118.4, 8],
  ["Bishop", 37.36, -118.4, 2],
  ["Blythe", 33.61, -114.6, 2],
  ["Burbank", 34.18, -118.31, 0],
  ["Chico", 39.73, -121.84, 2],
  ["Compton", 33.9, -118.22, 8],
  ["Crescent City", 41.76, -124.2, 2],
  ["Davis", 38.54, -121.74, 4],
  ["El Centro", 32.79, -115.56, 2],
  ["Escondido", 33.12, -117.09, 4],
  ["Eureka", 40.8, -124.16, 1],
  ["Fremont", 37.55, -121.99, 4],
  ["Fresno", 36.74, -119.79, 1],
  ["Glendale", 34.14, -118.26, 0],
  ["Irvine", 33.68, -117.83, 4],
  ["Lancaster", 34.7, -118.14, 4],
  ["Long Beach", 33.78, -118.19, 4],
  ["Los Angeles", 34.05, -118.25, 1],
  ["Mammoth Lakes", 37.65, -118.97, 4],
  ["Merced", 37.3, -120.48, 2],
  ["Modesto", 37.64, -121.0, 2],
  ["Monterey", 36.6, -121.89, 2],
  ["Napa", 38.3, -122.29, 4],
  ["Needles", 34.85, -114.61, 2],
  ["Newport Beach", 33.61, -117.9, 0],
  ["Oakland", 37.8, -122.27, 4],
  ["Oceanside", 33.2, -117.37, 4],
  ["Oxnard", 34.2, -119.18, 4],
  ["Palm Springs", 33.82, -116.54, 2],
  ["Palmdale", 34.58, -118.12, 0],
  ["Palo Alto", 37.44, -122.14, 8],
  ["Pasadena", 34.15, -118.14, 4],
  ["Redding", 40.59, -122.39, 1],
  ["Richmond", 37.94, -122.35, 0],
  ["Riverside", 33.95, -117.4, 4],
  ["Sacramento", 38.58, -121.49, 1],
  ["Salinas", 36.68, -121.66, 4],
  ["San Bernardino", 34.11, -117.29, 2],
  ["San Diego", 32.72, -117.16, 1],
  ["San Francisco", 37.77, -122.42, 1],
  ["San José", 37.34, -121.89, 2],
  ["San Luis Obispo", 35.28, -120.66, 2],
  ["San Mateo", 37.56, -122.32, 8],
  ["Santa Ana", 33.75, -117.87, 8],
  ["Santa Barbara", 34.42, -119.7, 2],
  ["Santa Cruz", 36.97, -122.03, 4],
  ["Santa Monica", 34.02, -118.49, 8],
  ["Santa Rosa", 38.44, -122.71, 2],
  ["South Lake Tahoe", 38.94, -119.98, 2],
  ["Stockton", 37.96, -121.29, 4],
  ["Susanville", 40.42, -120.65, 2],
  ["Tulare", 36.21, -119.35, 8],
  ["Ukiah", 39.15, -123.21, 2],
  ["Vallejo", 38.1, -122.26, 8],
  ["Visalia", 36.33, -119.29, 2],
  ["Yreka", 41.73, -122.63, 2],
  ["Yuba City", 39.14, -121.62, 4],
];

const MAX_DISTANCE = 0.35; // degrees of latitude
const LONGITUDE_SCALE = 0.8; // the length of a degree of longitude, in degrees of latitude

/** The name of the nearest city within MAX_DISTANCE, or null. */
export function nearestCity(latitude, longitude) {
  let nearest = null;
  let shortest = MAX_DISTANCE;
  for (const [name, north, east] of CITIES) {
    const distance = Math.hypot(north - latitude, (east - longitude) * LONGITUDE_SCALE);
    if (distance < shortest) [nearest, shortest] = [name, distance];
  }
  return nearest;
}
