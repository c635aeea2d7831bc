"""Run folders as people look at them: this machine's own, or what a worker elsewhere last left in the artifact store."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections import OrderedDict
from pathlib import Path

from heimdall.errors import HeimdallError
from heimdall.files.artifacts import Artifacts
from heimdall.files.atomic import incoming
from heimdall.runs import run_archive
from heimdall.runs.reader import RunReader
from heimdall.service.settings import Settings

log = logging.getLogger(__name__)

_FRESH_S = 3.0
_KEPT = 64


def run_folder(settings: Settings, job_id: str) -> RunReader:
    """This machine's own."""
    return RunReader(settings.runs / job_id)


class _Copy:
    """A copy of another machine's run folder; its lock lets only those wait for the store who ask for the same one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.brought_s = float("-inf")


class RunFolders:
    """Finds the newer of both, and keeps copies of those of other machines for a while."""

    def __init__(self, settings: Settings, artifacts: Artifacts) -> None:
        self._settings = settings
        self._artifacts = artifacts
        self._lock = threading.Lock()
        self._copies: OrderedDict[str, _Copy] = OrderedDict()

    def of(self, job_id: str) -> RunReader:
        """Whichever was written to last; may be some seconds old."""
        own = run_folder(self._settings, job_id)
        if not self._settings.carries:
            return own
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
        with self._lock:
            copy = self._copies.setdefault(job_id, _Copy())
            self._copies.move_to_end(job_id)
            gone = [self._copies.popitem(last=False)[0] for _ in range(len(self._copies) - _KEPT)]
        for each in gone:
            shutil.rmtree(self._place(each), ignore_errors=True)
        with copy.lock:
            if time.monotonic() - copy.brought_s >= _FRESH_S:
                self._try_to_bring(job_id, folder.path)
                copy.brought_s = time.monotonic()
        return folder

    def _try_to_bring(self, job_id: str, target: Path) -> None:
        try:
            self._bring(job_id, target)
        except HeimdallError:
            pass  # nothing was left yet
        except Exception as error:
            log.warning("job %s: no news from the artifact store: %s", job_id, error)

    def _bring(self, job_id: str, target: Path) -> None:
        target.mkdir(parents=True, exist_ok=True)
        with incoming(target.parent) as place:
            archive = self._artifacts.fetch(run_archive.news_key(job_id), place)
            unpacked = place / "files"
            run_archive.unpack(archive, unpacked)
            for file in unpacked.iterdir():
                file.replace(target / file.name)
