"""Jobs: create, follow, cancel, pause, resume, delete."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Body, Header, Query, Request, Response, status
from fastapi.params import Path as InPath
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session

from heimdall.runs.reader import LOG_PAGE_BYTES
from heimdall.service.api.dependencies import Admin, Operator, Parts, UsesParts, Viewer
from heimdall.service.api.http.paged import UsesPage, link_next
from heimdall.service.api.http.problems import documented
from heimdall.service.api.routes import live
from heimdall.service.api.schemas import (
    EventView,
    JobPage,
    JobView,
    LogView,
    MetricsView,
    view_event,
    view_job,
)
from heimdall.service.database.tables import Job
from heimdall.service.queue import job_requests, jobs
from heimdall.service.queue.jobs import State
from heimdall.service.queue.matching import living
from heimdall.service.queue.notifications import queue_of
from heimdall.service.queue.submit import submit

router = APIRouter(prefix="/jobs", tags=["jobs"], responses=documented(401, 403, 422, 503))

JobId = Annotated[str, InPath(pattern=r"^[0-9a-f]{16}$", examples=["0123456789abcdef"])]
_PAGE = 50
_EXAMPLES = {
    "train": {"summary": "Train from a recipe", "value": {"kind": "train", "recipe": "quick"}},
    "overrides": {
        "summary": "Train with other values, on the GPU if one is there",
        "value": {"kind": "train", "recipe": "quick", "overrides": {"optimizer.lr": 0.001}, "accelerator": "gpu"},
    },
    "needs": {
        "summary": "Train where there is a GPU of 24 GB, and wait until there is",
        "value": {"kind": "train", "recipe": "quick", "needs": {"gpu_memory_gb": 24}},
    },
    "record": {
        "summary": "Record receivers together, and locate",
        "value": {
            "kind": "record",
            "frequency_hz": 77500,
            "bandwidth_hz": 1000,
            "seconds": 30,
            "receivers": ["alpha", "beta", "gamma"],
        },
    },
    "watch": {
        "summary": "Record whenever the signal is there, for a day at most",
        "value": {
            "kind": "watch",
            "frequency_hz": 77500,
            "bandwidth_hz": 1000,
            "seconds": 20,
            "squelch": {"open_db": 10},
            "until_utc": "2030-01-31T18:00:00Z",
        },
    },
}


@router.post("", status_code=201, summary="Create a job", responses=documented(404, 413))
def create(
    request: Annotated[job_requests.JobRequest, Body(openapi_examples=_EXAMPLES)],
    response: Response,
    who: Operator,
    parts: UsesParts,
) -> JobView:
    """The job waits in the queue until a worker has a free device or, to record, a free slot for recordings."""
    request = parts.planner.completed(request)
    job = submit(parts.store, request, parts.settings, who.name)
    with parts.store.reading() as session:
        view = _view(session, job, parts)
    parts.notifier.notify(job.id, queue_of(job))
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return view


@router.get("", summary="List jobs, the newest first")
def find(
    request: Request,
    response: Response,
    who: Viewer,
    parts: UsesParts,
    page: UsesPage,
    state: State | None = None,
    kind: str | None = None,
) -> JobPage:
    """A page has fifty jobs if no `limit` is given."""
    with parts.store.reading() as session:
        offers = living(session, parts.settings.lease_s)
        found = jobs.find_part(session, replace(page, limit=page.limit or _PAGE), state=state, kind=kind)
    link_next(request, response, found)
    return JobPage(jobs=[view_job(job, offers) for job in found.rows])


@router.get("/{job_id}", summary="One job", responses=documented(404))
def get(job_id: JobId, who: Viewer, parts: UsesParts) -> JobView:
    with parts.store.reading() as session:
        return _view(session, jobs.get(session, job_id), parts)


@router.post("/{job_id}/cancel", summary="Cancel a job", responses=documented(404, 409))
def cancel(job_id: JobId, who: Operator, parts: UsesParts) -> JobView:
    """A running program gets a few seconds to end, and is then killed. The state is `cancelling` until it is gone."""
    with parts.store.writing() as session:
        return _view(session, jobs.cancel(session, job_id, who.name), parts)


@router.post("/{job_id}/pause", summary="Pause a job", responses=documented(404, 409))
def pause(job_id: JobId, who: Operator, parts: UsesParts) -> JobView:
    """The program writes a checkpoint and ends; its device is free for others."""
    with parts.store.writing() as session:
        return _view(session, jobs.pause(session, job_id, who.name), parts)


@router.post("/{job_id}/resume", summary="Resume a paused or failed job", responses=documented(404, 409))
def resume(job_id: JobId, who: Operator, parts: UsesParts) -> JobView:
    """The job goes back into the queue and continues from its last checkpoint."""
    with parts.store.writing() as session:
        job = jobs.resume(session, job_id, who.name)
        view = _view(session, job, parts)
    parts.notifier.notify(job.id, queue_of(job))
    return view


@router.delete("/{job_id}", status_code=204, summary="Delete a job", responses=documented(404, 409))
def delete(job_id: JobId, who: Admin, parts: UsesParts) -> None:
    """Also deletes its log, metrics and checkpoints. Models that it made stay."""
    with parts.store.writing() as session:
        jobs.delete(session, job_id)
    parts.folders.delete(job_id)


@router.get("/{job_id}/history", summary="What happened to a job", responses=documented(404))
def history(
    job_id: JobId,
    who: Viewer,
    parts: UsesParts,
    after: Annotated[int, Query(ge=0, description="Return the events after the one with this id.")] = 0,
    limit: Annotated[int | None, Query(ge=1, le=500)] = None,
) -> list[EventView]:
    with parts.store.reading() as session:
        jobs.get(session, job_id)
        return [view_event(event) for event in jobs.events(session, job_id, after, limit)]


@router.get(
    "/{job_id}/events",
    summary="Follow a job live, as server-sent events",
    response_class=StreamingResponse,
    responses=documented(404) | {status.HTTP_200_OK: live.DOCUMENTED},
)
def events(
    job_id: JobId,
    who: Viewer,
    parts: UsesParts,
    last_event_id: Annotated[
        str | None, Header(description="Continue after this event.", pattern=r"^\d{1,18}$")
    ] = None,
) -> StreamingResponse:
    """Sends everything that has happened, then what happens until the job ends: `progress`, and an event type for each state."""
    with parts.store.reading() as session:
        jobs.get(session, job_id)
    return StreamingResponse(live.follow(parts.store, job_id, int(last_event_id or 0)), media_type=live.MEDIA_TYPE)


@router.get("/{job_id}/metrics", summary="Losses, errors and warnings", responses=documented(404))
def metrics(job_id: JobId, who: Viewer, parts: UsesParts, after_step: Annotated[int, Query(ge=-1)] = -1) -> MetricsView:
    folder = parts.folders.of(_known(job_id, parts))
    return MetricsView(metrics=folder.metrics(after_step), warnings=folder.warnings())


@router.get("/{job_id}/log", summary="A piece of the log", responses=documented(404))
def log(
    job_id: JobId,
    who: Viewer,
    parts: UsesParts,
    offset: Annotated[
        int,
        Query(
            description="Where to begin in the log, in bytes; a negative offset counts from the end.",
            ge=-(2**40),
            le=2**40,
        ),
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=16 * LOG_PAGE_BYTES)] = LOG_PAGE_BYTES,
) -> LogView:
    page = parts.folders.of(_known(job_id, parts)).log_page(offset, limit)
    return LogView(offset=page.offset, next_offset=page.next_offset, text=page.text)


def _view(session: Session, job: Job, parts: Parts) -> JobView:
    return view_job(job, living(session, parts.settings.lease_s))


def _known(job_id: str, parts: Parts) -> str:
    with parts.store.reading() as session:
        return jobs.get(session, job_id).id
