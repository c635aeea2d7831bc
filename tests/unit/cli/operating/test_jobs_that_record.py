"""`heimdall jobs submit record` and `watch`, and what the list says of them."""

from __future__ import annotations

import json
import os

import pytest
from sqlalchemy import update

from heimdall.service.database.migrate import opened
from heimdall.service.database.tables import Job, OnlineReceiver
from heimdall.service.settings import load_settings

PART = {"name": "alpha", "state": "recording", "gave": "iq with gps time", "seconds": 12.0, "reason": None}
CAPTURE = {"stage": "listening", "listener": "beta", "recordings": 3, "receivers": [PART, PART | {"name": "beta"}]}


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("HEIMDALL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HEIMDALL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "300")


@pytest.fixture
def receivers(heimdall):
    with opened(load_settings()) as store, store.writing() as session:
        for number, name in enumerate(("alpha", "beta", "gamma")):
            address = f"kiwi://192.0.2.{number}:8073"
            about = {"address": address, "ppm": 0.0, "note": "", "created_by": "t", "enabled": name != "gamma"}
            session.add(OnlineReceiver(id=f"{number:016x}", name=name, **about))


def submitted(heimdall, *arguments):
    code, out, err = heimdall("jobs", "submit", *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def test_a_recording_is_submitted_as_it_is_recorded_here(heimdall, receivers):
    job = submitted(
        heimdall, "record", "--frequency", "77.5k", "--bandwidth", "1k", "--seconds", "20", "--name", "Утро"
    )
    assert (job["kind"], job["name"], job["state"]) == ("record", "Утро", "queued")
    assert job["request"] == {
        "frequency_hz": 77_500.0,
        "bandwidth_hz": 1000.0,
        "seconds": 20.0,
        "receivers": ["alpha", "beta"],
        "reference": None,
    }


def test_a_watch_is_submitted_with_its_squelch_and_its_end(heimdall, receivers):
    squelch = ["--squelch", "--open-db", "12", "--sentinel", "beta"]
    end = ["--most", "5", "--until", "2099-01-31T18:00Z"]
    asked = submitted(heimdall, "watch", "--frequency", "3.6M", "--receivers", "alpha,beta", *squelch, *end)["request"]
    assert (asked["squelch"]["open_db"], asked["squelch"]["listeners"]) == (12.0, ["beta"])
    assert (asked["most"], asked["every_s"], asked["until_utc"]) == (5, None, "2099-01-31T18:00:00Z")
    assert submitted(heimdall, "watch", "--frequency", "3.6M", "--every", "10m")["request"]["every_s"] == 600.0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["record", "--frequency", "much"], "much"),
        (["record", "--frequency", "77.5k", "--receivers", "alpha"], "1 of at least 2 receivers"),
        (["record", "--frequency", "77.5k", "--receivers", "alpha,gamma"], "gamma is switched off"),
        (["watch", "--frequency", "77.5k"], "say when to record"),
        (["watch", "--frequency", "77.5k", "--cron", "at noon"], "cron"),
        (["--recipe", "quick", "record", "--frequency", "77.5k"], "--recipe comes before record"),
        (["record"], "--frequency"),
    ],
)
def test_what_cannot_be_recorded_is_one_line_at_once(heimdall, receivers, arguments, told):
    code, _, err = heimdall("jobs", "submit", *arguments)
    assert code == 2
    assert told in err
    assert "Traceback" not in err
    assert json.loads(heimdall("jobs", "list", "--json")[1])["jobs"] == []


def test_the_list_and_one_job_say_what_is_recorded(heimdall, receivers):
    job_id = submitted(heimdall, "watch", "--frequency", "77.5k", "--every", "10m")["id"]
    training_id = submitted(heimdall, "--recipe", "quick")["id"]
    with opened(load_settings()) as store, store.writing() as session:
        session.execute(update(Job).where(Job.id == job_id).values(capture=CAPTURE, state="running"))
    _, _, listed = heimdall("jobs", "list")
    row = next(line for line in listed.splitlines() if job_id in line)
    assert "listening to beta, 3 recordings" in row
    assert "recording" not in next(line for line in listed.splitlines() if training_id in line)
    _, _, shown = heimdall("jobs", "show", job_id)
    assert "capture: listening to beta, 3 recordings" in shown
    assert "  alpha: recording, 12 s of iq with gps time" in shown
