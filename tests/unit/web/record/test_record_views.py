"""The page Record: what is asked for, which receivers are chosen, and what a recording gave."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from heimdall.errors import InputError
from heimdall.service.receivers.capture_view import CaptureView, PartView
from heimdall.web.map.fix_view import EMPTY
from heimdall.web.record.channel_form import read_request
from heimdall.web.record.receiver_choice import choice_scene
from heimdall.web.record.recorded_view import figures_html, fix_scene, parts_html

CHANNEL = {"frequency_hz": 77_500.0, "bandwidth_hz": 1000.0, "seconds": 30, "receivers": ["R01", "R02"]}


def part(name: str, **changes) -> PartView:
    usual = {
        "state": "done",
        "gave": "iq",
        "seconds": 20.0,
        "samples": 1,
        "level_dbm": None,
        "reason": None,
        "notes": [],
    }
    return PartView(name=name, **(usual | {"latitude_deg": 50.0, "longitude_deg": 9.0} | changes))


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"kind": "record", "receivers": ["R01"]}, "at least two receivers"),
        ({"kind": "record", "seconds": None}, "seconds must be a number"),
        ({"kind": "watch", "cron": "every day"}, "every day"),
        ({"kind": "watch"}, "when to record"),
    ],
)
def test_what_cannot_be_recorded_is_named(when: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_request(CHANNEL | when)


def test_a_recording_and_a_watch_are_read() -> None:
    assert read_request(CHANNEL | {"kind": "record"}).title == "record 77.5 kHz"
    assert read_request(CHANNEL | {"kind": "watch", "every_s": 60.0, "most": 3}).most == 3


def test_each_part_says_what_it_gave_or_why_not() -> None:
    shown = parts_html([part("<R01>"), part("R02", state="failed", gave=None, reason="all its 4 slots are taken")])
    assert "&lt;R01&gt;" in shown
    assert "<td>nothing</td><td>All its 4 slots are taken.</td>" in shown


def test_a_job_that_has_not_begun_has_figures_too() -> None:
    job = SimpleNamespace(kind="watch", state="queued", eta_s=None)
    assert "watch" in figures_html(job, None)
    listening = CaptureView(stage="listening", listener="R01", next_utc=None, recordings=2, receivers=[])
    assert "listening for the signal" in figures_html(job, listening)


def test_a_fix_is_drawn_with_regions_and_one_without_position_with_its_receivers() -> None:
    shape = {"type": "MultiPolygon", "coordinates": []}
    report = {"name": "R01", "used": True, "reason": None}
    document = {"region_68": shape, "region_95": shape, "receivers": [report]}
    fix = SimpleNamespace(document=document, latitude_deg=50.1, longitude_deg=9.1)
    scene = fix_scene(fix, [part("R01"), part("R02", reason="full"), part("R03", latitude_deg=None)])
    kinds = [each["properties"]["kind"] for each in scene["features"]]
    assert kinds == ["receiver", "receiver", "region", "region", "estimate"]
    assert [each["properties"].get("used") for each in scene["features"][:2]] == [True, False]
    nothing = SimpleNamespace(document={"receivers": []}, latitude_deg=None, longitude_deg=None)
    assert [each["properties"]["kind"] for each in fix_scene(nothing, [part("R01")])["features"]] == ["receiver"]
    assert fix_scene(nothing, [])["bounds"] is None


def test_no_receiver_draws_nothing() -> None:
    assert choice_scene([], []) == EMPTY
