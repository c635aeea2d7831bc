"""Deletes recordings whose time is over, and empties the bin."""

from __future__ import annotations

import logging

from heimdall.service.database.store import Store
from heimdall.service.periodic import Periodic
from heimdall.service.settings import Settings
from heimdall.service.storage import retention

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 60.0


class RetentionTask(Periodic):
    def __init__(self, settings: Settings, store: Store) -> None:
        super().__init__("retention", _LOOK_EVERY_S)
        self._settings = settings
        self._store = store

    def look(self) -> None:
        binned, deleted = retention.apply(self._store, self._settings)
        if binned or deleted:
            log.info("%d recordings were put into the bin, and %d sessions left it for good", binned, deleted)
