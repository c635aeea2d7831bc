"""A worker that stands in for another sleeps while that one lives, and goes when it is back."""

from __future__ import annotations

import json
import threading

import pytest
from sqlalchemy.exc import OperationalError

from heimdall.service import hosting
from heimdall.service.database.store import Store
from heimdall.service.database.tables import Job, Worker, now_unix_s
from heimdall.service.health.gpu import UNKNOWN, watch_gpu
from heimdall.service.health.probes import look_at_gpu
from heimdall.service.queue.matching import Offer, why_waiting
from heimdall.service.worker.standby import FRESH_S, Absence, Heard, ReturnWatch, StandInWatch, heard_of

NOTE = {"reason": "the driver is half replaced.", "fix": ["# first", "sudo reboot"], "seen_utc": "noon"}


def announce(store: Store, name: str, age_s: float, reason: str | None = None) -> None:
    with store.writing() as session:
        session.merge(
            Worker(
                name=name,
                started_unix_s=0.0,
                heartbeat_unix_s=now_unix_s() - age_s,
                accelerator="gpu",
                gpu_usable=False,
                gpu_reason=reason,
                devices=[],
                versions={},
            )
        )


def test_only_the_worker_it_stands_in_for_counts_and_only_while_it_announces_itself(store):
    announce(store, "other", 0.0)
    assert heard_of(store, "training") is None
    announce(store, "training", 0.0, UNKNOWN)
    heard = heard_of(store, "training")
    assert heard is not None
    assert (heard.fresh, heard.proved) == (True, False)
    announce(store, "training", FRESH_S + 1, "lost")
    heard = heard_of(store, "training")
    assert heard is not None
    assert (heard.fresh, heard.proved) == (False, True)


def test_absence_counts_from_its_own_start_and_from_the_last_sign_of_life_and_not_without_the_database():
    now, heard = [1000.0], [Heard(1e6, True)]
    broken: list[Exception] = []

    def ask() -> Heard | None:
        if broken:
            raise broken[0]
        return heard[0]

    absence = Absence(ask, lambda: now[0])
    assert absence.look() == 0.0  # an old row says how long this machine was off, not that the other stays away
    now[0] += 50.0
    assert absence.look() == 50.0
    heard[0] = Heard(1.0, False)
    assert absence.look() == 0.0
    heard[0], now[0] = None, now[0] + 40.0
    assert absence.look() == 40.0
    broken.append(OperationalError("select", {}, Exception("gone")))
    assert absence.look() == 0.0


def test_it_leaves_when_the_other_is_there_and_knows_its_gpu_and_not_before(store, monkeypatch):
    monkeypatch.setattr("heimdall.service.worker.standby.ASK_EVERY_S", 0.02)
    left = threading.Event()
    watch = ReturnWatch(store, "training", left.set)
    watch.start()
    announce(store, "training", 0.0, UNKNOWN)
    assert not left.wait(0.3)
    announce(store, "training", 0.0)
    assert left.wait(5)
    watch.join(5)
    assert not watch.is_alive()


def test_a_job_that_needs_a_gpu_is_told_why_none_is_there_and_what_to_type():
    reason = StandInWatch.state.reason
    told = why_waiting(Job(state="queued", needs_gpu=True), [Offer("gpu", gpu_reason=reason)])
    assert told is not None
    assert "could not start it" in told
    assert "docker inspect" in told
    assert "heimdall up" in told


def test_in_compose_nobody_is_told_to_start_a_worker_by_hand(monkeypatch):
    job = Job(state="queued", needs_gpu=False)
    assert "heimdall worker" in (why_waiting(job, []) or "")
    monkeypatch.setenv(hosting.NOTE, "/nowhere")
    told = why_waiting(job, []) or ""
    assert "the training container is stopped or could not start" in told
    assert "heimdall up" in told


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (
            NOTE,
            "the driver is half replaced (seen by heimdall up at noon); on the host, type: sudo reboot; heimdall up",
        ),
        (NOTE | {"fix": []}, "the driver is half replaced (seen by heimdall up at noon)"),
        (NOTE | {"reason": ""}, None),
        ({}, None),
        ([], None),
    ],
)
def test_what_heimdall_up_saw_on_the_host_is_the_reason_inside(tmp_path, monkeypatch, document, told):
    path = tmp_path / "training.json"
    monkeypatch.setenv(hosting.NOTE, str(path))
    assert hosting.read_note() is None
    path.write_text(json.dumps(document))
    note = hosting.read_note()
    assert (note.text if note else None) == told
    monkeypatch.setattr("heimdall.service.health.gpu.accelerator_reason", lambda: "a container sees no GPU")
    watch = watch_gpu("auto", lambda: True)
    watch.look()
    with pytest.raises(Exception, match="half replaced" if told else "a container sees no GPU"):
        look_at_gpu("auto", watch)()
