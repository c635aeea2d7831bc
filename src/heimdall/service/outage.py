"""What a process says of a database that does not answer: at once, then once a minute, and that it is back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from heimdall.files.disk import FULL, is_disk_full

log = logging.getLogger(__name__)

_AGAIN_S = 60.0


class OutageLog:
    """For all threads of a process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._told_s: float | None = None

    def tell(self, error: Exception) -> None:
        with self._lock:
            now_s = self._clock()
            if self._told_s is not None and now_s - self._told_s < _AGAIN_S:
                return
            self._told_s = now_s
        log.warning("the database does not take it: %s", FULL if is_disk_full(error) else first_line(error))

    def over(self) -> None:
        with self._lock:
            was_told, self._told_s = self._told_s is not None, None
        if was_told:
            log.warning("the database answers again")


database_outage = OutageLog()


def first_line(error: Exception) -> str:
    """Without the statement and its values, which SQLAlchemy puts below."""
    return (str(error).splitlines() or [type(error).__name__])[0]
