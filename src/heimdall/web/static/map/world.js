// The world without a network: land, lakes, rivers and borders drawn tile by tile, and the names of cities.
import { leaflet as L } from "nicegui-leaflet";

const ADDRESS = "/static/map/world.json";
const TILE = 256;
const ROOM = 8; // pixels round a tile that are drawn too, so that no line ends at its edge
const NAMES_FROM_ZOOM = 3;
const LETTER = 6.6; // width of a letter of a city's name in pixels, about
const MARK = 14; // half of a mark's width in pixels
let loading = null;

function mercator([longitude, latitude]) {
  const sine = Math.sin((Math.max(-85.05, Math.min(85.05, latitude)) * Math.PI) / 180);
  return [longitude / 360 + 0.5, 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)];
}

function unpacked(line, step) {
  const points = new Float64Array(line.length);
  let [x, y] = [0, 0];
  for (let at = 0; at < line.length; at += 2) {
    x += line[at];
    y += line[at + 1];
    [points[at], points[at + 1]] = mercator([x * step, y * step]);
  }
  return points;
}

function shape(lines, step) {
  const rings = lines.map((line) => unpacked(line, step));
  const box = [1, 1, 0, 0];
  for (const ring of rings)
    for (let at = 0; at < ring.length; at += 2) {
      box[0] = Math.min(box[0], ring[at]);
      box[1] = Math.min(box[1], ring[at + 1]);
      box[2] = Math.max(box[2], ring[at]);
      box[3] = Math.max(box[3], ring[at + 1]);
    }
  return { rings, box };
}

export function loadWorld() {
  loading ??= fetch(ADDRESS)
    .then((answer) => answer.json())
    .then((world) => ({
      credit: world.credit,
      land: world.land.map((polygon) => shape(polygon, world.step_deg)),
      lakes: world.lakes.map((polygon) => shape(polygon, world.step_deg)),
      rivers: world.rivers.map((line) => shape([line], world.step_deg)),
      borders: world.borders.map((line) => shape([line], world.step_deg)),
      cities: world.cities,
    }));
  return loading;
}

// One side of the box after the other (Sutherland and Hodgman 1974).
function clipped(points, low, high) {
  for (const axis of [0, 1])
    for (const [limit, inward] of [[low[axis], 1], [high[axis], -1]]) {
      const kept = [];
      for (let at = 0; at < points.length; at++) {
        const [from, to] = [points[(at + points.length - 1) % points.length], points[at]];
        const [before, after] = [inward * (from[axis] - limit), inward * (to[axis] - limit)];
        if (before < 0 !== after < 0) {
          const share = before / (before - after);
          kept.push([from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])]);
        }
        if (after >= 0) kept.push(to);
      }
      points = kept;
    }
  return points;
}

function placed(ring, scale, left, top) {
  const points = [];
  let last = [Infinity, Infinity];
  for (let at = 0; at < ring.length; at += 2) {
    const point = [ring[at] * scale - left, ring[at + 1] * scale - top];
    if (Math.abs(point[0] - last[0]) + Math.abs(point[1] - last[1]) < 0.7 && at < ring.length - 2) continue;
    points.push(point);
    last = point;
  }
  return points;
}

class Brush {
  constructor(canvas, coords) {
    const sharp = window.devicePixelRatio || 1;
    canvas.width = canvas.height = TILE * sharp;
    this.context = canvas.getContext("2d");
    this.context.scale(sharp, sharp);
    this.scale = TILE * 2 ** coords.z;
    this.left = (((coords.x % 2 ** coords.z) + 2 ** coords.z) % 2 ** coords.z) * TILE;
    this.top = coords.y * TILE;
  }

  seen({ box }) {
    const near = (low, high, start) => high * this.scale > start - ROOM && low * this.scale < start + TILE + ROOM;
    return near(box[0], box[2], this.left) && near(box[1], box[3], this.top);
  }

