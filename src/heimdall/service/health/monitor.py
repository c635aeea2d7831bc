"""Whether this process can do its work: each thing it depends on, looked at in the background, told at once.

A question about health must not wait for what is broken. Every dependency has a thread that looks again and again; `Health`
only reads what was last seen, and calls a look that takes too long a failure.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from heimdall.errors import HeimdallError

log = logging.getLogger(__name__)

_RETRY_S = 1.0
"""How soon to look again at what has failed."""
_SETTLE_S = 5.0
"""What is amiss so soon after the start is told only if it stays: a worker that starts beside the server answers by then."""
FIRST_ANSWER_S = 0.5
"""How long the very first question may wait for the first looks."""


class Status(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    """Works, but not as well as it could."""
    FAILED = "failed"


@dataclass(frozen=True)
class Dependency:
    """One thing that the process depends on, as it was last seen."""

    name: str
    ok: bool
    status: Status
    detail: str
    latency_ms: float | None


class Degraded(HeimdallError):  # noqa: N818 - not an error
    """Raised by a look to say: it goes on, but a person should know this."""


Look = Callable[[], str]
"""Returns what was seen to work; raises with the reason when it does not."""


class Probe:
    """One dependency and the thread that looks at it every `every_s` seconds."""

    def __init__(self, name: str, look: Look, *, every_s: float = 5.0, limit_s: float = 3.0) -> None:
        self.name = name
        self._look = look
        self._every_s = every_s
        self._limit_s = limit_s
        self._seen: Dependency | None = None
        self._told = Status.OK
        self._made_s = time.monotonic()
        self._begun_s: float | None = None
        self._first = threading.Event()
        self._stop = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"probe-{self.name}", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def wait_first(self, timeout_s: float) -> None:
        self._first.wait(timeout_s)

    @property
    def seen(self) -> Dependency:
        begun_s = self._begun_s
        if begun_s is not None and time.monotonic() - begun_s > self._limit_s:
            return Dependency(self.name, False, Status.FAILED, f"no answer within {self._limit_s:g} s", None)
        return self._seen or Dependency(self.name, False, Status.FAILED, "starting: not looked at yet", None)

    def look(self) -> Dependency:
        begun_s = self._begun_s = time.monotonic()
        status, detail = _outcome(self._look)
        latency_ms = round((time.monotonic() - begun_s) * 1000, 1)
        seen = Dependency(self.name, status is Status.OK, status, detail, latency_ms)
        self._tell_change(seen)
        self._seen, self._begun_s = seen, None
        self._first.set()
        return seen

    def _run(self) -> None:
        while not self._stop.is_set():
            seen = self.look()
            self._stop.wait(self._every_s if seen.ok else min(self._every_s, _RETRY_S))

    def _tell_change(self, seen: Dependency) -> None:
        settled = seen.ok or time.monotonic() - self._made_s >= _SETTLE_S
        if seen.status is not self._told and settled:
            self._told = seen.status
            level = logging.INFO if seen.ok else logging.WARNING
            log.log(level, "%s is %s: %s", seen.name, seen.status, seen.detail)


@dataclass(frozen=True)
class Readiness:
    dependencies: Sequence[Dependency]

    @property
    def ready(self) -> bool:
        return all(dependency.status is not Status.FAILED for dependency in self.dependencies)

    def document(self) -> dict[str, Any]:
        return {"ready": self.ready, "dependencies": [asdict(dependency) for dependency in self.dependencies]}


class Health:
    """All dependencies of a process; its probes look in threads of their own."""

    def __init__(self, probes: Sequence[Probe]) -> None:
        self._probes = probes

    def start(self) -> None:
        for probe in self._probes:
            probe.start()

    def stop(self) -> None:
        for probe in self._probes:
            probe.stop()

    def readiness(self) -> Readiness:
        deadline_s = time.monotonic() + FIRST_ANSWER_S
        for probe in self._probes:
            probe.wait_first(max(0.0, deadline_s - time.monotonic()))
        return Readiness([probe.seen for probe in self._probes])

    def hindrance(self, *names: str) -> str | None:
        """Why one of these dependencies does not let the work begin; None where all of them do."""
        seen = [probe.seen for probe in self._probes if probe.name in names]
        return next((f"{each.name}: {each.detail}" for each in seen if each.status is Status.FAILED), None)


def _outcome(look: Look) -> tuple[Status, str]:
    try:
        return Status.OK, look()
    except Degraded as reason:
        return Status.DEGRADED, str(reason)
    except Exception as error:  # whatever a driver, a socket or a disk may raise is the answer here
        return Status.FAILED, _one_line(error)


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
