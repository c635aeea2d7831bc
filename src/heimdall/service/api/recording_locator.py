"""Locates what workers record, as it comes, by the same door as every request; the fixes are kept for the history."""

from __future__ import annotations

import logging
import math

from sqlalchemy.exc import SQLAlchemyError

from heimdall.errors import HeimdallError, InputError
from heimdall.service.concurrent_locating import Deadline, LocatedSession, Locator
from heimdall.service.database.store import Store
from heimdall.service.database.tables import StoredSession
from heimdall.service.errors import BusyError
from heimdall.service.periodic import Periodic
from heimdall.service.settings import Settings
from heimdall.service.storage import fixes, sessions

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.5
_AT_ONCE = 8
_NO_HURRY = Deadline(math.inf)
"""Nobody waits for an answer; a recording that takes longer than a request may would be begun again for ever."""


class RecordingLocator(Periodic):
    """Locates a few recordings at a time; while the locator is busy with requests they wait."""

    def __init__(self, settings: Settings, store: Store, locator: Locator) -> None:
        super().__init__("locating recordings", _LOOK_EVERY_S)
        self._settings = settings
        self._store = store
        self._locator = locator

    def look(self) -> None:
        """Locate what waits, unless others are first."""
        with self._store.reading() as session:
            waiting = fixes.waiting(session, _AT_ONCE)
        try:
            for stored in waiting:
                if not self._stop_asked.is_set():
                    self._locate(stored)
        except BusyError as error:
            log.info("recordings wait to be located: %s", error)

    def _locate(self, stored: StoredSession) -> None:
        try:
            located = self._locator.run(lambda: self._located(stored), _NO_HURRY).result()
        except InputError as error:
            return self._give_up(stored, str(error))
        except (HeimdallError, SQLAlchemyError, OSError):
            raise  # it may go better the next time
        except Exception as error:  # one recording that nobody can locate must not keep the others from it
            log.exception("session %s cannot be located", stored.id)
            return self._give_up(stored, f"internal error: {type(error).__name__}")
        with self._store.writing() as session:
            fixes.keep(session, stored, located.fixes, located.observations)

    def _give_up(self, stored: StoredSession, why: str) -> None:
        with self._store.writing() as session:
            fixes.give_up(session, stored, why)

    def _located(self, stored: StoredSession) -> LocatedSession:
        observations = sessions.read(self._settings, stored)
        return self._locator.locate(observations, deadline=_NO_HURRY, session_ids=[stored.id])
