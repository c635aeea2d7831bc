"""Locating for many at once: a bounded number of requests side by side, a bounded queue behind them, models kept warm."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from heimdall.errors import InputError
from heimdall.estimation.locate import Located, locate_each
from heimdall.estimation.pictures import evidence_maps
from heimdall.fix import Fix
from heimdall.formats.write import fixes_bytes
from heimdall.observation import Observation
from heimdall.service.database.store import Model, Station, Store
from heimdall.service.errors import BusyError, TooLargeError, TooOftenError
from heimdall.service.models.model_cache import WarmModels, champion_of, get_model
from heimdall.service.receivers import registered
from heimdall.service.settings import Settings

T = TypeVar("T")
_MINUTE_S = 60.0
_COME_BACK_S = 2.0
_PORTION_OBSERVATIONS = 32
_PORTION_SAMPLES = 1 << 20


class Method(StrEnum):
    """What reads the evidence."""

    AUTO = "auto"
    LIKELIHOOD = "likelihood"
    LEARNED = "learned"


@dataclass(frozen=True)
class Answer:
    """Fixes with what they were made from."""

    observations: list[Observation]
    located: list[Located]
    model: Model | None
    """The model that was asked; None: the likelihood alone."""

    @property
    def fixes(self) -> list[Fix]:
        return [each.fix for each in self.located]

    def to_bytes(self, suffix: str) -> bytes:
        """As a file: see `heimdall.formats.write.SUFFIXES`."""
        evidence = (
            [evidence_maps(each) for each in self.located] if suffix in (".png", ".html") else [()] * len(self.located)
        )
        return fixes_bytes(self.fixes, self.observations, suffix, evidence)


class Deadline:
    """When work has to be done; it may also be abandoned, by whoever no longer wants it."""

    def __init__(self, seconds: float) -> None:
        self._end_s = time.monotonic() + seconds
        self._abandoned = threading.Event()

    def abandon(self) -> None:
        self._abandoned.set()

    def check(self) -> None:
        """Raises BusyError where going on is of no use."""
        if self._abandoned.is_set():
            raise BusyError("nobody waits for this any more", _COME_BACK_S)
        if time.monotonic() > self._end_s:
            raise BusyError("it takes longer than a request may: send less at a time", _COME_BACK_S)


class Locator:
    """`run` takes work into the queue, and refuses what could not be done in time."""

    def __init__(self, settings: Settings, store: Store, models: WarmModels) -> None:
        self._settings = settings
        self._store = store
        self._models = models
        self._executor = ThreadPoolExecutor(settings.locate_slots, thread_name_prefix="locate")
        self._lock = threading.Lock()
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """Requests that are being located or wait for it."""
        return self._waiting

    def deadline(self) -> Deadline:
        """For a request that arrives now."""
        return Deadline(self._settings.locate_s)

    def run(self, work: Callable[[], T], deadline: Deadline | None = None) -> Future[T]:
        """Do `work` in its turn. Raises BusyError, at once or from the future, where that would not be in time."""
        with self._lock:
            self.check_room()
            self._waiting += 1
        future = self._executor.submit(_in_time, work, deadline or self.deadline())
        future.add_done_callback(self._leave)
        return future

    def check_room(self) -> None:
        """Raises BusyError where `run` would."""
        if self._waiting >= self._settings.locate_queue + self._settings.locate_slots:
            raise BusyError("too many requests wait to be located: try again soon", _COME_BACK_S)

    def locate(
        self,
        observations: Sequence[Observation],
        method: Method = Method.AUTO,
        model_id: str | None = None,
        deadline: Deadline | None = None,
    ) -> Answer:
        """Locate with the champion, or another model, and what is known of the receivers.

        Raises TooLargeError for more observations than a request may have, BusyError once the deadline is over.
        """
        self._check_count(len(observations))
        deadline = deadline or self.deadline()
        model, known = self._choose(method, model_id)
        corrected = registered.corrected(observations, known)
        learned = None if model is None else self._models.get(model)
        located: list[Located] = []
        for portion in _portions(corrected):
            deadline.check()
            each = locate_each(portion) if learned is None else learned.locate_each(portion, method is Method.AUTO)
            located += each
        return Answer(corrected, located, model)

    def _check_count(self, count: int) -> None:
        most = self._settings.locate_observations
        if count > most:
            raise TooLargeError(
                f"{count:,} observations are more than the {most:,} that one request may locate: send fewer at a time, "
                "or locate them on a machine of your own with `heimdall locate`"
            )

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _choose(self, method: Method, model_id: str | None) -> tuple[Model | None, Sequence[Station]]:
        with self._store.reading() as session:
            known = registered.find(session)
            if method is Method.LIKELIHOOD:
                return None, known
            model = get_model(session, model_id) if model_id is not None else champion_of(session)
        if model is None and method is Method.LEARNED:
            raise InputError("no model is champion yet: promote one, name one, or take the method likelihood")
        return model, known

    def _leave(self, _: Future[T]) -> None:
        with self._lock:
            self._waiting -= 1


def _in_time(work: Callable[[], T], deadline: Deadline) -> T:
    deadline.check()
    return work()


def _portions(observations: Sequence[Observation]) -> Iterator[Sequence[Observation]]:
    """What is located at once: many rows of numbers, or recordings of few samples, so that a deadline is kept."""
    start, samples = 0, 0
    for index, observation in enumerate(observations):
        samples += sum(0 if each.samples is None else len(each.samples) for each in observation.receptions)
        if samples >= _PORTION_SAMPLES or index + 1 - start >= _PORTION_OBSERVATIONS:
            yield observations[start : index + 1]
            start, samples = index + 1, 0
    if start < len(observations):
        yield observations[start:]


class RateLimit:
    """So many a minute for each name."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, deque[float]] = {}

    def check(self, name: str) -> None:
        """Count one. Raises TooOftenError where it is one too many."""
        with self._lock:
            now = self._clock()
            seen = self._seen.setdefault(name, deque())
            while seen and seen[0] <= now - _MINUTE_S:
                seen.popleft()
            if len(seen) >= self._per_minute:
                wait_s = seen[0] + _MINUTE_S - now
                raise TooOftenError(f"more than {self._per_minute} requests to locate in a minute: slow down", wait_s)
            seen.append(now)
