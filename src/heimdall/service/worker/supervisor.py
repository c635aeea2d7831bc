"""The worker's loop: fill the free devices with jobs, advance what runs, put back what others lost.

A thread beside Celery, not one of its tasks: Celery answers `inspect ping` whatever happens here.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy.exc import SQLAlchemyError

from heimdall.files.artifacts import Artifacts
from heimdall.service.database.store import Store
from heimdall.service.database.tables import Job
from heimdall.service.health.gpu import GpuState
from heimdall.service.health.load import memory_limit_gb
from heimdall.service.health.statistics import WorkStatistics
from heimdall.service.outage import database_outage
from heimdall.service.queue import leases
from heimdall.service.queue.leases import Claimant
from heimdall.service.settings import Settings
from heimdall.service.storage import leftovers
from heimdall.service.worker.attempt import Attempt
from heimdall.service.worker.program.launch import Slot, Tools

log = logging.getLogger(__name__)

_CHORES = 4
_ROOM_S = 30.0
"""How long nothing is started after a program found a disk full that the look at the disk may not know of."""
_LEAVE_S = 10.0
_CPU = "cpu"
_BESIDE_GPU = Slot("beside the GPU", {"CUDA_VISIBLE_DEVICES": ""})
"""For a job that runs on the CPU anyway, so that it does not keep a training from the GPU."""


class Supervisor(threading.Thread):
    """The loop, in a thread of its own, until it is asked to stop."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        artifacts: Artifacts,
        owner: str,
        gpu: Callable[[], GpuState | None],
        hindrance: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`hindrance`: why no job may be started at the moment."""
        super().__init__(name="supervisor", daemon=True)
        self._settings = settings
        self._store = store
        self._owner = owner
        self._gpu = gpu
        self._hindrance = hindrance
        self._told: str | None = None
        self._room_s = 0.0
        self._executor = ThreadPoolExecutor(_CHORES, thread_name_prefix="chore")
        self._tools = Tools(settings, store, artifacts, self._executor, self._gpu_reason)
        self._attempts: list[Attempt] = []
        self._bell = threading.Event()
        self._leaving = threading.Event()
        self._sweep_s = 0.0
        self._round_s = time.monotonic()

    @property
    def stuck_s(self) -> float:
        """Since the last round began."""
        return time.monotonic() - self._round_s

    @property
    def statistics(self) -> WorkStatistics:
        return self._tools.statistics

    @property
    def running(self) -> list[Job]:
        return [attempt.job for attempt in self._attempts]

    @property
    def uses_device(self) -> bool:
        """A job runs that is not one that records."""
        return any(not attempt.slot.captures for attempt in self._attempts)

    def ring(self) -> None:
        """There may be something to do."""
        self._bell.set()

    def begin_leaving(self) -> None:
        """Take nothing new, let the running write a checkpoint and put them back. Returns at once."""
        self._leaving.set()
        self._bell.set()

    def leave(self) -> None:
        """The same; returns when it is done."""
        self.begin_leaving()
        self.join(self._settings.stop_grace_s + _LEAVE_S)
        self._executor.shutdown(wait=False, cancel_futures=True)

    def run(self) -> None:
        self._guarded(self._take_back)
        self._guarded(self._clear)
        while not self._leaving.is_set() or self._attempts:
            self._round()
            self._bell.wait(self._settings.poll_s)
            self._bell.clear()

    def _round(self) -> None:
        self._round_s = time.monotonic()
        if self._leaving.is_set():
            for attempt in self._attempts:
                attempt.shut_down()
        else:
            self._guarded(self._sweep)
            self._guarded(self._fill)
        self._attempts = [attempt for attempt in self._attempts if self._advance(attempt)]

    def _advance(self, attempt: Attempt) -> bool:
        try:
            goes_on = attempt.advance()
            if attempt.out_of_room:
                self._room_s = time.monotonic() + _ROOM_S
            return goes_on
        except SQLAlchemyError as error:
            # Without the database the lease cannot be renewed; the watchdog ends the program before the lease does.
            database_outage.tell(error)
        except Exception as error:
            log.exception("job %s: the worker could not go on", attempt.job.id)
            attempt.fail(error)
        return True

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
            database_outage.over()
        except SQLAlchemyError as error:
            database_outage.tell(error)
        except Exception:
            log.exception("a round of the worker failed; the next may do better")

    def _take_back(self) -> None:
        with self._store.writing() as session:
            moved = leases.take_back(session, self._owner)
        for job_id, state in moved:
            log.warning("job %s: an earlier process of this worker held it; now %s", job_id, state)

    def _clear(self) -> None:
        leftovers.clear(self._settings, self._tools.artifacts)

    def _sweep(self) -> None:
        if time.monotonic() < self._sweep_s:
            return
        try:
            with self._store.writing() as session:
                moved = leases.sweep(session, self._settings.lease_s)
        except SQLAlchemyError:
            # While the database was away nobody could renew a lease: give the living the time to do so.
            self._sweep_s = time.monotonic() + self._settings.lease_s
            raise
        self._sweep_s = time.monotonic() + self._settings.sweep_s
        for job_id, state in moved:
            log.warning("job %s: its worker no longer responds; now %s", job_id, state)

    def _fill(self) -> None:
        if self._is_hindered():
            return
        while (taken := self._take_one()) is not None:
            slot, job = taken
            log.info("job %s: %s on %s, attempt %d", job.id, job.kind, slot.name, job.attempts)
            self._tools.statistics.started[job.kind] += 1
            self._attempts.append(Attempt(job, slot, self._tools))

    def _is_hindered(self) -> bool:
        why = self._hindrance()
        if why is not None and why != self._told:
            log.warning("no job is started: %s", why)
        self._told = why
        return why is not None or time.monotonic() < self._room_s

    def _take_one(self) -> tuple[Slot, Job] | None:
        """A job for the first free device that there is one for: the smallest comes first, and what fits no other the last."""
        for slot in self._free_slots():
            job = self._claim(slot)
            if job is not None:
                return slot, job
        return None

    def _free_slots(self) -> list[Slot]:
        taken = {attempt.slot.name for attempt in self._attempts}
        slots = self._slots()
        computing = sum(not attempt.slot.captures for attempt in self._attempts)
        free = [slot for slot in slots if slot.name not in taken] if computing < len(slots) else []
        recording = [slot for slot in capture_slots(self._settings) if slot.name not in taken]
        return sorted(free, key=lambda slot: slot.gpu_memory_gb or 0.0) + recording[:1]

    def _slots(self) -> list[Slot]:
        gpu = self._gpu()
        if gpu is None:
            return []  # not yet known: a job must not fall to the CPU because the worker has just begun
        if gpu.usable:
            return [*gpu_slots(gpu, self._settings), _BESIDE_GPU]
        # The program must not look for a reason of its own where the worker, which knows the host, has a better one.
        return [Slot(_CPU, {} if gpu.reason is None else {"HEIMDALL_GPU_REASON": gpu.reason})]

    def _claim(self, slot: Slot) -> Job | None:
        settings = self._settings
        claimant = Claimant(
            settings.worker,
            self._owner,
            settings.accelerator,
            gpu_usable=slot.on_gpu,
            gpu_memory_gb=slot.gpu_memory_gb,
            memory_gb=self._memory_left_gb(),
            takes=tuple(each for each in settings.takes if (each == "capture") == slot.captures),
            has_device=not slot.captures,
            beside_gpu=None if slot.captures or slot.name == _CPU else slot is _BESIDE_GPU,
        )
        with self._store.reading() as session:
            if not leases.anything_queued(session, captures=slot.captures):
                return None
        with self._store.writing() as session:
            return leases.claim(session, claimant, self._settings.lease_s)

    def _memory_left_gb(self) -> float | None:
        """Main memory that no running job was promised."""
        there_gb = memory_gb(self._settings)
        promised_gb = sum(attempt.job.needs_memory_gb or 0.0 for attempt in self._attempts)
        return None if there_gb is None else there_gb - promised_gb

    def _gpu_reason(self) -> str | None:
        gpu = self._gpu()
        return gpu.reason if gpu is not None else None


def capture_slots(settings: Settings) -> list[Slot]:
    """For recordings, which need no device and so wait for none."""
    count = settings.capture_slots if "capture" in settings.takes else 0
    return [Slot(f"capture:{number}", {"CUDA_VISIBLE_DEVICES": ""}, captures=True) for number in range(count)]


def gpu_slots(gpu: GpuState, settings: Settings) -> list[Slot]:
    # Numbers are the driver's and `nvidia-smi`'s; CUDA by itself would count the fastest card first.
    order = os.environ.get("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    return [
        Slot(f"gpu:{device}", {"CUDA_VISIBLE_DEVICES": device, "CUDA_DEVICE_ORDER": order}, memory, on_gpu=True)
        for device, memory in zip(gpu.devices, gpu_memory_gb(gpu, settings), strict=True)
    ]


def gpu_memory_gb(gpu: GpuState, settings: Settings) -> list[float | None]:
    """Memory of each device: as configured, or as the driver says."""
    if settings.gpu_memory_gb is not None:
        return [settings.gpu_memory_gb for _ in gpu.devices]
    return list(gpu.memory_gb) or [None for _ in gpu.devices]


def memory_gb(settings: Settings) -> float | None:
    return settings.memory_gb if settings.memory_gb is not None else memory_limit_gb()
