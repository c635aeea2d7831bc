// The fixes of many observations: points that can be picked, over the heat of how often a place was found.
import { leaflet as L } from "nicegui-leaflet";

const REACH = 28; // pixels that the heat of one fix reaches
const LEAST = 0.06;

const Heat = L.Layer.extend({
  initialize(fixes) {
    this.fixes = fixes;
  },
  onAdd(map) {
    this.canvas = L.DomUtil.create("canvas", "heat leaflet-zoom-hide", map.getPane("evidence"));
    map.on("moveend resize", this.paint, this);
    this.paint();
  },
  onRemove(map) {
    map.off("moveend resize", this.paint, this);
    this.canvas.remove();
  },
  paint() {
    const size = this._map.getSize();
    L.DomUtil.setPosition(this.canvas, this._map.containerPointToLayerPoint([0, 0]));
    Object.assign(this.canvas, { width: size.x, height: size.y });
    const context = this.canvas.getContext("2d");
    const color = getComputedStyle(document.documentElement).getPropertyValue("--evidence").trim(); // six hexadecimal digits
    context.globalAlpha = Math.max(LEAST, Math.min(0.5, 6 / this.fixes.length));
    for (const { latitude_deg: latitude, longitude_deg: longitude } of this.fixes) {
      const { x, y } = this._map.latLngToContainerPoint([latitude, longitude]);
      const glow = context.createRadialGradient(x, y, 0, x, y, REACH);
      glow.addColorStop(0, color);
      glow.addColorStop(1, `${color}00`);
      context.fillStyle = glow;
      context.fillRect(x - REACH, y - REACH, 2 * REACH, 2 * REACH);
    }
  },
});

export function drawFixes(map, layer, fixes, pick) {
  if (!fixes.length) return;
  layer.addLayer(new Heat(fixes));
  const renderer = L.canvas({ padding: 0.2 });
  for (const { latitude_deg: latitude, longitude_deg: longitude, index, name } of fixes) {
    const dot = L.circleMarker([latitude, longitude], { renderer, radius: 4, weight: 1.2, color: "#fff", fillColor: "#d9480f", fillOpacity: 0.9 });
    dot.bindTooltip(name).on("click", () => pick(index));
    layer.addLayer(dot);
  }
}
