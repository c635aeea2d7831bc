"""What a job records becomes a session once, whenever a kill comes, and what is no session stays where it is."""

from __future__ import annotations

import json

import numpy as np
import pytest

from heimdall.capture.watching.watch_history import HISTORY, append_line
from heimdall.files.artifacts import open_artifacts
from heimdall.formats.writers.sigmf_growing import GrowingSession
from heimdall.observation import Receiver
from heimdall.runs import RECORDINGS
from heimdall.service.queue import jobs
from heimdall.service.storage import job_recordings, sessions
from heimdall.service.storage.job_recordings import found, store_recording

AT_NS = 1_767_225_630 * 10**9


@pytest.fixture
def job(store):
    with store.writing() as session:
        return jobs.create(
            session, "watch", {}, name="watch 77.5 kHz", created_by="op", attempts_max=3, needs_capture=True
        )


@pytest.fixture
def run(settings, job):
    return settings.runs / job.id


@pytest.fixture
def keep(store, settings, job):
    artifacts = open_artifacts(settings.artifact_address)
    return lambda path: store_recording(store, settings, artifacts, job, path)


def put(run, name, *, complete=True, readable=True):
    """A recording of two receivers, and a third one that was full."""
    folder = run / RECORDINGS / name
    growing = GrowingSession(folder, name, 77_500.0, 1000.0)
    chance = np.random.default_rng(1)
    parts = [{"name": "full", "state": "failed", "gave": None, "reason": "all its 4 slots are taken", "notes": []}]
    for number in range(2):
        made = growing.recording(Receiver(f"R{number}", 50.0 + number, 9.0, 0.0), "cf32_le")
        samples = (chance.standard_normal(4096) + 1j * chance.standard_normal(4096)).astype(np.complex64)
        made.append(samples.tobytes(), 4096, sample_rate_hz=12_000.0, frequency_hz=77_500.0, host_utc_ns=AT_NS)
        made.save()
        made.close()
        parts.append({"name": f"R{number}", "state": "done", "gave": "iq", "reason": None, "notes": []})
    growing.save(parts)
    if not readable:
        for path in folder.glob("*.sigmf-collection"):
            path.write_text("{")
    if complete:
        append_line(folder.parent / HISTORY, {"session": name})
    return folder


def test_while_the_program_runs_only_what_is_complete_is_taken(run):
    complete, growing = put(run, "20260101T000000Z"), put(run, "20260101T000100Z", complete=False)
    assert found(run, running=True) == [complete]
    assert found(run, running=False) == [complete, growing]


def test_a_recording_becomes_a_session_that_waits_to_be_located(store, settings, job, run, keep):
    path = put(run, "20260101T000000Z")
    session_id = keep(path)
    assert not path.exists()
    with store.reading() as session:
        (stored,) = job_recordings.of_job(session, job.id)
        told = [(event.type, event.message) for event in jobs.events(session, job.id)][1:]
        (observation,) = sessions.read(settings, stored)
    assert (stored.id, stored.created_by, stored.fix_state) == (session_id, "op", "waiting")
    assert stored.name == "77.5 kHz, 2026-01-01 00:00"
    assert [part["name"] for part in stored.recorded["receivers"]] == ["full", "R0", "R1"]
    assert told == [("recording", f"session {session_id}: 2 of 3 receivers")]
    flaws = {reception.receiver.name: reception.flaw for reception in observation.receptions}
    assert flaws["full"] == "all its 4 slots are taken"


def test_a_recording_is_called_as_its_job_was(store, settings, job, run, keep):
    job.name = "pirate"
    keep(put(run, "20260101T000000Z"))
    keep(put(run, "20260101T000001Z"))
    with store.reading() as session:
        names = sorted(stored.name for stored in job_recordings.of_job(session, job.id))
    assert names == ["pirate, 2026-01-01 00:00", "pirate, 2026-01-01 00:00 (2)"]


def test_a_kill_between_the_row_and_the_end_of_the_folder_doubles_nothing(store, job, run, keep):
    keep(put(run, "20260101T000000Z"))
    again = put(run, "20260101T000000Z")
    assert keep(again) is None
    assert not again.exists()
    with store.reading() as session:
        assert len(job_recordings.of_job(session, job.id)) == 1


def test_what_cannot_be_read_stays_and_is_told_once(store, job, run, keep):
    path = put(run, "20260101T000000Z", readable=False)
    assert keep(path) is None
    assert found(run, running=False) == []
    assert path.is_dir()
    with store.reading() as session:
        (warning,) = [event.message for event in jobs.events(session, job.id) if event.type == "warning"]
    assert warning.startswith("20260101T000000Z stays in the run folder, since it is no session that can be located: ")
    assert str(run) not in warning


def test_a_worker_elsewhere_leaves_the_session_within_reach(store, settings, job, run, tmp_path):
    shared = settings.model_copy(update={"artifacts": str(tmp_path / "shared")})
    artifacts = open_artifacts(shared.artifact_address)
    session_id = store_recording(store, shared, artifacts, job, put(run, "20260101T000000Z"))
    here = shared.model_copy(update={"home": tmp_path / "another home"})
    with store.reading() as session:
        (stored,) = job_recordings.of_job(session, job.id)
    (observation,) = sessions.read(here, stored)
    assert len(observation.receptions) == 3
    sessions.delete(store, here, session_id)
    assert artifacts.names("data/sessions") == []


def test_the_collection_names_the_channel(run):
    path = put(run, "20260101T000000Z")
    about = json.loads(next(path.glob("*.sigmf-collection")).read_text())["collection"]
    assert (about["heimdall:frequency_hz"], about["heimdall:bandwidth_hz"]) == (77_500.0, 1000.0)
