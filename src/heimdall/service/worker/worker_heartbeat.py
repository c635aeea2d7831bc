"""What a worker tells the database about itself, for the page and for other workers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError

from heimdall.service.about import versions
from heimdall.service.database.store import Store
from heimdall.service.database.tables import Worker, now_unix_s
from heimdall.service.health import doctor_report
from heimdall.service.health.gpu import UNKNOWN, GpuState
from heimdall.service.health.load import Load, LoadWatch
from heimdall.service.outage import database_outage
from heimdall.service.settings import Settings
from heimdall.service.worker.supervisor import gpu_memory_gb, memory_gb

EVERY_S = 10.0
EXAMINE_EVERY_S = 600.0


class WorkerHeartbeat(threading.Thread):
    """Writes the row of this worker, in a thread of its own, until it is asked to stop."""

    def __init__(self, settings: Settings, store: Store, gpu: Callable[[], GpuState | None]) -> None:
        super().__init__(name="announcer", daemon=True)
        self._settings = settings
        self._store = store
        self._gpu = gpu
        self._load = LoadWatch(with_gpu=settings.accelerator != "cpu")
        self._examined_s = float("-inf")
        self._examination: dict[str, Any] | None = None
        self._stop_asked = threading.Event()

    def load(self) -> Load | None:
        """Load of this machine, as last seen."""
        return self._load.last

    def run(self) -> None:
        self._load.start()
        while not self._stop_asked.is_set():
            self._examine()
            self._guarded(self._announce)
            self._stop_asked.wait(EVERY_S)

    def stop(self) -> None:
        self._stop_asked.set()
        self._load.stop()
        self._guarded(self._withdraw)

    def _examine(self) -> None:
        if time.monotonic() - self._examined_s > EXAMINE_EVERY_S:
            self._examined_s = time.monotonic()
            self._examination = doctor_report.examine()

    def _announce(self) -> None:
        gpu = self._gpu()
        values: dict[str, Any] = {
            "heartbeat_unix_s": now_unix_s(),
            "accelerator": self._settings.accelerator,
            "gpu_usable": gpu is not None and gpu.usable,
            "gpu_reason": gpu.reason if gpu is not None else UNKNOWN,
            "devices": list(gpu.devices) if gpu is not None else [],
            "versions": versions(),
            "doctor": self._examination,
            "load": self._load.last,
            "takes": list(self._settings.takes),
            "memory_gb": memory_gb(self._settings),
            "gpu_memory_gb": gpu_memory_gb(gpu, self._settings) if gpu is not None and gpu.usable else [],
        }
        with self._store.writing() as session:
            row = session.scalar(select(Worker).where(Worker.name == self._settings.worker).with_for_update())
            if row is None:
                row = Worker(name=self._settings.worker, started_unix_s=now_unix_s())
                session.add(row)
            for name, value in values.items():
                setattr(row, name, value)

    def _withdraw(self) -> None:
        with self._store.writing() as session:
            session.execute(delete(Worker).where(Worker.name == self._settings.worker))

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except SQLAlchemyError as error:
            database_outage.tell(error)
