"""What a process counts of itself for Prometheus."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

LEASE_LOST = "lease-lost"
"""How an attempt ended that another worker may have taken over: beside the words of `Ending`."""

_STANDS_STILL_S = 300.0


@dataclass
class DiskRoom:
    """Room on the disk of the home folder, as last seen; 0 before."""

    free_bytes: int = 0
    total_bytes: int = 0


@dataclass
class WorkStatistics:
    """Statistics of a worker since it began. Written by its supervisor, read by whoever asks for metrics."""

    started: Counter[str] = field(default_factory=Counter)
    """Attempts by kind of job."""
    ended: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Attempts by kind of job and how they ended."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _steps: dict[str, tuple[int, float, float]] = field(default_factory=dict, repr=False)
    """Of each job that runs: its last step, when it was seen, and steps a second before it."""

    def step(self, job_id: str, step: int) -> None:
        """A job was seen to be at a step."""
        now_s = time.monotonic()
        with self._lock:
            before, seen_s, rate = self._steps.get(job_id, (step, now_s, 0.0))
            if step > before and now_s > seen_s:
                rate = (step - before) / (now_s - seen_s)
            elif step == before and job_id in self._steps:
                return
            self._steps[job_id] = step, now_s, rate

    def end(self, job_id: str, kind: str, how: str) -> None:
        with self._lock:
            self._steps.pop(job_id, None)
            self.ended[kind, how] += 1

    def steps_per_s(self) -> float:
        """Training steps per second of all jobs; one that has made none for so long that it may have stopped does not count."""
        now_s = time.monotonic()
        with self._lock:
            return sum(rate for _, seen_s, rate in self._steps.values() if now_s - seen_s < _STANDS_STILL_S)
