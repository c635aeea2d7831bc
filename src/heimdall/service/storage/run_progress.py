"""What a run folder tells about a running job, in the words of its row."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from heimdall.runs.reader import CHECKPOINT, Progress, RunReader
from heimdall.service.database.tables import Job

log = logging.getLogger(__name__)


class RunProgress:
    """Reads the folder of one attempt; `gpu_reason` stands in when the program does not say why it uses the CPU."""

    def __init__(self, job: Job, folder: RunReader, gpu_reason: Callable[[], str | None]) -> None:
        self._job = job
        self._folder = folder
        self._gpu_reason = gpu_reason
        self._since_unix_s = time.time() - 1.0  # file systems round their times
        self._told: set[str] = set()

    def columns(self) -> dict[str, Any]:
        progress = self._folder.progress(self._since_unix_s)
        columns = self._checkpoint() | (self._progress(progress) if progress is not None else {})
        return columns | ({"capture": self._folder.capture()} if self._job.needs_capture else {})

    def warnings(self) -> list[str]:
        """Those not yet told."""
        messages = [warning.message for warning in self._folder.warnings()]
        progress = self._folder.progress(self._since_unix_s)
        reason = self._reason(progress) if progress is not None and self._fell_back(progress) else None
        if reason is not None and not any(reason in message for message in messages):
            messages.append(f"runs on the CPU: {reason}")
        fresh = [message for message in dict.fromkeys(messages) if message not in self._told]
        self._told.update(fresh)
        for message in fresh:
            log.warning("job %s: %s", self._job.id, message)
        return fresh

    def _checkpoint(self) -> dict[str, Any]:
        written_unix_s = self._folder.checkpoint_unix_s()
        path = str(CHECKPOINT) if written_unix_s is not None else None
        return {"checkpoint": path, "checkpoint_unix_s": written_unix_s}

    def _progress(self, progress: Progress) -> dict[str, Any]:
        used = progress.accelerator
        return progress.model_dump(exclude={"accelerator"}) | {
            "accelerator_used": used.used,
            "accelerator_reason": self._reason(progress),
            "device": used.device,
            "precision": used.precision,
        }

    def _fell_back(self, progress: Progress) -> bool:
        return progress.accelerator.used == "cpu" and self._job.accelerator_requested != "cpu"

    def _reason(self, progress: Progress) -> str | None:
        said = progress.accelerator.reason
        if not self._fell_back(progress):
            return said
        return said or self._gpu_reason() or "the program did not say why"
