"""What a worker knows about its GPU, without ever making a CUDA context in its own process.

Once, and again when something changed, the doctor proves CUDA with a kernel in a subprocess. Between those a glance at the
driver, which takes nothing from the card, notices a GPU that is lost.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from heimdall.doctor import accelerator_reason
from heimdall.service.health import doctor_report
from heimdall.service.hosting import read_note

log = logging.getLogger(__name__)

GLANCE_EVERY_S = 15.0
PROVE_AGAIN_S = 300.0
GLANCE_LIMIT_S = 30.0
PROOF_LIMIT_S = 180.0
UNKNOWN = "not yet known"
"""What a worker announces as its reason until it has looked."""


@dataclass(frozen=True)
class GpuState:
    usable: bool
    reason: str | None
    """Why not; None when it is."""
    devices: tuple[str, ...] = ()
    """What CUDA_VISIBLE_DEVICES calls each of them."""
    memory_gb: tuple[float | None, ...] = ()
    """Memory of each device; None if the driver does not say."""


Prove = Callable[[], GpuState]
Glance = Callable[[], str | None]
"""Why the GPU cannot be used now, or None."""


class GpuWatch(threading.Thread):
    """`state` is None until the first proof is there."""

    def __init__(self, prove: Prove, glance: Glance, idle: Callable[[], bool] = lambda: True) -> None:
        super().__init__(name="gpu-watch", daemon=True)
        self._prove = prove
        self._glance = glance
        self._idle = idle
        self._state: GpuState | None = None
        self._proved_s = 0.0
        self._was_lost = False
        self._deadline_s = time.monotonic() + GLANCE_LIMIT_S
        self._stop_asked = threading.Event()

    @property
    def state(self) -> GpuState | None:
        late_s = time.monotonic() - self._deadline_s
        if late_s > 0 and not self._stop_asked.is_set():
            return GpuState(False, f"the driver hangs: it has not answered for {GLANCE_LIMIT_S + late_s:.0f} s")
        return self._state

    def run(self) -> None:
        while not self._stop_asked.is_set():
            self.look()
            self._stop_asked.wait(GLANCE_EVERY_S)

    def stop(self) -> None:
        self._stop_asked.set()

    def look(self) -> None:
        before = self._state
        self._state = self._examine(before)
        self._allow(GLANCE_EVERY_S + GLANCE_LIMIT_S)
        if self._state != before:
            log.log(logging.INFO if self._state.usable else logging.WARNING, "gpu: %s", describe(self._state))

    def _examine(self, before: GpuState | None) -> GpuState:
        reason = self._glance()
        if reason is not None:
            self._was_lost = True
            return GpuState(False, reason)
        if before is not None and (before.usable or not self._may_prove()):
            return before
        self._was_lost = False
        self._proved_s = time.monotonic()
        self._allow(PROOF_LIMIT_S)
        return self._prove()

    def _allow(self, seconds: float) -> None:
        self._deadline_s = time.monotonic() + seconds

    def _may_prove(self) -> bool:
        # The proof takes a few hundred MB of the card's memory, which a running training may have planned for itself.
        return self._idle() and (self._was_lost or time.monotonic() - self._proved_s > PROVE_AGAIN_S)


class NoGpuWatch:
    """For a worker that was told to use the CPU: nothing to look at."""

    state = GpuState(False, None)

    def start(self) -> None: ...

    def stop(self) -> None: ...


def watch_gpu(accelerator: str, idle: Callable[[], bool]) -> GpuWatch | NoGpuWatch:
    if accelerator == "cpu":
        return NoGpuWatch()
    if accelerator == "gpu":
        return GpuWatch(prove_with_doctor, accelerator_reason, idle)
    # Compose was asked for no GPU: the host, where `heimdall up` looked, knows better why.
    return GpuWatch(lambda: _as_noted(prove_with_doctor()), lambda: _noted(accelerator_reason()), idle)


def _as_noted(state: GpuState) -> GpuState:
    return state if state.usable else replace(state, reason=_noted(state.reason))


def _noted(reason: str | None) -> str | None:
    note = read_note() if reason is not None else None
    return note.text if note is not None else reason


def prove_with_doctor() -> GpuState:
    """The whole examination, which runs a kernel; takes seconds and, while it lasts, memory of the card."""
    document = doctor_report.examine()
    if document.get("verdict") != "gpu":
        return GpuState(False, str(document.get("reason") or "the doctor found no usable GPU"))
    devices = _visible_devices()
    if not devices:
        return GpuState(False, "the driver lists no device")
    return GpuState(True, None, devices, tuple(_memory_gb(device) for device in devices))


def _visible_devices() -> tuple[str, ...]:
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return tuple(name.strip() for name in chosen.split(",") if name.strip())
    return tuple(str(index) for index in range(_count_devices()))


def _count_devices() -> int:
    import pynvml

    pynvml.nvmlInit()
    try:
        return int(pynvml.nvmlDeviceGetCount())
    finally:
        pynvml.nvmlShutdown()


def _memory_gb(device: str) -> float | None:
    """Memory of a device, given its number as `nvidia-smi` counts, or its UUID."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        by_number = device.isdigit()
        handle = (
            pynvml.nvmlDeviceGetHandleByIndex(int(device)) if by_number else pynvml.nvmlDeviceGetHandleByUUID(device)
        )
        return round(int(pynvml.nvmlDeviceGetMemoryInfo(handle).total) / 1e9, 2)
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()


def describe(state: GpuState) -> str:
    if state.usable:
        return f"{len(state.devices)} usable, proved by a kernel"
    return state.reason or "not asked for"
