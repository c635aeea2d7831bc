// What speaks for each place in view, drawn anew at every view: one hue, the more likely the more opaque. The scale is that of
// the places in view, as in the picture (formats/map_drawing.py), so that every zoom shows its bands.
import { leaflet as L } from "nicegui-leaflet";

const COARSE = 3; // pixels of the screen that are one of the picture
const ALPHA = 0.6;
const LEAST_RANGE = 8; // log-likelihoods this far below the best are at least shown as nothing
const REST = 0.3; // this part of the places in view is shown as nothing
const RADIUS_M = 6378137;
const ECCENTRICITY_SQUARED = 0.0066943799901413165;

// WGS84 degrees and height to the earth-centred frame.
function toEcef(latitude, longitude, heightM) {
  const [phi, lambda] = [(latitude * Math.PI) / 180, (longitude * Math.PI) / 180];
  const vertical = RADIUS_M / Math.sqrt(1 - ECCENTRICITY_SQUARED * Math.sin(phi) ** 2);
  const outM = (vertical + heightM) * Math.cos(phi);
  return [outM * Math.cos(lambda), outM * Math.sin(lambda), (vertical * (1 - ECCENTRICITY_SQUARED) + heightM) * Math.sin(phi)];
}

// East and north in the tangent frame of a place.
export function tangentFrame(latitude, longitude) {
  const origin = toEcef(latitude, longitude, 0);
  const [phi, lambda] = [(latitude * Math.PI) / 180, (longitude * Math.PI) / 180];
  const [sinPhi, cosPhi, sinLambda, cosLambda] = [Math.sin(phi), Math.cos(phi), Math.sin(lambda), Math.cos(lambda)];
  return (placeLatitude, placeLongitude, heightM) => {
    const ecef = toEcef(placeLatitude, placeLongitude, heightM);
    const [x, y, z] = [ecef[0] - origin[0], ecef[1] - origin[1], ecef[2] - origin[2]];
    const outwards = cosLambda * x + sinLambda * y;
    return [-sinLambda * x + cosLambda * y, cosPhi * z - sinPhi * outwards, cosPhi * outwards + sinPhi * z];
  };
}

function decoded(grid) {
  const bytes = Uint8Array.from(atob(grid.depth), (letter) => letter.charCodeAt(0));
  return new Uint16Array(bytes.buffer);
}

// A place along an axis as a fractional index of its cells; null beyond the outermost.
function fractional(middles, place) {
  const last = middles.length - 1;
  const [low, high] = [1.5 * middles[0] - 0.5 * middles[1], 1.5 * middles[last] - 0.5 * middles[last - 1]];
  if (place < low || place > high) return null;
  let [from, to] = [0, last];
  while (to - from > 1) {
    const between = (from + to) >> 1;
    if (middles[between] <= place) from = between;
    else to = between;
  }
  return from + Math.max(0, Math.min(1, (place - middles[from]) / (middles[to] - middles[from])));
}

export const Evidence = L.Layer.extend({
  initialize(grid, color) {
    this.grid = grid;
    this.color = color;
    this.values = decoded(grid);
    this.toFrame = tangentFrame(grid.latitude_deg, grid.longitude_deg);
  },
  onAdd(map) {
    this.canvas = L.DomUtil.create("canvas", "evidence leaflet-zoom-hide", map.getPane("evidence"));
    map.on("moveend resize", this.paint, this);
    this.paint();
  },
  onRemove(map) {
    map.off("moveend resize", this.paint, this);
    this.canvas.remove();
  },
  paint() {
    const size = this._map.getSize();
    const [columns, rows] = [Math.ceil(size.x / COARSE), Math.ceil(size.y / COARSE)];
    L.DomUtil.setPosition(this.canvas, this._map.containerPointToLayerPoint([0, 0]));
    Object.assign(this.canvas.style, { width: `${columns * COARSE}px`, height: `${rows * COARSE}px` });
    Object.assign(this.canvas, { width: columns, height: rows });
    const below = this.sampled(columns, rows);
    const context = this.canvas.getContext("2d");
    const picture = context.createImageData(columns, rows);
    const known = below.filter((value) => !Number.isNaN(value)).sort();
    if (!known.length) return;
    const top = known[0];
    const span = Math.max(LEAST_RANGE, known[Math.floor((1 - REST) * (known.length - 1))] - top);
    below.forEach((value, at) => {
      if (Number.isNaN(value)) return;
      picture.data.set(this.color, 4 * at);
      picture.data[4 * at + 3] = 255 * ALPHA * (1 - Math.sqrt(Math.min(1, (value - top) / span)));
    });
    context.putImageData(picture, 0, 0);
  },
  // How far below the best the log density is, pixel by pixel; NaN beyond the grid.
  sampled(columns, rows) {
    const below = new Float64Array(columns * rows).fill(NaN);
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        const place = this._map.containerPointToLatLng([(column + 0.5) * COARSE, (row + 0.5) * COARSE]);
        below[row * columns + column] = this.at(place.lat, place.lng);
      }
    return below;
  },
  at(latitude, longitude) {
    const { east_m: eastM, north_m: northM, height_m: heightM, step } = this.grid;
    const [east, north, up] = this.toFrame(latitude, longitude, heightM);
    if (up < -2e6) return NaN; // the frame says nothing of the other side of the earth
    const [x, y] = [fractional(eastM, east), fractional(northM, north)];
    if (x === null || y === null) return NaN;
    const value = (row, column) =>
      (this.values[Math.min(row, northM.length - 1) * eastM.length + Math.min(column, eastM.length - 1)] * step) ** 2;
    const [west, south] = [Math.floor(x), Math.floor(y)];
    const [right, above] = [x - west, y - south];
    return (
      (value(south, west) * (1 - right) + value(south, west + 1) * right) * (1 - above) +
      (value(south + 1, west) * (1 - right) + value(south + 1, west + 1) * right) * above
    );
  },
});
