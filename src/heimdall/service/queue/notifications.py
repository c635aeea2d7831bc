"""The Celery application. Its one task is a notifier: it tells a worker to look at the database, which is the truth."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from celery import Celery

from heimdall.errors import HeimdallError
from heimdall.service.database.tables import Job
from heimdall.service.hosting import how_to_start_a_worker
from heimdall.service.queue import filesystem_broker
from heimdall.service.settings import Settings

log = logging.getLogger(__name__)

APP_NAME = "heimdall"
TASK = "heimdall.wake"
QUEUE = "heimdall"
GPU_QUEUE = "heimdall.gpu"
"""For jobs that ask for a GPU; heard by workers that may have one."""
_CONNECT_S = 3
_ANSWER_S = 1.5
_WORTH_HEARING_S = 60


def make_celery(settings: Settings, wake: Callable[[], None] = lambda: None) -> Celery:
    app = Celery(APP_NAME, broker=settings.broker or f"{filesystem_broker.SCHEME}://localhost", set_as_current=False)
    app.conf.update(
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=_CONNECT_S,
        broker_transport_options=_transport_options(settings),
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_acks_late=False,
        accept_content=["json"],
        task_serializer="json",
        worker_pool="solo",
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_enable_soft_shutdown_on_idle=False,
    )

    @app.task(name=TASK, shared=False)
    def wake_up(job_id: str = "") -> None:
        wake()

    return app


def _transport_options(settings: Settings) -> dict[str, Any]:
    if settings.broker is None:
        return filesystem_broker.transport_options(settings.broker_folder)
    if settings.broker.startswith(("redis", "rediss", "sentinel")):
        return {"socket_connect_timeout": _CONNECT_S, "socket_timeout": 10, "socket_keepalive": True}
    return {}


def queue_of(job: Job) -> str:
    return GPU_QUEUE if job.accelerator == "gpu" else QUEUE


def queues_of(settings: Settings) -> list[str]:
    """What a worker listens to. Which of them a notification came through decides nothing: the row does."""
    may_have_gpu = settings.accelerator != "cpu" and "gpu" in settings.takes
    return [QUEUE, GPU_QUEUE] if may_have_gpu else [QUEUE]


class Notifier:
    """Tells workers of a job, and waits for nobody. One that is lost does no harm: workers look at the database by themselves."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="notifier")

    def notify(self, job_id: str, queue: str = QUEUE) -> None:
        if self._sender._work_queue.qsize() < 100:
            self._sender.submit(self._send, job_id, queue)

    def close(self) -> None:
        self._sender.shutdown(wait=False, cancel_futures=True)

    def _send(self, job_id: str, queue: str) -> None:
        try:
            self._app.send_task(TASK, args=[job_id], queue=queue, expires=_WORTH_HEARING_S, retry=False)
        except Exception as error:  # a broker has as many ways to fail as it has drivers
            log.warning("the broker did not take the message that job %s waits: %s", job_id, error)


def look_at_broker(app: Celery, folder: Path | None = None) -> Callable[[], str]:
    """`folder` of the embedded broker, which is tidied on the way."""

    def look() -> str:
        if folder is not None:
            filesystem_broker.clear_stale(folder)
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=_CONNECT_S)
            return f"{connection.transport.driver_name or connection.transport_cls} answers"

    return look


def look_at_workers(app: Celery, worker: str | None = None) -> Callable[[], str]:
    """`inspect ping`, to one worker by its name or to all; must be called from one thread only."""

    def look() -> str:
        destination = [node_name(worker)] if worker else None
        answers = app.control.ping(destination=destination, timeout=_ANSWER_S)
        names = sorted(name for answer in answers for name in answer)
        if not names:
            raise HeimdallError(f"no worker answers `inspect ping`: {how_to_start_a_worker()}")
        return f"{', '.join(names)} answers"

    return look


def node_name(worker: str) -> str:
    return f"{APP_NAME}@{worker}"
