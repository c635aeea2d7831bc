"""The converters of real recordings give measurement files that `locate` reads."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from heimdall.formats.readers.read import read_observations
from heimdall.observation import Observation, Place, Receiver

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
SENSORS = "serial,latitude,longitude,height,type,good\n7,47.5,8.5,400,SBS-3,TRUE\n8,48.5,9.5,,SBS-3,TRUE\n"
MESSAGES = (
    "id,timeAtServer,aircraft,latitude,longitude,baroAltitude,geoAltitude,numMeasurements,measurements\n"
    '11,7.6,766,48.25,10.125,8397,8336.25,2,"[[7,8605679765,49],[8,8605679001,76]]"\n'
    '12,7.7,766,48.25,10.125,8397,8336.25,2,"[[7,8605679765,49],[8,8605679001,76]]"\n'
)
SITES = '{"mast": (40.5, -111.5), "deaf": (40.6, -111.6), "odd": (40.7, -111.7), "bus-1": None, "bus-2": None, "bus-3": None}'
ROWS = (
    "timestamp,mast,deaf,odd,bus-1_rss,bus-1_x,bus-1_y,bus-2_rss,bus-2_x,bus-2_y,bus-3_rss,bus-3_x,bus-3_y,tx_x_coord,tx_y_coord\n"
    "2022-11-23 13:24:40,-80.5,-101,inf,-70.25,40.55,-111.55,-60,0.0,0.0,-101,-1,-1,40.52,-111.52\n"
    "2022-11-23 13:24:44,-80.5,-101,null,-101,-1,-1,-101,-1,-1,-101,-1,-1,40.52,-111.52\n"
)


def _convert(monkeypatch: pytest.MonkeyPatch, name: str, folder: Path, *options: str) -> list[Observation]:
    output = folder / "out.jsonl"
    monkeypatch.setattr(sys, "argv", [name, str(folder), str(output), *options])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return read_observations(output)


def _locards(folder: Path) -> Path:
    (folder / "sensors.csv").write_text(SENSORS)
    (folder / "set_1.csv").write_text(MESSAGES)
    return folder


def test_locards_messages_become_arrival_times(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Differences of arrival times keep their nanoseconds; clocks, altitude and truth are there, powers are not."""
    first, _ = _convert(monkeypatch, "locards_to_measurements.py", _locards(tmp_path))
    assert (first.id, first.transmitter_height_m, first.truth) == ("set_1-11", 8336.25, Place(48.25, 10.125, 8336.25))
    assert first.receptions[0].receiver == Receiver("7", 47.5, 8.5, 400.0, 50e-9)
    assert [reception.toa_s for reception in first.receptions] == [764e-9, 0.0]
    assert all(reception.rssi_dbm is None for reception in first.receptions)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("locards_to_measurements.py", "has no sensors.csv and no set_*.csv: docs/reference/data-sets.md"),
        (
            "powder_to_measurements.py",
            "has no single_tx.csv and no location_coordinates.txt: docs/reference/data-sets.md",
        ),
    ],
)
def test_one_line_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        _convert(monkeypatch, name, tmp_path / "absent")
    printed = capsys.readouterr().err
    assert ended.value.code == 2
    assert said in printed
    assert printed.count("\n") == 1


@pytest.mark.parametrize("options", [("--every", "2"), ("--limit", "1")])
def test_fewer_messages_may_be_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """Both options leave the first of two messages."""
    read = _convert(monkeypatch, "locards_to_measurements.py", _locards(tmp_path), *options)
    assert [observation.id for observation in read] == ["set_1-11"]


def test_powder_rows_become_powers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who heard nothing, has an infinite level or stood nowhere is left out, and so is a row that one receiver heard."""
    (tmp_path / "single_tx.csv").write_text(ROWS)
    (tmp_path / "location_coordinates.txt").write_text(SITES)
    (row,) = _convert(monkeypatch, "powder_to_measurements.py", tmp_path)
    assert [(heard.receiver.name, heard.rssi_dbm) for heard in row.receptions] == [("mast", -80.5), ("bus-1", -70.25)]
    assert row.receptions[1].receiver == Receiver("bus-1", 40.55, -111.55, 0.0, None)
    assert (row.truth, row.transmitter_height_m) == (Place(40.52, -111.52), None)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "folder", "count"), [("locards", "locards_toa", 1147), ("powder", "powder_rss", 4340)]
)
def test_the_real_sets_are_converted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, real_data: Path, name: str, folder: str, count: int
) -> None:
    """Every twentieth message or row of the real sets is readable and has its truth."""
    for path in (real_data / folder).iterdir():
        (tmp_path / path.name).symlink_to(path)
    read = _convert(monkeypatch, f"{name}_to_measurements.py", tmp_path, "--every", "20")
    assert len(read) == (count + 19) // 20
    assert all(observation.truth is not None for observation in read)
