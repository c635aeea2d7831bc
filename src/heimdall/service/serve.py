"""`heimdall serve`: the API, and with nothing configured a worker of its own beside it."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext

import uvicorn
from fastapi import FastAPI

from heimdall.errors import HeimdallError
from heimdall.execution.own_program import HEIMDALL
from heimdall.service import logs
from heimdall.service.api import create_app
from heimdall.service.auth import first_token
from heimdall.service.database.migrate import opened
from heimdall.service.database.store import Store
from heimdall.service.settings import PREFIX, Settings
from heimdall.service.worker.program.process import WatchedProcess

log = logging.getLogger(__name__)

_OPEN_STREAMS_S = 3
_KEEP_ALIVE_S = 75
"""Longer than clients and proxies keep a connection: one that we close under a request is a request lost."""
_LEAVE_S = 15.0
"""For the worker to leave Celery and close its parts, beyond the time its trainings have."""
_RESTART_MAX_S = 30.0
_Decorate = Callable[[FastAPI], None]


def run_serve(settings: Settings, *, with_worker: bool | None = None, decorate: _Decorate = lambda app: None) -> int:
    """Serve until SIGTERM or Ctrl-C. `decorate` puts more on the application, such as the page."""
    logs.configure(settings)
    own_worker = settings.embedded if with_worker is None else with_worker
    with opened(settings) as store:
        _print_first_token(store, settings)
        app = create_app(settings, store)
        decorate(app)
        with EmbeddedWorker(settings) if own_worker else nullcontext():
            return _serve(app, settings)


def _serve(app: FastAPI, settings: Settings) -> int:
    server = uvicorn.Server(_config(app, settings))
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn handles them, and raises them again when it is done; by then there is only our own tidying left.
        signal.signal(number, lambda *_: None)
    try:
        server.run()
    except SystemExit:  # uvicorn has already told the log that it cannot bind
        raise HeimdallError(f"cannot serve on {settings.host}:{settings.port}: choose another with --port") from None
    return 0


def _config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=_OPEN_STREAMS_S,
        timeout_keep_alive=_KEEP_ALIVE_S,
    )


class EmbeddedWorker:
    """`heimdall worker` as a child that ends with its parent, and is started again when it dies."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._leaving = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="embedded-worker", daemon=True)

    def __enter__(self) -> EmbeddedWorker:
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._keeper.join(self._settings.stop_grace_s + _LEAVE_S)

    def _keep(self) -> None:
        pause_s = 1.0
        while not self._leaving.is_set():
            code = self._mind(self._start())
            if not self._leaving.is_set():
                log.error("the embedded worker ended with exit code %s; starting it again in %g s", code, pause_s)
                self._leaving.wait(pause_s)
                pause_s = min(2 * pause_s, _RESTART_MAX_S)

    def _mind(self, process: WatchedProcess) -> int | None:
        """Its exit code once it has ended, by itself or because we leave."""
        while (code := process.wait(0.2)) is None:
            if self._leaving.is_set():
                process.stop()
                return process.wait(self._settings.stop_grace_s + _LEAVE_S)
        return code

    def _start(self) -> WatchedProcess:
        home = self._settings.home
        home.mkdir(parents=True, exist_ok=True)
        return WatchedProcess(
            [*HEIMDALL, "worker", "--health-port", str(_free_or_any(self._settings))],
            lock=home / "embedded-worker.lock",
            grace_s=self._settings.stop_grace_s,
            environment=os.environ | {f"{PREFIX}HOME": str(home)},
        )


def _free_or_any(settings: Settings) -> int:
    """The configured port for health, or 0 when somebody else has it: the API tells the same."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.health_host, settings.health_port))
        except OSError:
            return 0
    return settings.health_port


def _print_first_token(store: Store, settings: Settings) -> None:
    word = first_token(store, settings)
    if word is not None:
        print(f"First start: this admin token is shown once, keep it.\n\n    {word}\n", file=sys.stderr, flush=True)
