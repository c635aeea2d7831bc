"""Asks receivers by address for their state now and then, so that people see which are good without asking."""

from __future__ import annotations

import logging
import threading

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from heimdall.errors import HeimdallError
from heimdall.service.database.store import Store, now_unix_s
from heimdall.service.receivers import online
from heimdall.service.settings import Settings

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 15.0


class Refresher(threading.Thread):
    """When each was asked stands in the database: several servers ask no more often than one."""

    def __init__(self, settings: Settings, store: Store) -> None:
        super().__init__(name="refresher", daemon=True)
        self._settings = settings
        self._store = store
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while self._settings.receivers_every_s and not self._stop_asked.wait(_LOOK_EVERY_S):
            try:
                self.look()
            except (HeimdallError, SQLAlchemyError) as error:
                log.warning("receivers were not asked for their state: %s", str(error).splitlines()[0])

    def stop(self) -> None:
        self._stop_asked.set()

    def look(self) -> None:
        """Ask those that are due."""
        with self._store.reading() as session:
            since_unix_s = (session.scalar(select(now_unix_s())) or 0.0) - self._settings.receivers_every_s
            due = [
                each.id for each in online.find(session) if each.enabled and (each.asked_unix_s or 0.0) < since_unix_s
            ]
        if due:
            online.refresh(self._store, self._settings, due)
