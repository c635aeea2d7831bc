"""Run folders as people look at them: this machine's own, or what a worker elsewhere last left in the artifact store."""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from pathlib import Path

from heimdall.artifacts import Artifacts
from heimdall.errors import HeimdallError
from heimdall.runs import run_archive
from heimdall.runs.reader import RunReader
from heimdall.service.settings import Settings

log = logging.getLogger(__name__)

_FRESH_S = 3.0
_KEPT = 64


def run_folder(settings: Settings, job_id: str) -> RunReader:
    """This machine's own."""
    return RunReader(settings.runs / job_id)


class RunFolders:
    def __init__(self, settings: Settings, artifacts: Artifacts) -> None:
        self._settings = settings
        self._artifacts = artifacts
        self._lock = threading.Lock()
        self._brought_s: OrderedDict[str, float] = OrderedDict()

    def of(self, job_id: str) -> RunReader:
        """Whichever was written to last; may be some seconds old."""
        own = run_folder(self._settings, job_id)
        if not self._settings.carries:
            return own
        with self._lock:
            copy = self._copy(job_id)
        return copy if copy.log_unix_s() > own.log_unix_s() else own

    def delete(self, job_id: str) -> None:
        """Here and in the store. What cannot be deleted is told in the log."""
        for folder in (run_folder(self._settings, job_id).path, self._place(job_id)):
            shutil.rmtree(folder, ignore_errors=True)
        if not self._settings.carries:
            return
        try:
            for key in self._artifacts.names(run_archive.prefix(job_id)):
                self._artifacts.delete(key)
        except Exception as error:  # a driver has as many ways to fail as there are stores
            log.warning("job %s: the artifact store keeps its run folder: %s", job_id, error)

    def _place(self, job_id: str) -> Path:
        return self._settings.home / "brought" / job_id

    def _copy(self, job_id: str) -> RunReader:
        folder = RunReader(self._place(job_id))
        if time.monotonic() - self._brought_s.get(job_id, float("-inf")) < _FRESH_S:
            return folder
        try:
            self._bring(job_id, folder.path)
        except HeimdallError:
            pass  # nothing was left yet
        except Exception as error:
            log.warning("job %s: no news from the artifact store: %s", job_id, error)
        self._brought_s[job_id] = time.monotonic()
        self._brought_s.move_to_end(job_id)
        while len(self._brought_s) > _KEPT:
            shutil.rmtree(self._place(self._brought_s.popitem(last=False)[0]), ignore_errors=True)
        return folder

    def _bring(self, job_id: str, target: Path) -> None:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".incoming-") as place:
            archive = self._artifacts.fetch(run_archive.news_key(job_id), Path(place))
            unpacked = Path(place) / "files"
            run_archive.unpack(archive, unpacked)
            for file in unpacked.iterdir():
                file.replace(target / file.name)
