"""The worker of Compose that stands in for `training`: asleep while that one lives, a worker on the CPU while it does not.

A reservation that Docker cannot serve keeps a container from starting, and Docker does not try again by itself. So where a
GPU is chosen this one stands beside it, without a reservation. Asleep it is no worker at all but this small process with one
question to the database now and then; awake it becomes `heimdall worker`, which ends when the other is back, so that Docker
starts this again. `python -m heimdall.service.worker.standby`.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from heimdall.errors import HeimdallError, InputError
from heimdall.execution.own_program import HEIMDALL, PYTHON
from heimdall.service import logs
from heimdall.service.database.store import Store
from heimdall.service.database.tables import Worker, now_unix_s
from heimdall.service.health.gpu import UNKNOWN, GpuState
from heimdall.service.hosting import LOOK_AT_TRAINING
from heimdall.service.settings import Settings, load_settings

log = logging.getLogger(__name__)

ASK_EVERY_S = 5.0
FRESH_S = 30.0
"""Three announcements."""


@dataclass(frozen=True)
class Heard:
    """What a worker last said of itself, `age_s` ago."""

    age_s: float
    proved: bool
    """It has looked at its GPU, whatever it found."""

    @property
    def fresh(self) -> bool:
        return self.age_s < FRESH_S


def heard_of(store: Store, worker: str) -> Heard | None:
    query = select(now_unix_s() - Worker.heartbeat_unix_s, Worker.gpu_reason).where(Worker.name == worker)
    with store.reading() as session:
        row = session.execute(query).one_or_none()
    return Heard(float(row[0]), row[1] != UNKNOWN) if row is not None else None


class Absence:
    """How long a worker has been away, as far as this process knows: it counts from its own start at the earliest."""

    def __init__(self, ask: Callable[[], Heard | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._seen_s = clock()

    def look(self) -> float:
        """Seconds. Without the database nobody can work, so that time does not count."""
        try:
            heard = self._ask()
            if heard is not None and heard.fresh:
                self._seen_s = self._clock()
        except SQLAlchemyError as error:
            log.warning("the database does not answer: %s", str(error).splitlines()[0])
            self._seen_s = self._clock()
        return self._clock() - self._seen_s


def sleep_while_it_lives(settings: Settings) -> None:
    """Returns when the worker has been away for `standby_after_s`."""
    name = settings.stands_in_for or ""
    store = Store(settings.database)
    absence = Absence(lambda: heard_of(store, name))
    while absence.look() < settings.standby_after_s:
        time.sleep(min(ASK_EVERY_S, settings.standby_after_s / 3))
    store.close()
    log.warning(
        "the worker %s has been away for %g s: its jobs that do not insist on a GPU go on here, on the CPU",
        name,
        settings.standby_after_s,
    )


class ReturnWatch(threading.Thread):
    """For a worker that stands in: calls `leave` once the other is back and has looked at its GPU."""

    def __init__(self, store: Store, name: str, leave: Callable[[], None]) -> None:
        super().__init__(name="return-watch", daemon=True)
        self._store, self._name, self._leave = store, name, leave
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while not self._stop_asked.wait(ASK_EVERY_S):
            if self._is_back():
                log.info("the worker %s is back: running jobs write a checkpoint and go there", self._name)
                return self._leave()

    def stop(self) -> None:
        self._stop_asked.set()

    def _is_back(self) -> bool:
        try:
            heard = heard_of(self._store, self._name)
        except SQLAlchemyError:
            return False
        return heard is not None and heard.fresh and heard.proved


class StandInWatch:
    """Instead of a look at a GPU: this worker has none, and why is known."""

    state = GpuState(
        False, f"the training container is not there: Docker could not start it, or it was stopped; {LOOK_AT_TRAINING}"
    )

    def start(self) -> None: ...

    def stop(self) -> None: ...


def end_this_process() -> None:
    """End as if Docker had asked: Celery leaves, jobs are put back."""
    os.kill(os.getpid(), signal.SIGTERM)


class _Asleep(BaseHTTPRequestHandler):
    timeout = 5.0

    def do_GET(self) -> None:
        body = b'{"status": "ok", "standby": "asleep"}'
        self.send_response(200 if self.path == "/health" else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Every few seconds somebody asks; that is no news."""


def main() -> int:
    try:
        settings = load_settings()
    except (HeimdallError, InputError) as error:
        print(f"heimdall: {error}", file=sys.stderr)
        return 2
    logs.configure(settings)
    # Nobody else may have made the tables yet; in a program of its own, because what makes them takes memory.
    if subprocess.run([*PYTHON, "-m", "heimdall.service.database.migrate"], check=False).returncode:
        return 1
    server = HTTPServer((settings.health_host, settings.health_port), _Asleep)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    sleep_while_it_lives(settings)
    server.shutdown()
    server.server_close()
    os.execv(sys.executable, [*HEIMDALL, "worker"])


if __name__ == "__main__":
    sys.exit(main())
