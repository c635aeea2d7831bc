"""What a server looks after by itself, every so often, beside its requests."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod

from sqlalchemy.exc import SQLAlchemyError

from heimdall.errors import HeimdallError

log = logging.getLogger(__name__)


class Periodic(threading.Thread, ABC):
    """What a look finds to do stands in the database, so that a restart, or another server, goes on with it."""

    def __init__(self, name: str, every_s: float) -> None:
        super().__init__(name=name, daemon=True)
        self._every_s = every_s
        self._stop_asked = threading.Event()

    @abstractmethod
    def look(self) -> None:
        """See what is to be done, and do it. An error of ours, the database's or a disk's is logged, and the next look comes."""

    def run(self) -> None:
        while not self._stop_asked.wait(self._every_s):
            try:
                self.look()
            except (HeimdallError, SQLAlchemyError, OSError) as error:
                log.warning("%s: %s", self.name, str(error).splitlines()[0])

    def stop(self) -> None:
        self._stop_asked.set()
