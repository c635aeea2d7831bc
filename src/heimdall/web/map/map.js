// A fix on a map: receivers, evidence, regions, estimate, truth; a graticule where there are no tiles.
import { leaflet as L } from "nicegui-leaflet";
import { loadResource } from "../../static/utils/resources.js";

const STEPS_DEG = [30, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001];
const MARKS = {
  receiver: '<svg viewBox="-12 -12 24 24"><path d="M0 -9 8 7H-8Z"/></svg>',
  estimate: '<svg viewBox="-12 -12 24 24"><circle r="5"/><path d="M0 -11v6M0 11v-6M-11 0h6M11 0h-6"/></svg>',
  truth: '<svg viewBox="-12 -12 24 24"><path d="M0 -9 9 0 0 9-9 0Z"/></svg>',
};

function text(value) {
  const span = document.createElement("span");
  span.textContent = value;
  return span.innerHTML;
}

function title(properties) {
  if (properties.kind === "estimate") return "Estimate";
  if (properties.kind === "truth") return "Truth";
  const reason = properties.used === false ? `: not used, ${properties.reason || "no reason given"}` : "";
  return `${properties.name}, clock ${properties.clock}${reason}`;
}

function mark(feature) {
  const [longitude, latitude] = feature.geometry.coordinates;
  const { kind, used, name } = feature.properties;
  const classes = `mark mark-${kind}${used === false ? " unused" : ""}`;
  const icon = L.divIcon({ className: classes, html: MARKS[kind], iconSize: [24, 24] });
  const marker = L.marker([latitude, longitude], {
    icon,
    title: title(feature.properties),
    alt: title(feature.properties),
    zIndexOffset: kind === "receiver" ? 0 : 500,
  });
  if (kind === "receiver") marker.bindTooltip(text(name), { permanent: true, direction: "right", offset: [8, 0], className: "mark-name" });
  else marker.bindTooltip(title(feature.properties), { direction: "top", offset: [0, -8] });
  return marker;
}

function region(feature) {
  const percent = Math.round(feature.properties.probability * 100);
  const shape = L.geoJSON(feature, { style: { className: `region region-${percent}` } });
  return shape.bindTooltip(`${percent} % region`, { sticky: true });
}

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

export default {
  template: '<div class="fix-map" role="application" aria-label="Map"></div>',
  props: { scene: Object, tiles: Object, evidence: Boolean, resourcePath: String },
  async mounted() {
    await this.$nextTick();
    await loadResource(`${window.path_prefix}${this.resourcePath}/leaflet/leaflet.css`);
    const map = L.map(this.$el, { center: [30, 10], zoom: 2, minZoom: 1, maxZoom: 19, worldCopyJump: true, zoomSnap: 0.25 });
    this.map = map;
    map.attributionControl.setPrefix(false);
    L.control.scale({ imperial: false, maxWidth: 140 }).addTo(map);
    if (this.tiles) L.tileLayer(this.tiles.address, { attribution: text(this.tiles.credit), maxZoom: 19 }).addTo(map);
    this.grid = L.layerGroup().addTo(map);
    this.pictures = L.layerGroup().addTo(map);
    this.shapes = L.layerGroup().addTo(map);
    map.on("moveend", () => this.drawGrid());
    map.on("dragstart zoomstart", () => {
      if (!this.fitting) this.fitted = null; // from now on the view is the reader's own
    });
    this.observer = new ResizeObserver(() => {
      map.invalidateSize();
      if (this.fitted) this.zoomTo(this.fitted);
    });
    this.observer.observe(this.$el);
    this.draw();
  },
  unmounted() {
    this.observer?.disconnect();
    this.map?.remove();
  },
  watch: {
    scene() {
      this.draw();
    },
    evidence() {
      this.drawPictures();
    },
  },
  methods: {
    draw() {
      if (!this.map) return;
      this.shapes.clearLayers();
      const order = { region: 0, receiver: 1, truth: 2, estimate: 3 };
      const features = [...this.scene.features].sort(
        (a, b) =>
          order[a.properties.kind] - order[b.properties.kind] ||
          (b.properties.probability || 0) - (a.properties.probability || 0),
      );
      for (const feature of features)
        this.shapes.addLayer(feature.properties.kind === "region" ? region(feature) : mark(feature));
      this.drawPictures();
      this.zoomTo("all");
      this.drawGrid();
      this.$el.dataset.drawn = features.map((feature) => feature.properties.kind).join(" ");
    },
    drawPictures() {
      if (!this.map) return;
      this.pictures.clearLayers();
      if (!this.evidence) return;
      for (const each of this.scene.overlays)
        this.pictures.addLayer(L.imageOverlay(each.address, each.bounds, { className: "evidence", interactive: false }));
    },
    zoomTo(what) {
      if (!this.map) return;
      const regions = this.scene.features.filter((feature) => feature.properties.kind === "region");
      const bounds = what === "region" && regions.length ? L.geoJSON(regions).getBounds().pad(0.4) : this.scene.bounds;
      if (!bounds) return;
      this.fitted = what;
      this.fitting = true;
      this.map.fitBounds(bounds, { paddingTopLeft: [16, 28], paddingBottomRight: [72, 28], animate: false });
      this.fitting = false;
    },
    drawGrid() {
      this.grid.clearLayers();
      const bounds = this.map.getBounds();
      const [south, north] = [Math.max(bounds.getSouth(), -85), Math.min(bounds.getNorth(), 85)];
      const [west, east] = [bounds.getWest(), bounds.getEast()];
      const size = this.map.getSize();
      const [across, down] = [Math.max(2, size.x / 170), Math.max(2, size.y / 170)];
      const [stepX, stepY] = [stepFor(east - west, across), stepFor(north - south, down)];
      for (const x of range(west, east, stepX)) {
        this.line([[south, x], [north, x]]);
        this.label([north, x], degrees(((((x + 180) % 360) + 360) % 360) - 180, stepX, "E", "W"), "meridian");
      }
      for (const y of range(south, north, stepY)) {
        this.line([[y, west], [y, east]]);
        this.label([y, east], degrees(y, stepY, "N", "S"), "parallel");
      }
    },
    line(points) {
      this.grid.addLayer(L.polyline(points, { className: "grid", interactive: false, weight: 1 }));
    },
    label(place, words, kind) {
      const icon = L.divIcon({ className: `grid-label ${kind}`, html: `<span>${words}</span>`, iconSize: [0, 0] });
      this.grid.addLayer(L.marker(place, { icon, interactive: false, keyboard: false }));
    },
  },
};
