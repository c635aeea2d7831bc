// Receivers, estimate, truth, regions and many fixes at once; and what each sign means.
import { leaflet as L } from "nicegui-leaflet";

const MARKS = {
  receiver: '<svg viewBox="-12 -12 24 24" aria-hidden="true"><path d="M0 -9 8 7H-8Z"/></svg>',
  estimate: '<svg viewBox="-12 -12 24 24" aria-hidden="true"><circle r="5"/><path d="M0 -11v6M0 11v-6M-11 0h6M11 0h-6"/></svg>',
  truth: '<svg viewBox="-12 -12 24 24" aria-hidden="true"><path d="M0 -9 9 0 0 9-9 0Z"/></svg>',
};
const ORDER = { region: 0, receiver: 1, truth: 2, estimate: 3 };

export function text(value) {
  const span = document.createElement("span");
  span.textContent = value;
  return span.innerHTML;
}

function title(properties) {
  if (properties.kind === "estimate") return "Estimate";
  if (properties.kind === "truth") return "Truth";
  if (properties.title) return properties.title;
  const reason = properties.used === false ? `: not used, ${properties.reason || "no reason given"}` : "";
  return `${properties.name}, clock ${properties.clock}${reason}`;
}

function mark(feature, pick) {
  const [longitude, latitude] = feature.geometry.coordinates;
  const { kind, used, name } = feature.properties;
  const classes = `mark mark-${kind}${used === false ? " unused" : ""}${feature.properties.chosen ? " chosen" : ""}`;
  const icon = L.divIcon({ className: classes, html: MARKS[kind], iconSize: [24, 24] });
  const marker = L.marker([latitude, longitude], {
    icon,
    title: title(feature.properties),
    alt: title(feature.properties),
    zIndexOffset: kind === "receiver" ? 0 : 500,
  });
  // Leaflet names only pictures; these marks are drawn, so their name has to be said.
  marker.on("add", () => {
    marker.getElement().setAttribute("aria-label", title(feature.properties));
    marker.getElement().setAttribute("role", feature.properties.title ? "button" : "img");
  });
  if (kind === "receiver") marker.on("click", () => pick(name)).on("keypress", ({ originalEvent: { key } }) => key === "Enter" && pick(name));
  if (kind === "receiver") marker.bindTooltip(text(name), { permanent: true, direction: "right", offset: [8, 0], className: "mark-name" });
  else marker.bindTooltip(title(feature.properties), { direction: "top", offset: [0, -8] });
  return marker;
}

function region(feature) {
  const percent = Math.round(feature.properties.probability * 100);
  const shape = L.geoJSON(feature, { style: { className: `region region-${percent}` } });
  return shape.bindTooltip(`${percent} % region`, { sticky: true });
}

export function inOrder(features) {
  return [...features].sort(
    (a, b) =>
      ORDER[a.properties.kind] - ORDER[b.properties.kind] || (b.properties.probability || 0) - (a.properties.probability || 0),
  );
}

export function layerOf(feature, pick) {
  return feature.properties.kind === "region" ? region(feature) : mark(feature, pick);
}

// What is on the map now, each sign with its meaning.
export const Legend = L.Control.extend({
  options: { position: "bottomleft" },
  onAdd() {
    this.box = L.DomUtil.create("ul", "legend");
    this.box.setAttribute("aria-label", "Legend");
    return this.box;
  },
  show(features, evidence, fixes) {
    const kinds = new Set(features.map(({ properties: { kind, probability, used } }) =>
      kind === "region" ? `region-${Math.round(probability * 100)}` : used === false ? "unused" : kind));
    if (features.some(({ properties: { chosen } }) => chosen)) kinds.add("chosen");
    const rows = [
      ["receiver", `<b class="mark mark-receiver">${MARKS.receiver}</b>`, "receiver"],
      ["chosen", `<b class="mark mark-receiver chosen">${MARKS.receiver}</b>`, "receiver, to be recorded"],
      ["unused", `<b class="mark mark-receiver unused">${MARKS.receiver}</b>`, "receiver, not used"],
      ["estimate", `<b class="mark mark-estimate">${MARKS.estimate}</b>`, "estimate"],
      ["truth", `<b class="mark mark-truth">${MARKS.truth}</b>`, "truth"],
      ["region-68", '<b class="swatch swatch-68"></b>', "68 % region"],
      ["region-95", '<b class="swatch swatch-95"></b>', "95 % region"],
    ].filter(([kind]) => kinds.has(kind));
    if (evidence) rows.push(["evidence", '<b class="swatch swatch-evidence"></b>', "evidence: the stronger the colour, the likelier the place, among those in view"]);
    if (fixes) rows.push(["fix", '<b class="swatch swatch-fix"></b>', "fix of one observation"]);
    this.box.innerHTML = rows.map(([, sign, name]) => `<li>${sign}<span>${name}</span></li>`).join("");
    this.box.hidden = !rows.length;
  },
});
