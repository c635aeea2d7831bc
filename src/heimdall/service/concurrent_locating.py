"""Locating for many at once: a bounded number of requests side by side, a bounded queue behind them, models kept warm."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from sqlalchemy.orm import Session

from heimdall.errors import InputError, TooLargeError
from heimdall.execution.helper import Helper
from heimdall.fix import Fix
from heimdall.formats.writers.write import contents
from heimdall.locating import Method
from heimdall.locating.by_network import Learned
from heimdall.locating.evidence_map import made_of
from heimdall.locating.located import Located
from heimdall.locating.method import locate_each
from heimdall.observation import Observation
from heimdall.service.database.store import Store
from heimdall.service.database.tables import Model, RegisteredReceiver
from heimdall.service.errors import BusyError
from heimdall.service.models.model_cache import THREADS, ModelCache, champion_of, get_model
from heimdall.service.receivers import registered
from heimdall.service.settings import Settings
from heimdall.service.transmitters import listed
from heimdall.transmitter import KnownTransmitter, with_near

T = TypeVar("T")
_COME_BACK_S = 2.0
_PORTION_OBSERVATIONS = 32
_PORTION_SAMPLES = 1 << 20
_PORTION_RECEPTIONS = 256
_SHARED_BYTES = 100e6
"""A larger model is not loaded a second time: its network takes most of the time, and lets other threads run meanwhile."""


@dataclass(frozen=True)
class LocatedSession:
    """Fixes with what they were made from."""

    observations: list[Observation]
    located: list[Located]
    model: Model | None
    """The model that was asked; None: none was."""

    @property
    def fixes(self) -> list[Fix]:
        return [each.fix for each in self.located]

    def to_bytes(self, suffix: str) -> bytes:
        """The fixes as a file, see `heimdall.formats.writers.write.SUFFIXES`."""
        return b"".join(contents(made_of(self.located, self.observations, suffix), suffix))


@dataclass(frozen=True)
class _Known:
    """What the installation knows that observations do not say."""

    model: Model | None
    """The one to ask."""
    receivers: Sequence[RegisteredReceiver]
    transmitters: Sequence[KnownTransmitter]

    def named(self, located: Sequence[Located], observations: Sequence[Observation]) -> list[Located]:
        """The fixes with the known transmitters that they may well be."""
        return [
            replace(each, fix=with_near(each.fix, observation, self.transmitters))
            for each, observation in zip(located, observations, strict=True)
        ]


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
            raise BusyError("the client no longer waits for this", _COME_BACK_S)
        if time.monotonic() > self._end_s:
            raise BusyError("it takes longer than a request may: send less at a time", _COME_BACK_S)


class Locator:
    """`run` takes work into the queue, and refuses what could not be done in time."""

    def __init__(self, settings: Settings, store: Store, models: ModelCache) -> None:
        self._settings = settings
        self._store = store
        self._models = models
        self._executor = ThreadPoolExecutor(settings.locate_slots, thread_name_prefix="locate")
        self._helper = Helper()
        self._lock = threading.Lock()
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """Requests that are being located or wait for it."""
        return self._waiting

    def deadline(self) -> Deadline:
        """The deadline of a request that arrives now."""
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
        *,
        corrected: bool = True,
        session_ids: Collection[str] = (),
    ) -> LocatedSession:
        """Locate with the champion, or another model, and what is known of the receivers.

        `corrected`: with their corrections taken off, but those that were fitted to the stored sessions
        `session_ids` themselves, which the observations are from.
        Raises TooLargeError for more observations, or more receivers of one, than a request may have, BusyError once
        the deadline is over.
        """
        self._check_size(observations)
        deadline = deadline or self.deadline()
        known = self._known(method, model_id)
        prepared = registered.corrected(
            observations, known.receivers, places_only=not corrected, session_ids=session_ids
        )
        located: list[Located] = []
        for portion in _portions(prepared):
            deadline.check()
            located += self._locate(portion, method, known.model)
        return LocatedSession(prepared, known.named(located, prepared), known.model)

    def _locate(self, observations: Sequence[Observation], method: Method, model: Model | None) -> list[Located]:
        """Here, or by the helper where others are located at the same time: threads of one interpreter take turns."""
        if self._waiting > 1 and (helped := self._helped(observations, method, model)) is not None:
            return helped
        return list(locate_each(observations, method, None if model is None else self._models.get(model)))

    def _helped(self, observations: Sequence[Observation], method: Method, model: Model | None) -> list[Located] | None:
        """None where the helper is not free, or could not do it."""
        if model is not None and model.size_bytes > _SHARED_BYTES:
            return None
        bundle = None if model is None else self._models.path(model)
        help_ = self._helper.start(_locate_beside, (observations, method, bundle))
        try:
            return None if help_ is None else help_.result()
        except (BrokenProcessPool, InputError):  # such as a bundle that made room for another meanwhile
            return None

    def _check_size(self, observations: Sequence[Observation]) -> None:
        """One observation cannot be stopped midway, and takes a time that grows with its receivers."""
        most = self._settings.locate_observations
        if len(observations) > most:
            raise TooLargeError(_too_many(f"{len(observations):,} observations", most, "send fewer at a time"))
        most = self._settings.locate_receivers
        for each in observations:
            if len(each.receptions) > most:
                raise TooLargeError(
                    f"{each.id}: {_too_many(f'{len(each.receptions):,} receivers', most, 'leave some out')}"
                )

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._helper.close()

    def _known(self, method: Method, model_id: str | None) -> _Known:
        with self._store.reading() as session:
            model = _chosen(session, method, model_id)
            return _Known(model, registered.find(session), listed.known(session))

    def _leave(self, _: Future[T]) -> None:
        with self._lock:
            self._waiting -= 1


def _chosen(session: Session, method: Method, model_id: str | None) -> Model | None:
    if method in (Method.LIKELIHOOD, Method.LEAST_SQUARES):
        return None
    model = get_model(session, model_id) if model_id is not None else champion_of(session)
    if model is None and method is Method.LEARNED:
        raise InputError("no model is champion yet: promote one, name one, or use the method likelihood")
    return model


def _locate_beside(asked: tuple[Sequence[Observation], Method, Path | None]) -> list[Located]:
    """Locates in the helper process."""
    observations, method, bundle = asked
    return list(locate_each(observations, method, None if bundle is None else _loaded(bundle)))


@lru_cache(maxsize=2)
def _loaded(bundle: Path) -> Learned:
    return Learned.load(bundle, THREADS)


def _too_many(what: str, most: int, instead: str) -> str:
    return (
        f"{what} are more than the {most:,} that one request may locate: {instead}, "
        "or locate them on a machine of your own with `heimdall locate`"
    )


def _in_time(work: Callable[[], T], deadline: Deadline) -> T:
    deadline.check()
    return work()


def _portions(observations: Sequence[Observation]) -> Iterator[Sequence[Observation]]:
    """What is located at once: rows of numbers of few receivers, or recordings of few samples, so that a deadline is kept."""
    start, samples, receptions = 0, 0, 0
    for index, observation in enumerate(observations):
        samples += sum(0 if each.samples is None else len(each.samples) for each in observation.receptions)
        receptions += len(observation.receptions)
        full = samples >= _PORTION_SAMPLES or receptions >= _PORTION_RECEPTIONS
        if full or index + 1 - start >= _PORTION_OBSERVATIONS:
            yield observations[start : index + 1]
            start, samples, receptions = index + 1, 0, 0
    if start < len(observations):
        yield observations[start:]
