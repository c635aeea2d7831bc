"""The documents the API answers with."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from heimdall.runs.reader import Warned
from heimdall.service.database.tables import Job, JobEvent, Worker
from heimdall.service.queue.jobs import State
from heimdall.service.queue.matching import EVERYTHING, Needs, Offer, why_waiting
from heimdall.service.receivers.capture_view import CaptureView, view_capture

_EXAMPLE_ID = "0123456789abcdef"


class AcceleratorView(BaseModel):
    asked: str | None = Field(description="Device that the job asked for; null for that of the worker.")
    requested: str | None = Field(description="Device that its last attempt was started with.", examples=["auto"])
    used: str | None = Field(examples=["cpu"])
    reason: str | None = Field(description="Why the GPU was not used.")
    device: str | None
    precision: str | None


class ProgressView(BaseModel):
    step: int | None = Field(description="Steps done; of a job that records, recordings.")
    steps_total: int | None
    fraction: float | None = Field(description="Share of the work that is done, 0 to 1.", examples=[0.42])
    eta_s: float | None = Field(description="Estimated time left.")
    loss: float | None
    phase: str | None = Field(examples=["train"])


class CheckpointView(BaseModel):
    path: str = Field(description="Path of the checkpoint below the run folder.")
    written_utc: datetime


class JobView(BaseModel):
    id: str = Field(examples=[_EXAMPLE_ID])
    kind: str = Field(examples=["train"])
    name: str
    state: State
    waiting: str | None = Field(
        description="Why no live worker can take the job; null if it only waits for its turn.",
        examples=["waiting: needs a GPU with 24 GB; no worker has one"],
    )
    needs: Needs
    request: dict[str, Any] = Field(
        description="Request that the job was created with.", examples=[{"recipe": "quick"}]
    )
    created_by: str
    created_utc: datetime
    updated_utc: datetime
    started_utc: datetime | None
    finished_utc: datetime | None
    elapsed_s: float | None = Field(
        description="Time from its first start to its end, or until now, including pauses.", examples=[312.4]
    )
    attempts: int
    attempts_max: int
    worker: str | None
    heartbeat_utc: datetime | None
    accelerator: AcceleratorView
    progress: ProgressView
    capture: CaptureView | None = Field(description="What the receivers of a job that records are doing.")
    checkpoint: CheckpointView | None
    error: str | None
    result: dict[str, Any] | None


class EventView(BaseModel):
    id: int
    at_utc: datetime
    type: str = Field(
        description="Type of the event: a state, `warning`, `model`, `recording` or `fix`.", examples=["running"]
    )
    message: str


class JobPage(BaseModel):
    jobs: list[JobView]


class MetricsView(BaseModel):
    metrics: list[dict[str, Any]] = Field(
        description="One object per step, oldest first.", examples=[[{"step": 100, "loss": 3.2}]]
    )
    warnings: list[Warned]


class LogView(BaseModel):
    offset: int = Field(description="Where the text begins, in bytes.")
    next_offset: int = Field(description="Offset to ask for next.")
    text: str


class WorkerView(BaseModel):
    name: str
    started_utc: datetime
    heartbeat_utc: datetime
    accelerator: str
    gpu_usable: bool
    gpu_reason: str | None
    devices: list[str]
    versions: dict[str, str | None]
    takes: list[str] = Field(
        description="Jobs that this worker takes: those that ask for one of these, or for neither."
    )
    memory_gb: float | None = Field(description="Main memory for the worker's jobs.", examples=[16.0])
    gpu_memory_gb: list[float | None] = Field(description="Memory of each device.", examples=[[25.4]])
    load: dict[str, Any] | None = Field(
        description="Memory, processors, and each GPU with its temperature.",
        examples=[{"memory_used_bytes": 4_000_000_000, "memory_total_bytes": 16_000_000_000, "gpus": []}],
    )


class QueueView(BaseModel):
    jobs: dict[State, int] = Field(description="Number of jobs by state.")
    workers: list[WorkerView]


class ExaminationView(BaseModel):
    findings: list[dict[str, Any]]
    verdict: str | None = Field(examples=["cpu"])
    reason: str | None


class DoctorView(BaseModel):
    here: ExaminationView = Field(description="What the doctor finds where the API runs.")
    workers: dict[str, ExaminationView] = Field(
        description="What the doctor finds where each worker runs, by the worker's name."
    )


class VersionsView(BaseModel):
    here: dict[str, str | None]
    workers: dict[str, dict[str, str | None]]


def view_job(job: Job, offers: Sequence[Offer]) -> JobView:
    """`offers` of the workers that live."""
    return JobView(
        id=job.id,
        kind=job.kind,
        name=job.name,
        state=State(job.state),
        waiting=why_waiting(job, offers),
        needs=Needs(gpu=job.needs_gpu, gpu_memory_gb=job.needs_gpu_memory_gb, memory_gb=job.needs_memory_gb),
        request=job.arguments,
        created_by=job.created_by,
        created_utc=_time(job.created_unix_s),
        updated_utc=_time(job.updated_unix_s),
        started_utc=_maybe_time(job.started_unix_s),
        finished_utc=_maybe_time(job.finished_unix_s),
        elapsed_s=elapsed_s(job),
        attempts=job.attempts,
        attempts_max=job.attempts_max,
        worker=job.worker,
        heartbeat_utc=_maybe_time(job.heartbeat_unix_s),
        accelerator=_view_accelerator(job),
        progress=view_progress(job),
        capture=view_capture(job),
        checkpoint=_view_checkpoint(job),
        error=job.error,
        result=job.result,
    )


def elapsed_s(job: Job) -> float | None:
    """From a job's first start to its end, or to now; None before it was started."""
    if job.started_unix_s is None:
        return None
    return round(max((job.finished_unix_s or time.time()) - job.started_unix_s, 0.0), 1)


