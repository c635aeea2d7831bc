"""Known transmitters: what a list holds, and which one a fix is near to."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from heimdall.errors import InputError
from heimdall.fix import Fix, Region, Status
from heimdall.formats import transmitters
from heimdall.observation import Observation
from heimdall.transmitter import Kind, KnownTransmitter, named, near, with_near

MAST = KnownTransmitter(
    name="Mast", latitude_deg=50.0, longitude_deg=9.0, height_m=300.0, frequency_hz=98.5e6, kind=Kind.FM, source="a map"
)


@pytest.mark.parametrize("suffix", transmitters.SUFFIXES)
def test_a_list_comes_back_as_it_was_written(suffix: str, tmp_path: Path) -> None:
    """Every form of exchange keeps every field."""
    listed = (MAST, *transmitters.shipped())
    transmitters.write(tmp_path / f"list{suffix}", listed)
    assert transmitters.read(tmp_path / f"list{suffix}") == listed


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("suffix", transmitters.SUFFIXES)
def test_a_list_is_read_however_an_editor_saved_it(suffix: str, encoding: str, tmp_path: Path) -> None:
    path = tmp_path / f"list{suffix}"
    transmitters.write(path, (MAST,))
    path.write_text(path.read_text(), encoding=encoding)
    assert transmitters.read(path) == (MAST,)


def test_every_shipped_transmitter_has_a_source() -> None:
    """Public facts come with where they are from."""
    assert all(each.source for each in transmitters.shipped())


def test_own_transmitters_go_before_shipped_ones_of_their_name(tmp_path: Path) -> None:
    """Who knows better corrects the list that comes with the program."""
    better = MAST.model_copy(update={"name": "dcf77"})
    transmitters.save(tmp_path / "own.json", [better])
    assert named(transmitters.known(tmp_path / "own.json"), "DCF77") == better


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "name,latitude_deg,longitude_deg,frequency_hz\nx,91,0,1e6\n", "line 2: latitude_deg"),
        ("a.csv", "name,lat\nx,1\n", "column 'lat' is unknown"),
        ("a.geojson", '{"type": "FeatureCollection"}', "no GeoJSON"),
        ("a.geojson", '{"features": [{"geometry": null}]}', "feature 1: a Point"),
        ("a.json", "[", "not a list of transmitters"),
        ("a.txt", "", "are read and written as"),
    ],
)
def test_a_faulty_file_says_where(name: str, content: str, said: str, tmp_path: Path) -> None:
    """One line names the file and what is wrong in it."""
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        transmitters.read(path)


def test_a_name_is_there_once(tmp_path: Path) -> None:
    """Names are how transmitters are asked for."""
    transmitters.write(tmp_path / "a.csv", [MAST, MAST.model_copy(update={"name": "MAST"})])
    with pytest.raises(InputError, match="two transmitters are called"):
        transmitters.read(tmp_path / "a.csv")


def test_a_fix_near_a_known_transmitter_says_so() -> None:
    """On its frequency and within its region, and only then."""
    ring = np.array([[8.9, 49.9], [9.1, 49.9], [9.1, 50.1], [8.9, 50.1], [8.9, 49.9]])
    region = Region(0.95, ((ring,),))
    fix = Fix("a", Status.OK, "", "m", (), 50.01, 9.0, region_68=region, region_95=region)
    found = near(fix, 98.5e6, 100e3, [MAST])
    assert found is not None
    assert found.distance_m == pytest.approx(1112, rel=0.01)
    assert near(fix, 99.5e6, 100e3, [MAST]) is None
    assert near(fix, 98.5e6, 100e3, [MAST.model_copy(update={"latitude_deg": 51.0})]) is None


def test_a_known_transmitter_that_the_fix_rules_out_is_worth_a_word() -> None:
    """Three receivers with latitude and longitude exchanged agree with each other: only a known transmitter shows the mistake."""
    ring = np.array([[8.9, 49.9], [9.1, 49.9], [9.1, 50.1], [8.9, 50.1], [8.9, 49.9]])
    fix = Fix("a", Status.OK, "as it was", "m", (), 50.01, 9.0, region_95=Region(0.95, ((ring,),)))
    observation = Observation("a", 98.5e6, 100e3, ())
    away = MAST.model_copy(update={"latitude_deg": 9.0, "longitude_deg": 50.0, "name": "Mast"})
    said = with_near(fix, observation, [away])
    assert said.near is None
    assert re.fullmatch(
        r"as it was; Mast, known on this frequency, is \d{4} km from there: if it was heard, .*", said.advice
    )
    assert with_near(fix, observation, [away, MAST]).advice == "as it was"
    assert with_near(fix, observation, [away.model_copy(update={"kind": Kind.DAB})]).advice == "as it was"
    assert with_near(fix, replace(observation, frequency_hz=99.5e6), [away]).advice == "as it was"
