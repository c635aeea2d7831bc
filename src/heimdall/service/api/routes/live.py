"""A job as a stream of server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError

from heimdall.service.api.schemas import EventView, JobView, ProgressView, view_event, view_job
from heimdall.service.database.store import Store
from heimdall.service.queue import jobs
from heimdall.service.queue.jobs import FINAL
from heimdall.service.receivers.capture_view import CaptureView

MEDIA_TYPE = "text/event-stream"
DOCUMENTED: dict[str, Any] = {
    "description": "Events named `progress` (a ProgressView), `capture` (a CaptureView, of a job that records), by a state, "
    "`warning`, `model`, `recording` or `fix` (an EventView), and at last `end` (the JobView).",
    "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": 'event: progress\ndata: {"step": 100}\n\n'}},
}
LOOK_EVERY_S = 0.5
KEEP_ALIVE_S = 15.0


@dataclass
class _Follower:
    store: Store
    job_id: str
    last_event: int
    progress: ProgressView | None = None
    capture: CaptureView | None = None
    ended: bool = False

    def look(self) -> list[str]:
        """What is new since the last look."""
        try:
            with self.store.reading() as session:
                job = view_job(jobs.get(session, self.job_id), offers=())
                events = [view_event(event) for event in jobs.events(session, self.job_id, self.last_event)]
        except jobs.UnknownJobError:  # deleted while somebody looked on
            self.ended = True
            return [_message("end", None)]
        except OperationalError:
            return []
        return list(self._tell(job, events))

    def _tell(self, job: JobView, events: list[EventView]) -> Iterator[str]:
        for event in events:
            self.last_event = event.id
            yield _message(event.type, event, event.id)
        if job.progress != self.progress:
            self.progress = job.progress
            yield _message("progress", job.progress)
        if job.capture != self.capture:
            self.capture = job.capture
            yield _message("capture", job.capture)
        if job.state in FINAL:
            self.ended = True
            yield _message("end", job)


async def follow(store: Store, job_id: str, after: int) -> AsyncIterator[str]:
    follower = _Follower(store, job_id, after)
    told_s = time.monotonic()
    while not follower.ended:
        for message in await run_in_threadpool(follower.look):
            told_s = time.monotonic()
            yield message
        if time.monotonic() - told_s > KEEP_ALIVE_S:
            told_s = time.monotonic()
            yield ": still here\n\n"
        if not follower.ended:
            await asyncio.sleep(LOOK_EVERY_S)


def _message(event: str, document: BaseModel | None, number: int | None = None) -> str:
    identity = f"id: {number}\n" if number is not None else ""
    data = document.model_dump_json() if document is not None else "null"
    return f"{identity}event: {event}\ndata: {data}\n\n"
