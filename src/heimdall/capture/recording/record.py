"""Record several receivers together into a SigMF session: each by itself, none waits for one that fails."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from heimdall.capture.drivers import driver_of, identify
from heimdall.capture.faults import CaptureError, Fault
from heimdall.capture.interface import Block, Gives, Status, Stream, Target, Tuning
from heimdall.capture.network.access import Access
from heimdall.capture.recording.parts import OnChange, Part, Recorded, Stage, place_of
from heimdall.capture.recording.schedule import MOST_SECONDS
from heimdall.capture.slots import one_slot
from heimdall.disk import is_disk_full
from heimdall.errors import InputError
from heimdall.formats.writers.sigmf_growing import GrowingRecording, GrowingSession
from heimdall.observation import Place, Receiver

_PATIENCE_S = 10.0
"""Receivers that are ready wait so long for the others."""
_SAVE_EVERY_S = 2.0
_TRIES = 3
_AGAIN_AFTER_S = 1.0
_LEAST_LEFT_S = 2.0
_AGAIN = (Fault.DROPPED, Fault.SILENT)
"""What is tried again in mid-recording; who was thrown out or found it full does not come back at once."""


def record_session(
    targets: Sequence[Target],
    tuning: Tuning,
    seconds: float,
    folder: Path,
    access: Access,
    *,
    on_change: OnChange | None = None,
    truth: Place | None = None,
) -> Recorded:
    """`record` for callers without an event loop."""
    return asyncio.run(record(targets, tuning, seconds, folder, access, on_change=on_change, truth=truth))


async def record(
    targets: Sequence[Target],
    tuning: Tuning,
    seconds: float,
    folder: Path,
    access: Access,
    *,
    on_change: OnChange | None = None,
    truth: Place | None = None,
    absent: Sequence[Part] = (),
) -> Recorded:
    """Record all receivers at once, from a common start on; what was received before a fault or a cancellation is kept.

    `absent` are receivers that are not asked, each with its reason; they stand in the session, too.
    `on_change` is called whenever a receiver has come further. Raises InputError for a call that cannot be right.
    """
    _check(targets, tuning, seconds)
    session = GrowingSession(folder, folder.resolve().name, tuning.frequency_hz, tuning.bandwidth_hz, truth)
    parts = [Part(target.name) for target in targets]
    start = _Start(len(targets))
    accounted = [*parts, *absent]
    session.save(part.to_json() for part in accounted)
    works = [
        _Work(target, part, tuning, seconds, session, access, start, accounted, on_change or (lambda _: None))
        for target, part in zip(targets, parts, strict=True)
    ]
    try:
        await asyncio.gather(*(work.run() for work in works))
    finally:
        for work in works:
            work.finish()
        with suppress(OSError):
            session.save(part.to_json() for part in accounted)
    return Recorded(session.collection, tuple(parts))


def _check(targets: Sequence[Target], tuning: Tuning, seconds: float) -> None:
    if not targets:
        raise InputError("no receiver to record: add some with heimdall receivers add ADDRESS")
    names = [target.name for target in targets]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise InputError(f"{', '.join(sorted(twice))} is named twice: a receiver gives one slot")
    if not 0 < seconds <= MOST_SECONDS:
        raise InputError(f"{seconds:g} seconds cannot be recorded: choose 1 to {MOST_SECONDS:g}")
    if not tuning.frequency_hz > 0 or not tuning.bandwidth_hz > 0:
        raise InputError("frequency and bandwidth are positive")


class _Start:
    """All that come together begin together: when each is ready or has failed, or patience with the slowest ends."""

    def __init__(self, expected: int) -> None:
        self._waiting, self._begun, self._any_ready = expected, asyncio.Event(), False

    @property
    def begun(self) -> bool:
        return self._begun.is_set()

    def ready(self) -> None:
        if not self._any_ready:
            self._any_ready = True
            asyncio.get_running_loop().call_later(_PATIENCE_S, self._begun.set)
        self.gone()

    def gone(self) -> None:
        self._waiting -= 1
        if self._waiting == 0:
            self._begun.set()


class _Work:
    """One receiver's way through a recording."""

    def __init__(
        self,
        target: Target,
        part: Part,
        tuning: Tuning,
        seconds: float,
        session: GrowingSession,
        access: Access,
        start: _Start,
        parts: Sequence[Part],
        on_change: OnChange,
    ) -> None:
        self._target, self._part, self._tuning, self._seconds = target, part, tuning, seconds
        self._session, self._access, self._start, self._parts = session, access, start, parts
        self._on_change = on_change
        self._recording: GrowingRecording | None = None
        self._counted = False
        self._lost = False
        self._saved_s = -math.inf
        self._levels: list[float] = []

    async def run(self) -> None:
        try:
            await self._record()
            self._step(Stage.DONE)
        except CaptureError as error:
            self._fail(error)
        except OSError as error:
            self._fail(_disk_fault(error))
        except InputError as error:
            self._fail(CaptureError(Fault.ADDRESS, str(error)))

    def finish(self) -> None:
        """Metadata as they stand; called whatever happened."""
        if self._part.stage not in (Stage.DONE, Stage.FAILED):
            self._part.stage, self._part.reason = Stage.FAILED, "the recording was stopped"
        if self._recording is None:
            return
        with suppress(OSError):
            self._recording.save()
        self._part.notes += self._recording.notes()
        self._recording.close()

    async def _record(self) -> None:
        with one_slot(self._target.address):
            target, status = await identify(self._target, self._access)
            self._part.gives, self._part.notes = status.gives, list(status.notes)
            self._part.place = place_of(target, status)
            if status.fault is not None:
                raise CaptureError(Fault.BUSY, status.fault)
            _check_band(status, self._tuning)
            for attempt in range(1, _TRIES + 1):
                try:
                    return await self._listen(target, status)
                except CaptureError as error:
                    left_s = self._seconds - self._part.seconds
                    begun = self._part.samples > 0 and error.fault in _AGAIN
                    if not begun or attempt == _TRIES or left_s < _LEAST_LEFT_S:
                        raise
                    self._lost = True
                    self._part.notes.append(f"tried again: {error}")
                    await asyncio.sleep(_AGAIN_AFTER_S * attempt)

    async def _listen(self, target: Target, status: Status) -> None:
        async with driver_of(target.address).open(target, self._tuning, self._access) as stream:
            self._step(Stage.READY)
            self._count(self._start.ready)
            async for block in stream:
                if not self._start.begun:
                    continue
                if self._part.stage is not Stage.RECORDING:
                    self._step(Stage.RECORDING)
                self._take(block, stream, status)
                if self._part.seconds >= self._seconds:
                    return
            self._part.notes.append(f"it ended after {self._part.seconds:.1f} s")

    def _take(self, block: Block, stream: Stream, status: Status) -> None:
        if stream.format.gives is Gives.LEVEL:
            self._take_level(block, stream)
            return
        if self._recording is None:
            self._recording = self._session.recording(self._receiver(stream, status), stream.format.datatype)
        self._recording.append(
            block.data,
            block.count,
            sample_rate_hz=stream.format.sample_rate_hz,
            frequency_hz=stream.format.frequency_hz,
            host_utc_ns=block.host_utc_ns,
            gps_utc_ns=block.gps_utc_ns,
            gps_age_s=block.gps_age_s,
            lost=block.lost or self._lost,
        )
        self._lost = False
        self._part.samples, self._part.seconds = self._recording.count, self._recording.seconds
        self._part.level_dbm = block.level_dbm
        self._save_now_and_then()

    def _take_level(self, block: Block, stream: Stream) -> None:
        """The mean power over the recording, and how far single levels lie from it."""
        if block.level_dbm is not None:
            self._levels.append(block.level_dbm)
            self._part.gives = Gives.LEVEL
            self._part.level_dbm = sum(self._levels) / len(self._levels)
            self._part.level_sigma_db = stream.format.level_sigma_db
        self._part.seconds += block.count / stream.format.sample_rate_hz
        self._save_now_and_then()

    def _save_now_and_then(self) -> None:
        if time.monotonic() - self._saved_s < _SAVE_EVERY_S:
            return
        self._saved_s = time.monotonic()
        if self._recording is not None:
            self._recording.save()
        self._session.save(part.to_json() for part in self._parts)
        self._on_change(self._part)

    def _receiver(self, stream: Stream, status: Status) -> Receiver:
        place = self._part.place
        assert place is not None
        return Receiver(
            self._target.name,
            place.latitude_deg,
            place.longitude_deg,
            place.height_m or 0.0,
            clock_sigma_s=stream.format.clock_sigma_s,
            level_sigma_db=stream.format.level_sigma_db,
            position_sigma_m=status.position_sigma_m,
        )

    def _step(self, stage: Stage) -> None:
        self._part.stage = stage
        self._on_change(self._part)

    def _fail(self, error: CaptureError) -> None:
        self._part.reason, self._part.fault = str(error), error.fault
        self._count(self._start.gone)
        self._step(Stage.FAILED)

    def _count(self, tell: Callable[[], None]) -> None:
        """Each receiver counts once towards the start."""
        if not self._counted:
            self._counted = True
            tell()


def _check_band(status: Status, tuning: Tuning) -> None:
    if status.band_hz is None:
        return
    low_hz, high_hz = status.band_hz
    if not (low_hz <= tuning.frequency_hz <= high_hz):
        raise CaptureError(
            Fault.TUNING,
            f"it receives {low_hz / 1e6:.6g} to {high_hz / 1e6:.6g} MHz, not {tuning.frequency_hz / 1e6:.6g} MHz",
        )


def _disk_fault(error: OSError) -> CaptureError:
    if is_disk_full(error):
        return CaptureError(Fault.DISK, "the disk is full: what was received before is kept")
    return CaptureError(Fault.DISK, f"cannot be written: {error.strerror or error}")
