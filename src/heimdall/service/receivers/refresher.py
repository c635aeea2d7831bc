"""Asks receivers by address for their state now and then, so that people see which are good without asking."""

from __future__ import annotations

from sqlalchemy import select

from heimdall.service.database.store import Store
from heimdall.service.database.tables import now_unix_s
from heimdall.service.periodic import Periodic
from heimdall.service.receivers import online
from heimdall.service.settings import Settings

_LOOK_EVERY_S = 15.0


class Refresher(Periodic):
    """When each was asked stands in the database: several servers ask no more often than one."""

    def __init__(self, settings: Settings, store: Store) -> None:
        super().__init__("asking receivers", _LOOK_EVERY_S)
        self._settings = settings
        self._store = store

    def look(self) -> None:
        """Ask those that are due; none where only people are to ask."""
        if not self._settings.receivers_every_s:
            return
        with self._store.reading() as session:
            since_unix_s = (session.scalar(select(now_unix_s())) or 0.0) - self._settings.receivers_every_s
            due = [
                each.id for each in online.find(session) if each.enabled and (each.asked_unix_s or 0.0) < since_unix_s
            ]
        if due:
            online.refresh(self._store, self._settings, due)
