"""`heimdall locate` prints what data say as it stands, and takes a channel from the call."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from heimdall import cli
from heimdall.cli.locating.fix_table import show
from heimdall.cli.locating.reader_notes import Notes
from heimdall.fix import Fix, Region, Status
from heimdall.formats.writers.sigmf_write import write_sigmf
from heimdall.observation import Observation, Receiver, Reception

ROCKET = Path(__file__).parents[4] / "examples" / "rocket.jsonl"
PLACES = {"[/x]": (50.2, 10.1), "[red]B[/red]": (49.8, 10.3), ":bug:": (50.1, 9.6), "D": (49.9, 9.7)}


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["heimdall", "locate", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Powers of four receivers whose names look like markup; the first has a clock that says nothing."""
    measurements = [
        {
            "receiver": name,
            "latitude_deg": latitude,
            "longitude_deg": longitude,
            "rssi_dbm": -70.0 - 5 * index,
            "toa_s": None if index else 0.0,
            "clock_sigma_s": None if index else 0.5,
        }
        for index, (name, (latitude, longitude)) in enumerate(PLACES.items())
    ]
    row = {"id": "[b]night[/b]", "frequency_hz": 150e6, "bandwidth_hz": 25e3, "measurements": measurements}
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps(row))
    return path


def test_names_and_remarks_are_printed_as_they_are(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Brackets and colons of data are no markup: nothing is lost, nothing ends in an internal error."""
    assert _run(monkeypatch, str(table)) == 0
    said = capsys.readouterr().err
    assert "[/x]: clock of" in said.replace("\n", " ")
    assert "[b]night[/b]" in said


def test_a_channel_may_be_given(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, str(table), "--bandwidth", "1e4") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "the channel was set to 10 kHz, instead of 25 kHz" in said


def test_notes_are_said_beside_a_json_document(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The document goes to standard output alone; what the readers decided must not be lost with it."""
    assert _run(monkeypatch, str(table), "--bandwidth", "1e4", "--json") == 0
    printed = capsys.readouterr()
    assert len(json.loads(printed.out)["fixes"]) == 1
    assert "was set to 10 kHz, instead of 25 kHz" in " ".join(printed.err.split())


def test_names_are_no_orders_to_the_terminal(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table.write_text(table.read_text().replace("[b]night[/b]", "\\u001b[2Jnight"))
    assert _run(monkeypatch, str(table)) == 0
    said = capsys.readouterr().err
    assert "\x1b[2J" not in said
    assert "\N{REPLACEMENT CHARACTER}[2Jnight" in said


def test_a_note_is_said_once_with_how_many_it_concerns_however_far_down_they_are(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table shows the first 20 rows, but the readers' notes also cover those below."""
    row = table.read_text().strip()
    table.write_text("\n".join(row.replace("[b]night[/b]", f"row {number}") for number in range(24)))
    assert _run(monkeypatch, str(table), "--bandwidth", "1e4") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("was set to 10 kHz, instead of 25 kHz") == 1
    assert "row 0 and 23 more: the channel" in said


def test_a_channel_of_the_call_is_no_wider_than_the_recordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(11)
    signal = (rng.normal(size=(3, 4000, 2)) * 0.1).astype(np.float32).view(np.complex64)[..., 0] + np.float32(0.1)
    receptions = tuple(
        Reception(Receiver(f"R{index}", 49.0 + 0.3 * index, 11.0), samples=each, sample_rate_hz=16e3)
        for index, each in enumerate(signal)
    )
    write_sigmf(Observation("night", 150e6, 4000.0, receptions, datetime(2025, 3, 1, tzinfo=UTC)), tmp_path)
    _run(monkeypatch, str(tmp_path), "--bandwidth", "7e5", "--json")
    assert "the 16000 Hz that were recorded are used" in " ".join(capsys.readouterr().err.split())


def test_the_table_has_a_column_for_what_any_fix_has_and_none_for_what_no_fix_has(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    region = Region(0.95, ((np.array([[10.0, 50.0], [10.1, 50.0], [10.1, 50.1], [10.0, 50.0]]),),))
    bare = Fix("a", Status.OK, "", "likelihood", (), 50.05, 10.05, region_95=region)
    show([bare], 1, Notes())
    head, row, method = capsys.readouterr().err.splitlines()[1:]
    assert head.split() == ["id", "status", "latitude", "longitude", "within"]
    assert row.split()[:4] == ["a", "ok", "50.05000", "10.05000"]
    assert method == "method: likelihood"
    known = replace(bare, height_m=400.0, height_sigma_m=0.0, protection_level_m=7654.0, method="hybrid")
    show([bare, known], 2, Notes())
    _, head, row, other, *_ = capsys.readouterr().err.splitlines()
    assert head.split() == ["id", "status", "latitude", "longitude", "height", "within", "level", "method"]
    assert row.split()[-2:] == ["-", "likelihood"]
    assert other.split()[-3:] == ["7654", "m", "hybrid"]


def test_a_picture_of_several_is_refused_before_they_are_located(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = table.read_text()
    table.write_text(f"{row}\n{row.replace('night', 'day')}\n")
    monkeypatch.setattr("heimdall.locating.method.locate_each", lambda *_: pytest.fail("located"))
    assert _run(monkeypatch, str(table), "--output", str(tmp_path / "two.png")) == 2
    assert "a picture holds one fix, not 2" in capsys.readouterr().err


def test_reasons_are_said_once_beside_others_that_are_located(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = json.loads(table.read_text())
    alone = {**row, "id": "alone", "measurements": row["measurements"][:1] + row["measurements"][1:2]}
    alone["measurements"] = [dict(each) for each in alone["measurements"]]
    alone["measurements"][1]["latitude_deg"] = 97.0
    table.write_text(f"{json.dumps(alone)}\n{json.dumps(row)}\n")
    assert _run(monkeypatch, str(table)) == 0
    said = " ".join("".join(capsys.readouterr()).split())
    assert said.count("is not on the globe") == 1
    assert "alone: alone" not in said


def test_what_several_fixes_share_is_said_once(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = json.loads(table.read_text())
    table.write_text("".join(f"{json.dumps({**row, 'id': name})}\n" for name in ("one", "two", "three")))
    assert _run(monkeypatch, str(table)) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("add receivers on that side") == 1
    assert "one and 2 more: the evidence does not bound the distance" in said
    assert "one and 2 more: [/x]: clock of" in said


def test_what_differs_in_its_figures_alone_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a rocket's packets nearly each has another height."""
    assert _run(monkeypatch, str(ROCKET)) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("the height is undetermined") == 1
    assert (
        "25T163939-0.671 and 19 more, with other figures: the height is undetermined: on the ground, or up to" in said
    )


def test_what_is_asked_of_an_observation_is_said_where_nothing_can_be_located(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Times and uncertainties both in microseconds."""
    row = json.loads(table.read_text())
    for index, each in enumerate(row["measurements"]):
        each |= {"rssi_dbm": None, "toa_s": 40.0 * index, "clock_sigma_s": 0.1}
    table.write_text(json.dumps(row))
    assert _run(monkeypatch, str(table)) == 2
    told = " ".join("".join(capsys.readouterr()).split())
    assert "are both given in microseconds?" in told


@pytest.mark.parametrize(
    "written", ["50.0, 10.0", "50.0123N 10.0456E", "50.0123 10.0456", "50,0123; 10,0456", "[50.0123, 10.0456]"]
)
def test_a_truth_is_read_as_people_write_positions(
    monkeypatch: pytest.MonkeyPatch, table: Path, capsys: pytest.CaptureFixture[str], written: str
) -> None:
    assert _run(monkeypatch, str(table), "--truth", written, "--json") == 0
    (fix,) = json.loads(capsys.readouterr().out)["fixes"]
    truth = (fix["truth"]["latitude_deg"], fix["truth"]["longitude_deg"])
    assert truth == pytest.approx((50.0123, 10.0456), abs=0.05)


@pytest.mark.parametrize("written", ["JO40mn", "lon/lat: 10.0456, 50.0123", "somewhere"])
def test_a_truth_that_says_no_one_place_is_refused(
    monkeypatch: pytest.MonkeyPatch, table: Path, capsys: pytest.CaptureFixture[str], written: str
) -> None:
    """A locator's square leaves more open than the errors that are measured from it."""
    assert _run(monkeypatch, str(table), "--truth", written) == 2
    assert written in capsys.readouterr().err
