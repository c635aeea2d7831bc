"""Deletes recordings whose time is over, and empties the bin."""

from __future__ import annotations

import logging
import threading

from sqlalchemy.exc import SQLAlchemyError

from heimdall.errors import HeimdallError
from heimdall.service.database.store import Store
from heimdall.service.settings import Settings
from heimdall.service.storage import keeping

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 60.0


class Tidier(threading.Thread):
    def __init__(self, settings: Settings, store: Store) -> None:
        super().__init__(name="tidier", daemon=True)
        self._settings = settings
        self._store = store
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while not self._stop_asked.wait(_LOOK_EVERY_S):
            try:
                binned, deleted = keeping.tidy(self._store, self._settings)
            except (HeimdallError, SQLAlchemyError, OSError) as error:
                log.warning("recordings were not tidied: %s", str(error).splitlines()[0])
                continue
            if binned or deleted:
                log.info("%d recordings were put into the bin, and %d sessions left it for good", binned, deleted)

    def stop(self) -> None:
        self._stop_asked.set()
