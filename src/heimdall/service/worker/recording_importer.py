"""Takes what a job records into the stored sessions while it runs, without ever waiting for it."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

from heimdall.runs import run_archive
from heimdall.runs.reader import RunReader
from heimdall.service.database.tables import Job
from heimdall.service.storage import job_recordings
from heimdall.service.worker.program.launch import Tools
from heimdall.service.worker.retrying_task import RetryingTask

log = logging.getLogger(__name__)


class RecordingImporter:
    """Stores what one job records: call `look` while it runs, `finish` once it has ended."""

    def __init__(self, job: Job, folder: RunReader, tools: Tools) -> None:
        self._job = job
        self._folder = folder
        self._tools = tools
        self._storing: RetryingTask[None] | None = None

    def look(self) -> None:
        """Store what is complete, while the program runs."""
        if self._ready():
            waiting = job_recordings.found(self._folder.path, running=True)
            if waiting:
                self._begin(waiting)

    def finish(self) -> bool:
        """Where no program runs: store what is there, complete or cut off; True once nothing is left to store."""
        if not self._ready():
            return False
        waiting = job_recordings.found(self._folder.path, running=False)
        if not waiting:
            return True
        self._begin(waiting, alone=True)
        return False

    def _ready(self) -> bool:
        """Whether nothing is being stored now. What disk or store did not take stays where it is, and is tried again."""
        if self._storing is None:
            return True
        stored = self._storing.poll()
        if stored is None:
            return False
        self._storing = None
        if (error := stored.exception()) is not None:
            log.warning("job %s: its recordings stay in the run folder: %s", self._job.id, error)
        return True

    def _begin(self, waiting: list[Path], *, alone: bool = False) -> None:
        self._storing = RetryingTask(self._tools.executor, partial(self._store, waiting, alone))

    def _store(self, waiting: list[Path], alone: bool) -> None:
        if alone:
            with run_archive.alone(self._folder):
                return self._store(waiting, False)
        for path in waiting:
            if path.exists():
                job_recordings.store_recording(
                    self._tools.store, self._tools.settings, self._tools.artifacts, self._job, path
                )
