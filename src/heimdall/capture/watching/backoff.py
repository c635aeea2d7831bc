"""Receivers that fail are left alone for a while, twice as long each time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from heimdall.capture.faults import Fault
from heimdall.capture.recording.parts import Part

_FIRST_S, _MOST_S = 30.0, 3600.0


@dataclass
class _Failed:
    times: int
    until_s: float
    reason: str


class Backoff:
    """How long receivers are left alone, each by its last fault; one that does not pass by itself waits longest at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: dict[str, _Failed] = {}

    def left_out(self, name: str) -> str | None:
        """Why a receiver is not asked now; None: it is."""
        failed = self._failed.get(name)
        if failed is None or self._clock() >= failed.until_s:
            return None
        return f"left out for {failed.until_s - self._clock():.0f} s more: {failed.reason}"

    def learn(self, part: Part) -> None:
        if part.fault is None:
            self._failed.pop(part.name, None)
        else:
            self.failed(part.name, part.fault, part.reason or "it failed")

    def failed(self, name: str, fault: Fault, reason: str) -> None:
        times = self._failed[name].times + 1 if name in self._failed else 1
        wait_s = min(_MOST_S, _FIRST_S * 2 ** min(times - 1, 10)) if fault.passing else _MOST_S
        self._failed[name] = _Failed(times, self._clock() + wait_s, reason)
