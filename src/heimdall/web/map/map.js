// A fix on a map: the world below, then evidence, regions, receivers, estimate and truth.
import { leaflet as L } from "nicegui-leaflet";
import { loadResource } from "../../static/utils/resources.js";
import { Evidence } from "/static/map/evidence.js";
import { drawFixes } from "/static/map/fixes.js";
import { drawGraticule } from "/static/map/graticule.js";
import { drawMeasure, drawSearched } from "/static/map/measure.js";
import { Legend, inOrder, layerOf, text } from "/static/map/marks.js";
import { Ground, loadWorld, nameCities } from "/static/map/world.js";

function paneBelow(map, name, depth) {
  map.createPane(name);
  Object.assign(map.getPane(name).style, { zIndex: depth, pointerEvents: "none" });
}

function colorOf(name) {
  const probe = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
  probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  probe.fillRect(0, 0, 1, 1);
  return probe.getImageData(0, 0, 1, 1).data.slice(0, 3);
}

export default {
  template: '<div class="fix-map" role="region" aria-label="Map"></div>',
  props: { scene: Object, tiles: Object, evidence: Boolean, measured: Object, resourcePath: String },
  emits: ["pick", "receiver", "place"],
  async mounted() {
    await this.$nextTick();
    await loadResource(`${window.path_prefix}${this.resourcePath}/leaflet/leaflet.css`);
    const map = L.map(this.$el, { center: [30, 10], zoom: 2, minZoom: 1, maxZoom: 19, worldCopyJump: true, zoomSnap: 0.25 });
    this.map = map;
    map.attributionControl.setPrefix(false);
    L.control.scale({ imperial: false, maxWidth: 140 }).addTo(map);
    paneBelow(map, "cities", 350);
    paneBelow(map, "evidence", 300);
    this.addGround();
    this.grid = L.layerGroup().addTo(map);
    this.pictures = L.layerGroup().addTo(map);
    this.shapes = L.layerGroup().addTo(map);
    this.cities = L.layerGroup().addTo(map);
    this.measure = L.layerGroup().addTo(map);
    this.searched = L.layerGroup().addTo(map);
    map.on("click", ({ latlng }) => this.$emit("place", [latlng.lat, latlng.lng]));
    this.legend = new Legend().addTo(map);
    map.on("moveend", () => this.drawSurroundings());
    map.on("dragstart zoomstart", () => {
      if (!this.fitting) this.fitted = null; // from now on the view is the reader's own
    });
    this.observer = new ResizeObserver(() => {
      map.invalidateSize();
      if (this.fitted) this.zoomTo(this.fitted);
    });
    this.observer.observe(this.$el);
    this.themes = new MutationObserver(() => {
      this.ground.redraw();
      this.drawPictures();
    });
    this.themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    this.draw();
  },
  unmounted() {
    this.observer?.disconnect();
    this.themes?.disconnect();
    this.map?.remove();
  },
  watch: {
    scene() {
      this.draw();
    },
    evidence() {
      this.drawPictures();
    },
    measured() {
      if (this.map) drawMeasure(this.measure, this.measured);
    },
  },
  methods: {
    addGround() {
      this.ground = new Ground({ maxZoom: 19 }).addTo(this.map);
      loadWorld().then((world) => this.map.attributionControl.addAttribution(text(world.credit)));
      if (this.tiles) L.tileLayer(this.tiles.address, { attribution: text(this.tiles.credit), maxZoom: 19 }).addTo(this.map);
    },
    draw() {
      if (!this.map) return;
      this.shapes.clearLayers();
      const features = inOrder(this.scene.features);
      for (const feature of features) this.shapes.addLayer(layerOf(feature, (name) => this.$emit("receiver", name)));
      const fixes = this.scene.fixes || [];
      drawFixes(this.map, this.shapes, fixes, (index) => this.$emit("pick", index));
      this.drawPictures();
      if (!this.scene.stay) this.zoomTo("all");
      this.drawSurroundings();
      this.$el.dataset.drawn = [...features.map((feature) => feature.properties.kind), ...fixes.map(() => "fix")].join(" ");
    },
    drawPictures() {
      if (!this.map) return;
      this.pictures.clearLayers();
      const grid = this.evidence ? this.scene.evidence : null;
      if (grid) this.pictures.addLayer(new Evidence(grid, colorOf("--evidence")));
      this.legend.show(this.scene.features, Boolean(grid), Boolean(this.scene.fixes?.length));
    },
    drawSurroundings() {
      drawGraticule(this.map, this.grid);
      if (!this.tiles) nameCities(this.map, this.cities, this.markedPlaces());
    },
    markedPlaces() {
      const points = this.scene.features.filter((feature) => feature.geometry.type === "Point");
      return points.map(({ geometry: { coordinates: [longitude, latitude] } }) => [latitude, longitude]);
    },
    goTo(place) {
      if (!this.map) return;
      this.fitted = null;
      drawSearched(this.searched, place);
      this.map.setView([place.latitude, place.longitude], Math.max(this.map.getZoom(), place.zoom), { animate: false });
    },
    forget() {
      this.searched?.clearLayers();
    },
    zoomTo(what) {
      if (!this.map) return;
      const regions = this.scene.features.filter((feature) => feature.properties.kind === "region");
      const bounds = what === "region" && regions.length ? L.geoJSON(regions).getBounds().pad(0.4) : this.scene.bounds;
      if (!bounds) return;
      this.fitted = what;
      this.fitting = true;
      this.fit(bounds, 16);
      if (this.legendHides()) this.fit(bounds, this.legend.getContainer().offsetWidth + 24);
      this.fitting = false;
    },
    fit(bounds, left) {
      this.map.fitBounds(bounds, { paddingTopLeft: [left, 28], paddingBottomRight: [72, 28], animate: false });
    },
    /** Whether a mark lies behind the legend, on a map that is wide enough to move it aside. */
    legendHides() {
      const [box, whole] = [this.legend.getContainer(), this.map.getContainer()].map((each) => each.getBoundingClientRect());
      if (!box.width || whole.width < 3 * box.width) return false;
      const points = this.markedPlaces().map((place) => this.map.latLngToContainerPoint(place));
      return points.some(({ x, y }) => x < box.right - whole.left && y > box.top - whole.top && x > 0 && y < whole.height);
    },
  },
};
