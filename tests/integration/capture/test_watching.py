"""Again and again: every transmission once, none made up, nothing lost by a kill."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from heimdall.capture.faults import Fault
from heimdall.capture.interface import Target
from heimdall.capture.recording.parts import Part
from heimdall.capture.recording.record import record
from heimdall.capture.watching.backoff import Backoff
from heimdall.capture.watching.squelch import SquelchRule
from heimdall.capture.watching.watch import Plan, Watch
from heimdall.capture.watching.watch_history import HISTORY, append_line, history, unlocated
from heimdall.rehearsal.troubles import Trouble

Rehearse = Callable[..., Any]


async def _not_located(_folder: Path) -> dict[str, Any]:
    return {"fixes": []}


def _watch(rehearsal: Any, plan: Plan, **changes: Any) -> list[dict[str, Any]]:
    async def work(targets: list[Target], _: object) -> list[dict[str, Any]]:
        watch = Watch(targets, plan, rehearsal.access, _not_located, **changes)
        return [line async for line in watch.run()]

    return list(rehearsal.run(work))


def test_every_transmission_is_recorded_once(rehearse: Rehearse, tmp_path: Path) -> None:
    """Ten seconds on, thirty off: recordings begin within the first seconds of different transmissions in a row."""
    began_s = time.time() + 8
    rehearsal = rehearse(2, keying_s=(10.0, 30.0), began_s=began_s, speed=6.0)
    plan = Plan(rehearsal.tuning, 4, tmp_path, squelch=SquelchRule(cool_down_s=2), listeners=("R02",), most=3)
    lines = _watch(rehearsal, plan)
    assert len(lines) == 3
    starts_s = [_start_s(tmp_path / line["session"]) - began_s for line in lines]
    assert all(start_s % 40 < 10 for start_s in starts_s), starts_s
    assert [int(start_s // 40) for start_s in starts_s] == [0, 1, 2]


def _start_s(session: Path) -> float:
    from heimdall.formats.readers.read import read_observations

    (observation,) = read_observations(session)
    assert observation.time_utc is not None
    # The time of an observation is a whole second; its recordings begin within it.
    return observation.time_utc.timestamp() + min(each.start_s for each in observation.receptions)


def test_by_the_clock_it_records_so_often(rehearse: Rehearse, tmp_path: Path) -> None:
    rehearsal = rehearse(1)
    lines = _watch(rehearsal, Plan(rehearsal.tuning, 2, tmp_path, every_s=0.5, most=3))
    assert [line["session"] for line in lines] == sorted(path.name for path in tmp_path.glob("2*Z"))
    assert len(lines) == 3


def test_what_a_kill_left_unlocated_is_located_first(rehearse: Rehearse, tmp_path: Path) -> None:
    rehearsal = rehearse(1)

    async def work(targets: list[Target], _: object) -> None:
        await record(targets, rehearsal.tuning, 1, tmp_path / "20260101T000000.000000Z", rehearsal.access)

    rehearsal.run(work)
    (tmp_path / HISTORY).write_text('{"session": "20250101T000000.000000Z", "fixes": []}\n{"session": "2026010')
    assert [folder.name for folder in unlocated(tmp_path)] == ["20260101T000000.000000Z"]
    first, _ = _watch(rehearsal, Plan(rehearsal.tuning, 1, tmp_path, every_s=0.1, most=1))
    assert first["session"] == "20260101T000000.000000Z"
    assert unlocated(tmp_path) == []
    assert len(list(history(tmp_path))) == 3


def test_a_receiver_that_fails_is_left_out_with_its_reason_and_the_others_go_on(
    rehearse: Rehearse, tmp_path: Path
) -> None:
    rehearsal = rehearse(2, troubles={"R01": Trouble.BUSY})
    lines = _watch(rehearsal, Plan(rehearsal.tuning, 1, tmp_path, every_s=0.1, most=2))
    told = [json.loads(next((tmp_path / line["session"]).glob("*.sigmf-collection")).read_text()) for line in lines]
    reasons = [{each["name"]: each["reason"] for each in each["collection"]["heimdall:receivers"]} for each in told]
    assert reasons[0]["R01"] == "all its 4 slots are taken"
    assert "left out for" in reasons[1]["R01"]
    assert reasons[0]["R02"] is reasons[1]["R02"] is None


def test_when_the_one_that_listens_fails_another_does(rehearse: Rehearse, tmp_path: Path) -> None:
    rehearsal = rehearse(2, troubles={"R01": Trouble.BUSY}, keying_s=(6.0, 14.0), began_s=time.time() + 5)
    said: list[str] = []
    plan = Plan(rehearsal.tuning, 1, tmp_path, squelch=SquelchRule(), most=1)
    assert len(_watch(rehearsal, plan, say=said.append)) == 1
    assert said[:2] == ["R01 cannot listen: all its 4 slots are taken", "R02 listens"]


def test_the_pause_after_a_failure_doubles_and_ends_with_a_success() -> None:
    now = [0.0]
    backoff = Backoff(lambda: now[0])
    part = Part("a", fault=Fault.BUSY, reason="full")
    for wait_s in (30, 60, 120):
        backoff.learn(part)
        now[0] += wait_s - 1
        assert backoff.left_out("a")
        now[0] += 1
        assert backoff.left_out("a") is None
    backoff.learn(replace(part, fault=None))
    backoff.learn(part)
    now[0] += 30
    assert backoff.left_out("a") is None
    backoff.learn(replace(part, fault=Fault.PASSWORD))
    now[0] += 3599
    assert backoff.left_out("a")


def test_a_line_is_added_on_its_own_after_one_that_was_cut(tmp_path: Path) -> None:
    path = tmp_path / HISTORY
    path.write_text('{"session": "cu')
    append_line(path, {"session": "b"})
    append_line(path, {"session": "c"})
    assert [line["session"] for line in history(tmp_path)] == ["b", "c"]
    assert os.stat(path).st_size > 0
