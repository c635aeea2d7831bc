// A line between two places with what was measured, and the place that was searched for.
import { leaflet as L } from "nicegui-leaflet";
import { text } from "/static/map/marks.js";

function dot(place) {
  return L.circleMarker(place, { radius: 5, className: "measure-point", interactive: false });
}

function label(place, words) {
  const tip = { permanent: true, direction: "top", offset: [0, -8], className: "mark-name measure-label" };
  return dot(place).bindTooltip(text(words), tip);
}

export function drawMeasure(layer, measured) {
  layer.clearLayers();
  if (!measured) return;
  if (measured.path.length) layer.addLayer(L.polyline(measured.path, { className: "measure-line", interactive: false }));
  const places = measured.path.length ? [measured.path[0], measured.path[measured.path.length - 1]] : measured.points;
  places.slice(0, -1).forEach((place) => layer.addLayer(dot(place)));
  layer.addLayer(label(places[places.length - 1], measured.label));
}

export function drawSearched(layer, { latitude, longitude, name }) {
  layer.clearLayers();
  layer.addLayer(label([latitude, longitude], name));
}
