"""What a worker and the API look at to know whether they are ready."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

from celery import Celery
from sqlalchemy import select, text

from heimdall.errors import HeimdallError
from heimdall.files.artifacts import Artifacts
from heimdall.service.database.store import Store
from heimdall.service.database.tables import Worker, now_unix_s
from heimdall.service.health.gpu import GpuState, describe
from heimdall.service.health.monitor import Degraded, Look, Probe
from heimdall.service.health.statistics import DiskRoom
from heimdall.service.hosting import how_to_start_a_worker
from heimdall.service.queue import notifications
from heimdall.service.queue.jobs import QueueStatistics, count_queue
from heimdall.service.settings import Settings

STUCK_AFTER_S = 60.0


class Moves(Protocol):
    """The supervisor, as far as it matters here."""

    @property
    def stuck_s(self) -> float: ...

    @property
    def running(self) -> Collection[object]: ...


class KnowsGpu(Protocol):
    @property
    def state(self) -> GpuState | None: ...


def of_both(
    settings: Settings,
    store: Store,
    artifacts: Artifacts,
    app: Celery,
    statistics: QueueStatistics,
    disk: DiskRoom,
    worker: str | None = None,
) -> Sequence[Probe]:
    """`statistics` and `disk` are kept up to date; `worker` is the one that must answer, None: any."""
    return [
        Probe("database", look_at_database(store, statistics, settings.lease_s)),
        Probe("broker", notifications.look_at_broker(app, settings.broker_folder if settings.broker is None else None)),
        Probe(
            "celery",
            notifications.look_at_workers(app, worker) if worker else _wished(notifications.look_at_workers(app)),
        ),
        Probe("artifacts", artifacts.check, every_s=15.0),
        Probe("disk", look_at_disk(settings.home, settings.disk_free_min_gb, disk)),
    ]


def of_worker(settings: Settings, supervisor: Moves, gpu: KnowsGpu) -> Sequence[Probe]:
    return [
        Probe("supervisor", look_at_supervisor(supervisor)),
        # A worker that stands in was promised none.
        Probe("gpu", look_at_gpu("auto" if settings.stands_in_for else settings.accelerator, gpu), every_s=1.0),
    ]


def of_api(store: Store, lease_s: float, mlflow: Look) -> Sequence[Probe]:
    return [
        Probe("gpu", look_at_workers_gpu(store, lease_s)),
        Probe("mlflow", mlflow, every_s=15.0, limit_s=10.0),
    ]


def look_at_database(store: Store, statistics: QueueStatistics, lease_s: float) -> Look:
    """Whether the database answers; counts the queue on the way."""

    def look() -> str:
        with store.reading() as session:
            session.execute(text("SELECT 1"))
            count_queue(session, statistics, lease_s)
        return f"{store.engine.dialect.name} answers"

    return look


def look_at_disk(folder: Path, free_min_gb: float, room: DiskRoom) -> Look:
    """Whether a folder has so many GB to spare; keeps what it found in `room`."""

    def look() -> str:
        folder.mkdir(parents=True, exist_ok=True)
        usage = shutil.disk_usage(folder)
        room.free_bytes, room.total_bytes = usage.free, usage.total
        free_gb = usage.free / 1e9
        if free_gb < free_min_gb:
            raise HeimdallError(f"{free_gb:.2f} GB free at {folder}, {free_min_gb:g} GB wanted: delete old runs")
        return f"{free_gb:.1f} GB free at {folder}"

    return look


def look_at_supervisor(supervisor: Moves) -> Look:
    """Whether the worker's loop still moves."""

    def look() -> str:
        if supervisor.stuck_s > STUCK_AFTER_S:
            raise HeimdallError(f"the supervisor has not moved for {supervisor.stuck_s:.0f} s: restart the worker")
        return f"{len(supervisor.running)} jobs running"

    return look


def look_at_gpu(accelerator: str, gpu: KnowsGpu) -> Look:
    """Required with `gpu`, wished for with `auto`, no matter with `cpu`."""

    def look() -> str:
        state = gpu.state
        if state is None:
            raise HeimdallError("still being proved: ask again in a minute")
        if state.usable or accelerator == "cpu":
            return describe(state)
        if accelerator == "gpu":
            raise HeimdallError(describe(state))
        raise Degraded(f"training runs on the CPU: {describe(state)}")

    return look


def look_at_workers_gpu(store: Store, lease_s: float) -> Look:
    """What the workers say of their GPUs; the API itself needs none, so it is never less than degraded."""

    def look() -> str:
        with store.reading() as session:
            workers = session.scalars(select(Worker).where(Worker.heartbeat_unix_s > now_unix_s() - lease_s)).all()
        usable = [worker.name for worker in workers if worker.gpu_usable]
        if usable:
            return f"usable on {', '.join(usable)}"
        if workers and all(worker.accelerator == "cpu" for worker in workers):
            return "not asked for"
        reasons = [f"{worker.name}: {worker.gpu_reason or 'not asked for'}" for worker in workers]
        raise Degraded("; ".join(reasons) or f"no worker is there: {how_to_start_a_worker()}")

    return look


def _wished(look: Look) -> Look:
    """A failure of this is no reason to turn people away: what they ask for waits in the database."""

    def wish() -> str:
        try:
            return look()
        except Exception as error:
            raise Degraded(f"jobs wait in the queue: {error}") from error

    return wish
