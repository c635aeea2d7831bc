"""The map that is there without a network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from matplotlib.path import Path as Outline

import heimdall

MAP = Path(heimdall.__file__).parent / "web" / "static" / "map"
WORLD = MAP / "world.json"
MOST_BYTES = 1_600_000


@pytest.fixture(scope="module")
def world() -> dict:
    return json.loads(WORLD.read_text(encoding="utf-8"))


def corners(line: list[int], step_deg: float) -> list[tuple[float, float]]:
    x, y = (list(accumulate(line[start::2])) for start in (0, 1))
    return [(a * step_deg, b * step_deg) for a, b in zip(x, y, strict=True)]


def lines(world: dict) -> Iterator[list[tuple[float, float]]]:
    for each in (*world["rivers"], *world["borders"]):
        yield corners(each, world["step_deg"])
    for polygon in (*world["land"], *world["lakes"]):
        yield from (corners(ring, world["step_deg"]) for ring in polygon)


def is_on(polygons: list, world: dict, longitude: float, latitude: float) -> bool:
    rings = (Outline(corners(ring, world["step_deg"])) for polygon in polygons for ring in polygon)
    return sum(bool(ring.contains_point((longitude, latitude))) for ring in rings) % 2 == 1


def test_it_is_small_enough_to_ship_and_names_its_owners(world):
    assert WORLD.stat().st_size < MOST_BYTES
    assert "Natural Earth" in world["credit"]
    assert "GeoNames (CC BY 4.0)" in world["credit"]


@pytest.mark.parametrize(
    ("place", "longitude", "latitude", "land"),
    [
        ("Frankfurt", 8.68, 50.11, True),
        ("Chukotka, beyond the date line", -175.0, 66.5, True),
        ("South Pole", 0.0, -84.9, True),
        ("the North Sea", 3.0, 56.0, False),
        ("the middle of the Pacific", 179.9, 10.0, False),
    ],
)
def test_land_is_land_and_sea_is_sea(world, place, longitude, latitude, land):
    assert is_on(world["land"], world, longitude, latitude) is land, place


def test_no_line_jumps_across_the_map(world):
    """The cuts of the source at the date line became stripes round the world."""
    for line in lines(world):
        steps = (abs(after[0] - before[0]) for before, after in pairwise(line))
        assert max(steps, default=0.0) < 20 or line[0][1] < -80  # round the South Pole the ice shelf is one long edge


def test_the_largest_cities_come_first(world):
    people = [city[2] for city in world["cities"]]
    assert people == sorted(people, reverse=True)
    assert any(name == "Munich" for *_, name in world["cities"])


def test_the_map_asks_no_other_host():
    for script in MAP.glob("*.js"):
        assert "http" not in script.read_text(encoding="utf-8"), script.name
