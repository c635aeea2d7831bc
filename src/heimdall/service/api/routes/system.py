"""The system: what the doctor says, versions, the queue."""

from __future__ import annotations

import threading
import time
from typing import Any

from fastapi import APIRouter
from sqlalchemy import select

from heimdall.service.about import versions
from heimdall.service.api.dependencies import Parts, UsesParts, Viewer
from heimdall.service.api.http.problems import documented
from heimdall.service.api.schemas import (
    DoctorView,
    QueueView,
    VersionsView,
    view_examination,
    view_worker,
)
from heimdall.service.database.tables import Worker
from heimdall.service.health import doctor_report
from heimdall.service.queue import jobs
from heimdall.service.queue.jobs import State

router = APIRouter(prefix="/system", tags=["system"], responses=documented(401, 403, 422, 503))

EXAMINE_AGAIN_S = 60.0


class Examiner:
    """Asks the doctor at most once a minute, however many ask for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._document: dict[str, Any] = {}
        self._asked_s = float("-inf")

    def examine(self) -> dict[str, Any]:
        with self._lock:
            if time.monotonic() - self._asked_s > EXAMINE_AGAIN_S:
                self._document = doctor_report.examine()
                self._asked_s = time.monotonic()
            return self._document


_examiner = Examiner()


def examine_here() -> dict[str, Any]:
    """The doctor's document about this machine, not older than a minute."""
    return _examiner.examine()


@router.get("/doctor", summary="What `heimdall doctor` finds, here and on each worker")
def doctor(who: Viewer, parts: UsesParts) -> DoctorView:
    workers = {worker.name: view_examination(worker.doctor) for worker in _workers(parts)}
    return DoctorView(here=view_examination(examine_here()), workers=workers)


@router.get("/versions", summary="Versions of this program and of what it depends on")
def list_versions(who: Viewer, parts: UsesParts) -> VersionsView:
    return VersionsView(here=versions(), workers={worker.name: worker.versions for worker in _workers(parts)})


@router.get("/queue", summary="Jobs by state, and the workers")
def queue(who: Viewer, parts: UsesParts) -> QueueView:
    with parts.store.reading() as session:
        counts = jobs.count_by_state(session)
    return QueueView(
        jobs={State(state): count for state, count in counts.items()},
        workers=[view_worker(worker) for worker in _workers(parts)],
    )


def _workers(parts: Parts) -> list[Worker]:
    with parts.store.reading() as session:
        return list(session.scalars(select(Worker).order_by(Worker.name)).all())
