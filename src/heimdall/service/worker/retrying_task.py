"""Work in a thread of the worker's pool that is tried again for a while, as a store that does not answer may answer soon."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Generic, TypeVar

from heimdall.errors import HeimdallError

log = logging.getLogger(__name__)

PATIENCE_S = 120.0
_AGAIN_S = 2.0
Result = TypeVar("Result")


class RetryingTask(Generic[Result]):
    """Begins at once; `poll` tells how it goes."""

    def __init__(self, executor: Executor, work: Callable[[], Result], patience_s: float = PATIENCE_S) -> None:
        self._executor = executor
        self._work = work
        self._deadline_s = time.monotonic() + patience_s
        self._again_s: float | None = None
        self._future: Future[Result] = executor.submit(work)

    def poll(self) -> Future[Result] | None:
        """None while it is under way. HeimdallError and ValueError are answers; anything else is tried again in time."""
        if self._again_s is not None:
            if time.monotonic() < self._again_s:
                return None
            self._again_s, self._future = None, self._executor.submit(self._work)
        if not self._future.done():
            return None
        error = self._future.exception()
        if error is None or isinstance(error, HeimdallError | ValueError) or time.monotonic() > self._deadline_s:
            return self._future
        log.warning("not yet: %s; trying again", " ".join(str(error).split())[:300] or type(error).__name__)
        self._again_s = time.monotonic() + _AGAIN_S
        return None
