"""`heimdall worker`: Celery to hear notifications and answer `inspect ping`, the supervisor to do the work, and a health server.

One process with three parts that do not wait for each other.
"""

from __future__ import annotations

import fcntl
import logging
import secrets
import threading
from dataclasses import dataclass
from typing import IO

from celery import Celery, signals

from heimdall.errors import HeimdallError
from heimdall.files.artifacts import open_artifacts
from heimdall.service import logs
from heimdall.service.database.migrate import opened
from heimdall.service.database.store import Store
from heimdall.service.health import metrics, probes
from heimdall.service.health.gpu import GpuWatch, NoGpuWatch, watch_gpu
from heimdall.service.health.monitor import Health, Probe
from heimdall.service.health.server import HealthServer
from heimdall.service.health.statistics import DiskRoom
from heimdall.service.queue import notifications
from heimdall.service.queue.jobs import QueueStatistics
from heimdall.service.settings import Settings
from heimdall.service.worker.program.hiding import look_at_secrets
from heimdall.service.worker.standby import ReturnWatch, StandInWatch, end_this_process
from heimdall.service.worker.supervisor import Supervisor
from heimdall.service.worker.worker_heartbeat import WorkerHeartbeat

log = logging.getLogger(__name__)


def run_worker(settings: Settings) -> int:
    """Work until SIGTERM; the exit code."""
    logs.configure(settings)
    with claim_identity(settings) as identity, opened(settings) as store:
        parts = _assemble(settings, store, identity.owner)
        # Celery takes seconds to leave after SIGTERM; the trainings can write their checkpoints meanwhile.
        signals.worker_shutting_down.connect(lambda **_: parts.supervisor.begin_leaving(), weak=False)
        parts.start()
        try:
            return _listen(parts.app, settings)
        finally:
            log.info("leaving: running jobs write a checkpoint and go back into the queue")
            parts.leave()


@dataclass
class Identity:
    """This worker's place in the world: at most one process has it at a time."""

    owner: str
    _held: IO[str]

    def __enter__(self) -> Identity:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()


def claim_identity(settings: Settings) -> Identity:
    """Take the worker's name on this home folder, and the owner word that goes with it from process to process."""
    path = settings.home / "workers" / settings.worker
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise HeimdallError(
            f"a worker named {settings.worker} already runs on {settings.home}: stop it, or set HEIMDALL_WORKER_NAME"
        ) from None
    return Identity(_owner_word(file), file)


def _owner_word(file: IO[str]) -> str:
    file.seek(0)
    word = file.read().strip()
    if not word:
        word = secrets.token_hex(8)
        file.write(word)
        file.flush()
    return word


@dataclass
class _Parts:
    app: Celery
    supervisor: Supervisor
    gpu: GpuWatch | NoGpuWatch | StandInWatch
    health: Health
    server: HealthServer
    announcer: WorkerHeartbeat
    return_watch: ReturnWatch | None

    def start(self) -> None:
        self.server.start()
        self.gpu.start()
        self.health.start()
        self.supervisor.start()
        self.announcer.start()
        if self.return_watch is not None:
            self.return_watch.start()

    def leave(self) -> None:
        if self.return_watch is not None:
            self.return_watch.stop()
        self.supervisor.leave()
        self.announcer.stop()
        self.health.stop()
        self.gpu.stop()
        self.server.stop()


def _assemble(settings: Settings, store: Store, owner: str) -> _Parts:
    artifacts = open_artifacts(settings.artifact_address)
    gpu: GpuWatch | NoGpuWatch | StandInWatch = StandInWatch()
    if settings.stands_in_for is None:
        gpu = watch_gpu(settings.accelerator, idle=lambda: not supervisor.uses_device)
    supervisor = Supervisor(
        settings, store, artifacts, owner, lambda: gpu.state, lambda: health.hindrance("disk", "artifacts")
    )
    app = notifications.make_celery(settings, supervisor.ring)
    statistics, disk = QueueStatistics(), DiskRoom()
    announcer = WorkerHeartbeat(settings, store, lambda: gpu.state)
    health = Health(
        [
            *probes.of_both(settings, store, artifacts, app, statistics, disk, settings.worker),
            *probes.of_worker(settings, supervisor, gpu),
            Probe("secrets", look_at_secrets(settings), every_s=60.0),
        ]
    )
    server = HealthServer(
        settings.health_host,
        settings.health_port,
        health,
        metrics.Sources(
            health, lambda: statistics, lambda: supervisor.running, disk, supervisor.statistics, announcer.load
        ),
        lambda: supervisor.stuck_s < probes.STUCK_AFTER_S,
    )
    back = ReturnWatch(store, settings.stands_in_for, end_this_process) if settings.stands_in_for else None
    return _Parts(app, supervisor, gpu, health, server, announcer, back)


def _listen(app: Celery, settings: Settings) -> int:
    worker = app.Worker(
        hostname=notifications.node_name(settings.worker),
        queues=notifications.queues_of(settings),
        pool_cls="solo",
        concurrency=1,
        quiet=True,
        loglevel=settings.log_level,
        without_gossip=True,
        without_mingle=True,
    )
    assert threading.current_thread() is threading.main_thread(), "Celery takes the signals"
    worker.start()
    return int(worker.exitcode or 0)
