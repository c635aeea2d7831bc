"""One start of one job: prepare its inputs, watch its program, publish its model, say how it ended.

The supervisor calls `advance` again and again, and it never waits: what takes long happens in the program, or in a thread
of the supervisor's pool, while the lease is renewed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from heimdall.errors import HeimdallError
from heimdall.files import disk
from heimdall.runs import run_archive
from heimdall.runs.reader import Result, RunReader
from heimdall.service.database.events import record
from heimdall.service.database.tables import Job
from heimdall.service.health.statistics import LEASE_LOST
from heimdall.service.queue import leases
from heimdall.service.queue.jobs import State
from heimdall.service.queue.leases import Ending, Outcome, StoredBundle
from heimdall.service.storage.run_progress import RunProgress
from heimdall.service.storage.run_reader import run_folder
from heimdall.service.worker.program import launch
from heimdall.service.worker.program.launch import Slot, Tools
from heimdall.service.worker.program.process import WatchedProcess
from heimdall.service.worker.program.watchdog import KILLED, LET_GO, STOPPED
from heimdall.service.worker.recording_importer import RecordingImporter
from heimdall.service.worker.retrying_task import RetryingTask
from heimdall.service.worker.run_uploader import RunUploader

log = logging.getLogger(__name__)

_SLOW_COMMIT = 0.1
"""Part of the lease: a renewal that took longer is not passed on to the watchdog, which counts from when it hears of it."""

_LAST_S, _LAST_LEAVING_S = 300.0, 30.0
"""How long an attempt that is over waits for the store to take its last state, and when the worker shuts down."""


class Attempt:
    """Advanced by the supervisor again and again; nothing in it waits."""

    def __init__(self, job: Job, slot: Slot, tools: Tools) -> None:
        assert job.lease is not None
        self.job = job
        self.slot = slot
        self._lease = job.lease
        self._tools = tools
        self._folder = run_folder(tools.settings, job.id)
        self._news = RunProgress(job, self._folder, tools.gpu_reason)
        self._renewed_s = time.monotonic()
        self._process: WatchedProcess | None = None
        self._log_begin = 0
        self._uploader = _uploader(job, self._folder, tools)
        self._importer = RecordingImporter(job, self._folder, tools) if job.needs_capture else None
        self._leaving = False
        self.out_of_room = False
        """It ended because a disk was full."""
        self._over_s = 0.0
        self._stop_reason: str | None = None
        self._stop_deadline_s = float("inf")
        self._next: Callable[[], Outcome | None] = self._prepare

    def advance(self) -> bool:
        """Look at everything once; False when the attempt is over."""
        state = self._keep_lease()
        if state is None:
            log.error("job %s: the lease is gone and another worker may have the job: stopping", self.job.id)
            return not self._lost()
        if state is State.CANCELLING:
            self._ask_stop("cancelled", self._tools.settings.cancel_grace_s)
        elif state is State.PAUSING:
            self._ask_stop("paused", self._tools.settings.stop_grace_s)
        outcome = self._next()
        if outcome is None or not self._left(outcome):
            return True
        self._conclude(outcome)
        return False

    def shut_down(self) -> None:
        """The worker is leaving: write a checkpoint, and put the job back."""
        self._leaving = True
        self._ask_stop("put back because the worker shut down", self._tools.settings.stop_grace_s)

    def fail(self, error: Exception) -> None:
        """Something went wrong on our side; end the program and let another attempt begin."""
        outcome = self._hindered(f"the worker could not go on: {type(error).__name__}", error)
        self._next = lambda: outcome if self._gone() else None

    def _keep_lease(self) -> State | None:
        begun_s = time.monotonic()
        settings = self._tools.settings
        if begun_s - self._renewed_s < settings.heartbeat_s:
            with self._tools.store.reading() as session:
                return leases.wanted(session, self.job.id, self._lease)
        state = self._renew()
        self._renewed_s = begun_s
        if state is not None and self._process and time.monotonic() - begun_s < _SLOW_COMMIT * settings.lease_s:
            self._process.beat()
        return state

    def _renew(self) -> State | None:
        columns, warnings = self._columns(), self._news.warnings()
        with self._tools.store.writing() as session:
            state = leases.renew(session, self.job.id, self._lease, **columns)
            for warning in warnings if state is not None else ():
                record(session, self.job.id, "warning", warning)
        if self._uploader is not None:
            self._uploader.told(state is not None)
        return state

    def _columns(self) -> dict[str, Any]:
        columns = self._news.columns()
        if columns.get("step") is not None:
            self._tools.statistics.step(self.job.id, columns["step"])
        return columns | (self._uploader.columns() if self._uploader is not None else {})

    def _left(self, outcome: Outcome) -> bool:
        """What was recorded is stored, and what another machine would need to go on is where it is wanted."""
        self._over_s = self._over_s or time.monotonic()
        if self._importer is not None and not self._importer.finish() and time.monotonic() - self._over_s < _LAST_S:
            self._next = lambda: outcome
            return False
        if self._uploader is None or self._stop_reason == "cancelled":
            return True
        self._next = lambda: outcome
        return self._uploader.finish(_LAST_LEAVING_S if self._leaving else _LAST_S)

    def _ask_stop(self, reason: str, grace_s: float) -> None:
        deadline_s = time.monotonic() + grace_s
        if reason == self._stop_reason or deadline_s >= self._stop_deadline_s:
            return
        self._stop_reason, self._stop_deadline_s = reason, deadline_s
        if self._process is not None:
            self._process.stop()

    def _prepare(self) -> Outcome | None:
        self._folder.make()
        key = self.job.carried
        if self._uploader is None or key is None or not run_archive.is_newer_elsewhere(self._folder, key):
            return self._begin()
        work = partial(run_archive.bring, self._folder, key, self._tools.artifacts)
        brought = RetryingTask(self._tools.executor, work)
        self._next = lambda: self._brought(brought)
        return None

    def _brought(self, task: RetryingTask[None]) -> Outcome | None:
        if self._stop_reason is not None:
            return Outcome(Ending.STOPPED, self._stop_reason)
        brought = task.poll()
        if brought is None:
            return None
        if (error := brought.exception()) is not None:
            return self._hindered("the artifact store did not give the run folder", error)
        return self._begin()

    def _begin(self) -> Outcome | None:
        if self._stop_reason is not None and self._importer is not None:
            return Outcome(Ending.STOPPED, self._stop_reason)
        if self._importer is not None and not self._importer.finish():  # what a worker that was killed has left
            self._next = self._begin
            return None
        if self._uploader is not None:
            self._uploader.started()
        result = self._folder.result()
        if result is not None:  # a worker that was killed had come so far
            return self._publish(result)
        work = partial(launch.command_for, self.job, self._folder, self._tools)
        command = RetryingTask(self._tools.executor, work)
        self._next = lambda: self._start(command)
        return None

    def _start(self, task: RetryingTask[list[str]]) -> Outcome | None:
        if self._stop_reason is not None:
            return Outcome(Ending.STOPPED, self._stop_reason)
        command = task.poll()
        if command is None:
            return None
        try:
            line = command.result()
        except HeimdallError as error:
            return Outcome(Ending.FAULTY, str(error))
        self._log_begin = self._folder.log_size()
        process = launch.start(line, self.job, self.slot, self._folder, self._tools.settings)
        self._process = process
        self._next = lambda: self._watch(process)
        return None

    def _watch(self, process: WatchedProcess) -> Outcome | None:
        if time.monotonic() > self._stop_deadline_s:
            process.kill()
        code = process.poll()
        if code is None:
            for follower in (self._uploader, self._importer):
                if follower is not None:
                    follower.look()
            return None
        result = self._folder.result()
        return self._publish(result) if code == 0 and result is not None else self._interpret(code)

    def _interpret(self, code: int) -> Outcome:
        if code == disk.EXIT_CODE:
            return self._no_room()
        if code == LET_GO:
            return Outcome(Ending.STOPPED, self._let_go())
        if code in (1, 2):
            return Outcome(Ending.FAULTY, self._folder.last_words(self._log_begin))
        if self._stop_reason is not None:
            in_time = "" if code == STOPPED else "; it did not stop by itself and was killed"
            return Outcome(Ending.STOPPED, self._stop_reason + in_time)
        if code == 0:
            return Outcome(Ending.FAULTY, "the program ended without a result")
        return Outcome(Ending.LOST, _how_lost(code))

    def _publish(self, result: Result) -> Outcome | None:
        work = partial(launch.store_model, self.job, result, self._folder, self._tools.artifacts)
        stored = RetryingTask(self._tools.executor, work)
        self._next = lambda: self._published(result, stored)
        return None

    def _published(self, result: Result, task: RetryingTask[StoredBundle | None]) -> Outcome | None:
        stored = task.poll()
        if stored is None:
            return None
        error = stored.exception()
        if isinstance(error, ValueError):
            return Outcome(Ending.FAULTY, str(error))
        if error is not None:
            return self._hindered("the artifact store did not take the model", error)
        return Outcome(Ending.FINISHED, "finished", result.model_dump(), stored.result())

    def _let_go(self) -> str:
        return (
            f"the watchdog ended the program: the worker could not renew its lease for {self._tools.settings.lease_s:g} s, "
            "as the database did not answer or the worker stood still; the attempt does not count"
        )

    def _no_room(self) -> Outcome:
        """Nobody's failure: it goes on from its last checkpoint once there is room."""
        self.out_of_room = True
        return Outcome(Ending.STOPPED, "the disk is full: the job goes on from its last checkpoint when there is room")

    def _hindered(self, what: str, error: BaseException) -> Outcome:
        return self._no_room() if disk.is_disk_full(error) else Outcome(Ending.LOST, f"{what}: {error}")

    def _lost(self) -> bool:
        """Kill the program of a job that another worker may have by now; True once it is dead."""
        if not self._gone():
            return False
        self._tools.statistics.end(self.job.id, self.job.kind, LEASE_LOST)
        return True

    def _gone(self) -> bool:
        """Kill the program; True once it is dead."""
        if self._process is None or self._process.poll() is not None:
            return True
        self._process.kill()
        return False

    def _conclude(self, outcome: Outcome) -> None:
        columns = self._columns()
        launch.forget_receivers(self._folder)
        with self._tools.store.writing() as session:
            leases.renew(session, self.job.id, self._lease, **columns)
            state = leases.conclude(session, self.job.id, self._lease, outcome)
        if self._uploader is not None:
            self._uploader.told(state is not None)
        how = LEASE_LOST if state is None else outcome.ending.value
        self._tools.statistics.end(self.job.id, self.job.kind, how)
        log.info("job %s: %s (%s)", self.job.id, state or "held by another", outcome.message)


def _uploader(job: Job, folder: RunReader, tools: Tools) -> RunUploader | None:
    return RunUploader(job, folder, tools.artifacts, tools.executor) if tools.settings.carries else None


def _how_lost(code: int) -> str:
    if code == STOPPED:
        return "the program was told to stop by someone else"
    if code == KILLED:
        return "the program was killed (signal 9): by hand, or by the kernel for lack of memory"
    return f"the program was ended by signal {code - 128}" if code > 128 else f"the program ended with exit code {code}"