def view_progress(job: Job) -> ProgressView:
    return ProgressView(
        step=job.step,
        steps_total=job.steps_total,
        fraction=job.fraction,
        eta_s=job.eta_s,
        loss=job.loss,
        phase=job.phase,
    )


def view_event(event: JobEvent) -> EventView:
    return EventView(id=event.id, at_utc=_time(event.at_unix_s), type=event.type, message=event.message)


def view_worker(worker: Worker) -> WorkerView:
    return WorkerView(
        name=worker.name,
        started_utc=_time(worker.started_unix_s),
        heartbeat_utc=_time(worker.heartbeat_unix_s),
        accelerator=worker.accelerator,
        gpu_usable=worker.gpu_usable,
        gpu_reason=worker.gpu_reason,
        devices=worker.devices,
        versions=worker.versions,
        takes=worker.takes or list(EVERYTHING),
        memory_gb=worker.memory_gb,
        gpu_memory_gb=worker.gpu_memory_gb or [],
        load=worker.load,
    )


def view_examination(document: dict[str, Any] | None) -> ExaminationView:
    found = document or {}
    return ExaminationView(findings=found.get("findings", []), verdict=found.get("verdict"), reason=found.get("reason"))


def _view_accelerator(job: Job) -> AcceleratorView:
    return AcceleratorView(
        asked=job.accelerator,
        requested=job.accelerator_requested,
        used=job.accelerator_used,
        reason=job.accelerator_reason,
        device=job.device,
        precision=job.precision,
    )


def _view_checkpoint(job: Job) -> CheckpointView | None:
    if job.checkpoint is None or job.checkpoint_unix_s is None:
        return None
    return CheckpointView(path=job.checkpoint, written_utc=_time(job.checkpoint_unix_s))


def _time(unix_s: float) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC)


def _maybe_time(unix_s: float | None) -> datetime | None:
    return _time(unix_s) if unix_s is not None else None