  fill(shapes, color) {
    this.context.fillStyle = color;
    this.context.beginPath();
    for (const each of shapes)
      if (this.seen(each))
        for (const ring of each.rings)
          this.path(clipped(placed(ring, this.scale, this.left, this.top), [-ROOM, -ROOM], [TILE + ROOM, TILE + ROOM]));
    this.context.fill("evenodd");
  }

  stroke(shapes, color, width, dash = []) {
    this.context.strokeStyle = color;
    this.context.lineWidth = width;
    this.context.setLineDash(dash);
    this.context.beginPath();
    for (const each of shapes)
      if (this.seen(each)) for (const ring of each.rings) this.line(placed(ring, this.scale, this.left, this.top));
    this.context.stroke();
  }

  path(points) {
    points.forEach(([x, y], at) => (at ? this.context.lineTo(x, y) : this.context.moveTo(x, y)));
    this.context.closePath();
  }

  line(points) {
    for (let at = 1; at < points.length; at++) {
      const [from, to] = [points[at - 1], points[at]];
      const beside = (axis) =>
        (from[axis] < -ROOM && to[axis] < -ROOM) || (from[axis] > TILE + ROOM && to[axis] > TILE + ROOM);
      if (beside(0) || beside(1) || this.atDateLine(from, to)) continue;
      this.context.moveTo(...from);
      this.context.lineTo(...to);
    }
  }

  // Where Natural Earth cuts its land in two there is no coast.
  atDateLine(from, to) {
    const onEdge = ([x]) => Math.min(x + this.left, this.scale - x - this.left) < 1e-6 * this.scale;
    return onEdge(from) && onEdge(to);
  }
}

export const Ground = L.GridLayer.extend({
  createTile(coords, done) {
    const canvas = L.DomUtil.create("canvas", "ground");
    loadWorld().then((world) => {
      this.paint(world, new Brush(canvas, coords));
      done(null, canvas);
    }, done);
    return canvas;
  },
  paint(world, brush) {
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(name).trim();
    brush.fill(world.land, color("--map-land"));
    brush.fill(world.lakes, color("--map"));
    if (brush.scale > TILE * 8) brush.stroke(world.rivers, color("--map-water"), 1);
    brush.stroke(world.borders, color("--map-border"), 1, [5, 3]);
    brush.stroke(world.land, color("--map-coast"), 1);
    brush.stroke(world.lakes, color("--map-water"), 0.8);
  },
});

function around({ x, y }) {
  return [x - MARK, y - MARK, x + MARK, y + MARK];
}

// The largest cities in view whose names cover neither each other nor one of `marks`, which are [latitude, longitude].
export async function nameCities(map, layer, marks) {
  const world = await loadWorld();
  layer.clearLayers();
  if (map.getZoom() < NAMES_FROM_ZOOM) return;
  const size = map.getSize();
  const most = Math.max(6, Math.round((size.x * size.y) / 26000));
  const middle = map.getCenter().lng;
  const taken = [[0, 0, 50, 76], ...marks.map((place) => around(map.latLngToContainerPoint(place)))];
  const first = taken.length;
  for (const [longitude, latitude, thousands, name] of world.cities) {
    if (taken.length - first >= most) break;
    const near = longitude + 360 * Math.round((middle - longitude) / 360);
    const at = map.latLngToContainerPoint([latitude, near]);
    if (at.x < 4 || at.y < 10 || at.x > size.x - 20 || at.y > size.y - 10) continue;
    const box = [at.x - 5, at.y - 9, at.x + 10 + LETTER * name.length, at.y + 9];
    if (taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) continue;
    taken.push(box);
    const icon = L.divIcon({ className: `city${thousands >= 500 ? " large" : ""}`, html: "<i></i><span></span>", iconSize: [0, 0] });
    const marker = L.marker([latitude, near], { icon, interactive: false, keyboard: false, pane: "cities" });
    layer.addLayer(marker);
    marker.getElement()?.querySelector("span")?.append(name);
  }
}
