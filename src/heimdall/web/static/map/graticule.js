// Meridians and parallels at round degrees, with their names at the edge.
import { leaflet as L } from "nicegui-leaflet";

const STEPS_DEG = [30, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001];
const APART = 170; // pixels between two lines, about

function stepFor(spanDeg, count) {
  return STEPS_DEG.find((step) => spanDeg / step >= count) || STEPS_DEG[STEPS_DEG.length - 1];
}

function degrees(value, step, positive, negative) {
  const digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  const side = Math.abs(value) < step / 2 ? "" : value > 0 ? ` ${positive}` : ` ${negative}`;
  return `${Math.abs(value).toFixed(digits)}°${side}`;
}

function range(low, high, step) {
  const values = [];
  for (let index = Math.ceil(low / step); index * step <= high; index++) values.push(index * step);
  return values;
}

function line(points) {
  return L.polyline(points, { className: "grid", interactive: false, weight: 1 });
}

function label(place, words, kind) {
  const icon = L.divIcon({ className: `grid-label ${kind}`, html: `<span>${words}</span>`, iconSize: [0, 0] });
  return L.marker(place, { icon, interactive: false, keyboard: false });
}

export function drawGraticule(map, layer) {
  layer.clearLayers();
  const bounds = map.getBounds();
  const [south, north] = [Math.max(bounds.getSouth(), -85), Math.min(bounds.getNorth(), 85)];
  const [west, east] = [bounds.getWest(), bounds.getEast()];
  const size = map.getSize();
  const stepX = stepFor(east - west, Math.max(2, size.x / APART));
  const stepY = stepFor(north - south, Math.max(2, size.y / APART));
  for (const x of range(west, east, stepX)) {
    layer.addLayer(line([[south, x], [north, x]]));
    layer.addLayer(label([north, x], degrees(((((x + 180) % 360) + 360) % 360) - 180, stepX, "E", "W"), "meridian"));
  }
  for (const y of range(south, north, stepY)) {
    layer.addLayer(line([[y, west], [y, east]]));
    layer.addLayer(label([y, east], degrees(y, stepY, "N", "S"), "parallel"));
  }
}
