"""What one receiver gives on one channel, written as it comes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path

from heimdall.capture.faults import CaptureError, Fault
from heimdall.capture.interface import Block, Gives, ReceiverStatus, Stream, Target, Tuning
from heimdall.capture.recording.common_start import Start
from heimdall.capture.recording.parts import OnChange, Part, Stage
from heimdall.formats.writers.sigmf_growing import GrowingRecording, GrowingSession
from heimdall.observation import Place, Receiver

_SAVE_EVERY_S = 2.0


@dataclass(frozen=True)
class Dwell:
    """A channel, how long it is recorded, and the folder of its session."""

    tuning: Tuning
    seconds: float
    folder: Path
    truth: Place | None = None
    """Where its transmitter is, if that is known."""
    of_reference: bool = False
    """It is recorded for the receivers' clocks, and nobody is told of its progress."""


class ChannelRecorder:
    """`save` brings the session up to date; `on_change` is told whenever the receiver has come further."""

    def __init__(
        self,
        target: Target,
        part: Part,
        dwell: Dwell,
        session: GrowingSession,
        save: Callable[[], None],
        on_change: OnChange,
    ) -> None:
        self.part, self.dwell = part, dwell
        self._target, self._session, self._save, self._on_change = target, session, save, on_change
        self._recording: GrowingRecording | None = None
        self._lost = False
        self._saved_s = -math.inf
        self._levels: list[float] = []

    @property
    def left_s(self) -> float:
        return self.dwell.seconds - self.part.seconds

    async def record(self, stream: Stream, status: ReceiverStatus, start: Start) -> None:
        """Take blocks from the common start on, until there are enough or the stream ends."""
        if not stream.format.live:
            await start.wait()
        async with aclosing(aiter(stream)) as blocks:
            async for block in blocks:
                if not start.begun:
                    continue
                if self.part.stage is not Stage.RECORDING:
                    self.step(Stage.RECORDING)
                self._take(block, stream, status)
                if self.left_s <= 0:
                    return
        self.part.notes.append(f"it ended after {self.part.seconds:.1f} s")

    def interrupted(self, error: CaptureError) -> None:
        """Samples are missing before those that come next."""
        self._lost = True
        self.part.notes.append(f"tried again: {error}")

    def step(self, stage: Stage) -> None:
        self.part.stage = stage
        self._on_change(self.part)

    def fail(self, error: CaptureError) -> None:
        self.part.reason, self.part.fault = str(error), error.fault
        if error.fault is Fault.CLOCK:
            self._withdraw()
        self.step(Stage.FAILED)

    def finish(self) -> None:
        """Metadata as they stand; called whatever happened."""
        if self.part.stage not in (Stage.DONE, Stage.FAILED):
            self.part.stage, self.part.reason = Stage.FAILED, "the recording was stopped"
        if self._recording is None:
            return
        with suppress(OSError):
            self._recording.save()
        self.part.notes += self._recording.notes()
        self._recording.close()

    def _withdraw(self) -> None:
        """Its stamps cannot be relied on."""
        if self._recording is None:
            return
        self._session.withdraw(self._recording)
        self._recording.close()
        self._recording = None
        self.part.samples = 0

    def _take(self, block: Block, stream: Stream, status: ReceiverStatus) -> None:
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
        self.part.samples, self.part.seconds = self._recording.count, self._recording.seconds
        self.part.level_dbm = block.level_dbm
        self._save_now_and_then()

    def _take_level(self, block: Block, stream: Stream) -> None:
        """The mean power over the recording, and how far single levels lie from it."""
        if block.level_dbm is not None:
            self._levels.append(block.level_dbm)
            self.part.gives = Gives.LEVEL
            self.part.level_dbm = sum(self._levels) / len(self._levels)
            self.part.level_sigma_db = stream.format.level_sigma_db
        self.part.seconds += block.count / stream.format.sample_rate_hz
        self._save_now_and_then()

    def _save_now_and_then(self) -> None:
        if time.monotonic() - self._saved_s < _SAVE_EVERY_S:
            return
        self._saved_s = time.monotonic()
        if self._recording is not None:
            self._recording.save()
        self._save()
        self._on_change(self.part)

    def _receiver(self, stream: Stream, status: ReceiverStatus) -> Receiver:
        place = self.part.place
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
