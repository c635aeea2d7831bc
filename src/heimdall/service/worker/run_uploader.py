"""What an attempt leaves in the artifact store while it runs and when it ends, without ever waiting for it."""

from __future__ import annotations

import logging
import time
from concurrent.futures import Executor
from functools import partial
from typing import Any

from heimdall.files.artifacts import Artifacts
from heimdall.runs import run_archive
from heimdall.runs.reader import RunReader
from heimdall.service.database.tables import Job
from heimdall.service.worker.retrying_task import RetryingTask

log = logging.getLogger(__name__)

_NEWS_EVERY_S = 10.0
State = tuple[float | None, int]


class RunUploader:
    """`columns` go into the row with the next renewal of the lease, and `told` hears whether it still was ours."""

    def __init__(self, job: Job, folder: RunReader, artifacts: Artifacts, executor: Executor) -> None:
        self._job_id = job.id
        self._folder = folder
        self._artifacts = artifacts
        self._executor = executor
        self._named = job.carried
        self._unnamed: str | None = None
        self._sending: RetryingTask[str] | None = None
        self._sent: State | None = None
        self._begun: State | None = None
        self._news: RetryingTask[None] | None = None
        self._news_s = 0.0
        self._deadline_s: float | None = None

    def started(self) -> None:
        """The folder is as the row says: only what is new from now on has to be left."""
        self._sent = self._state() if self._named is not None else None

    def look(self) -> None:
        """Leave a new checkpoint, and the news now and then."""
        self._collect()
        if self._sending is None and self._unnamed is None and self._folder.checkpoint_unix_s() is not None:
            self._send()
        if self._news is None and time.monotonic() - self._news_s > _NEWS_EVERY_S:
            self._send_news()

    def finish(self, limit_s: float) -> bool:
        """True once the last state and the last news are in the store, or it took too long."""
        if self._deadline_s is None:
            self._deadline_s = time.monotonic() + limit_s
            self._news = None
            self._send_news()
        self._collect()
        if self._sending is None:
            self._send()
        late = time.monotonic() > self._deadline_s
        if late:
            log.warning("job %s: the artifact store did not take its last state in time", self._job_id)
        return late or (self._sending is None and self._news is None)

    def columns(self) -> dict[str, Any]:
        return {} if self._unnamed is None else {"carried": self._unnamed}

    def told(self, ours: bool) -> None:
        """After the transaction: what is in no row any more can go."""
        if self._unnamed is None:
            return
        gone = self._named if ours else self._unnamed
        if ours:
            run_archive.mark(self._folder, self._unnamed)
            self._named = self._unnamed
        self._unnamed = None
        if gone is not None:
            self._executor.submit(self._artifacts.delete, gone)

    def _state(self) -> State:
        return self._folder.checkpoint_unix_s(), int(self._folder.result() is not None)

    def _send(self) -> None:
        state = self._state()
        if state in (self._sent, (None, 0)):
            return
        self._begun = state
        work = partial(run_archive.leave, self._folder, self._job_id, self._artifacts)
        self._sending = RetryingTask(self._executor, work)

    def _send_news(self) -> None:
        self._news_s = time.monotonic()
        work = partial(run_archive.leave_news, self._folder, self._job_id, self._artifacts)
        self._news = RetryingTask(self._executor, work, patience_s=0.0)

    def _collect(self) -> None:
        if self._news is not None and (news := self._news.poll()) is not None:
            self._news = None
            if (error := news.exception()) is not None:
                log.warning("job %s: the artifact store did not take the news: %s", self._job_id, error)
        if self._sending is None or (sent := self._sending.poll()) is None:
            return
        self._sending, self._sent = None, self._begun
        if (error := sent.exception()) is not None:
            log.warning("job %s: the artifact store did not take the checkpoint: %s", self._job_id, error)
        else:
            self._replace(sent.result())

    def _replace(self, key: str) -> None:
        """A newer one was left before the older could be named."""
        if self._unnamed is not None:
            self._executor.submit(self._artifacts.delete, self._unnamed)
        self._unnamed = key
