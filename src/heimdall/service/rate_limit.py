"""How often one person, or one address, may ask."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from heimdall.service.errors import TooOftenError

_MINUTE_S = 60.0


class RateLimit:
    """At most `per_minute` requests a minute for each name."""

    def __init__(
        self, per_minute: int, clock: Callable[[], float] = time.monotonic, what: str = "requests to locate"
    ) -> None:
        self._per_minute = per_minute
        self._what = what
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, deque[float]] = {}

    def check(self, name: str) -> None:
        """Count one. Raises TooOftenError where it is one too many."""
        with self._lock:
            self._check_room(name)
            self._seen.setdefault(name, deque()).append(self._clock())

    def check_room(self, name: str) -> None:
        """`check` without counting."""
        with self._lock:
            self._check_room(name)

    def count(self, name: str) -> None:
        """Count one, too many or not."""
        with self._lock:
            self._forget()  # names may come from outside, and as many as one likes
            self._seen.setdefault(name, deque()).append(self._clock())

    def _forget(self) -> None:
        now = self._clock()
        for name in [name for name, seen in self._seen.items() if seen[-1] <= now - _MINUTE_S]:
            del self._seen[name]

    def _check_room(self, name: str) -> None:
        now = self._clock()
        seen = self._seen.get(name, deque())
        while seen and seen[0] <= now - _MINUTE_S:
            seen.popleft()
        if not seen:
            self._seen.pop(name, None)
        elif len(seen) >= self._per_minute:
            wait_s = seen[0] + _MINUTE_S - now
            raise TooOftenError(f"more than {self._per_minute} {self._what} in a minute: slow down", wait_s)
