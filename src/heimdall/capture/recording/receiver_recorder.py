"""One receiver's way through a recording: asked, opened, recorded on one channel after the other, tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from heimdall.capture.drivers import driver_of, identify
from heimdall.capture.faults import CaptureError, Fault
from heimdall.capture.interface import ReceiverStatus, RetunableStream, Stream, Target, Tuning
from heimdall.capture.network.access import Access
from heimdall.capture.recording.channel_recorder import ChannelRecorder
from heimdall.capture.recording.common_start import Start
from heimdall.capture.recording.parts import Stage, place_of
from heimdall.capture.slots import one_slot
from heimdall.errors import InputError
from heimdall.files.disk import is_disk_full
from heimdall.formats.wording import band_text, frequency_text

_TRIES = 3
_AGAIN_AFTER_S = 1.0
_LEAST_LEFT_S = 2.0
_AGAIN = (Fault.DROPPED, Fault.SILENT)
"""What is tried again in mid-recording; who was thrown out or found it full does not come back at once."""


class ReceiverRecorder:
    """One receiver; `recorders` are its channels in turn."""

    def __init__(self, target: Target, recorders: Sequence[ChannelRecorder], access: Access, start: Start) -> None:
        self._target, self._recorders, self._access, self._start = target, recorders, access, start
        self._counted = False

    async def run(self) -> None:
        """Records until the end or the first fault, which becomes the reason in the part; raises nothing of it."""
        try:
            await self._record()
        except CaptureError as error:
            self._fail(error)
        except OSError as error:
            self._fail(_disk_fault(error))
        except InputError as error:
            self._fail(CaptureError(Fault.ADDRESS, str(error)))

    async def _record(self) -> None:
        with one_slot(self._target.address):
            target, status = await identify(self._target, self._access)
            for each in self._recorders:
                each.part.gives, each.part.notes = status.gives, list(status.notes)
                each.part.place = place_of(target, status)
            if status.fault is not None:
                raise CaptureError(Fault.BUSY, status.fault)
            for each in self._recorders:
                _check_band(status, each.dwell.tuning)
            for attempt in range(1, _TRIES + 1):
                try:
                    return await self._listen(target, status)
                except CaptureError as error:
                    if attempt == _TRIES or not self._worth_another_try(error):
                        raise
                    self._recorders[0].interrupted(error)
                    await asyncio.sleep(_AGAIN_AFTER_S * attempt)

    def _worth_another_try(self, error: CaptureError) -> bool:
        first, *others = self._recorders
        begun = first.part.samples > 0 and error.fault in _AGAIN
        # A new connection is a new clock, which says nothing of the channel before.
        return begun and not others and first.left_s >= _LEAST_LEFT_S

    async def _listen(self, target: Target, status: ReceiverStatus) -> None:
        first, *others = self._recorders
        async with driver_of(target.address).open(target, self._tuning(first), self._access) as stream:
            if others:
                _retunable(stream)  # said before anything is recorded
            for each in self._recorders:
                each.step(Stage.READY)
            self._count(self._start.ready)
            await first.record(stream, status, self._start)
            first.step(Stage.DONE)
            for each in others:
                await _retunable(stream).retune(self._tuning(each))
                await each.record(stream, status, self._start)
                each.step(Stage.DONE)

    def _tuning(self, recorder: ChannelRecorder) -> Tuning:
        widest_hz = max(each.dwell.tuning.bandwidth_hz for each in self._recorders)
        return replace(recorder.dwell.tuning, widest_hz=widest_hz)

    def _fail(self, error: CaptureError) -> None:
        self._count(self._start.gone)
        for each in self._recorders:
            if each.part.stage is not Stage.DONE:
                each.fail(error)

    def _count(self, tell: Callable[[], None]) -> None:
        """Each receiver counts once towards the start."""
        if not self._counted:
            self._counted = True
            tell()


def _retunable(stream: Stream) -> RetunableStream:
    if not isinstance(stream, RetunableStream):
        raise CaptureError(Fault.TUNING, "it cannot be retuned while its clock runs on: rtl_tcp can")
    return stream


def _check_band(status: ReceiverStatus, tuning: Tuning) -> None:
    if status.band_hz is None:
        return
    low_hz, high_hz = status.band_hz
    if not (low_hz <= tuning.frequency_hz <= high_hz):
        raise CaptureError(
            Fault.TUNING,
            f"it receives {band_text(low_hz, high_hz)}, not {frequency_text(tuning.frequency_hz)}",
        )


def _disk_fault(error: OSError) -> CaptureError:
    if is_disk_full(error):
        return CaptureError(Fault.DISK, "the disk is full: what was received before is kept")
    return CaptureError(Fault.DISK, f"cannot be written: {error.strerror or error}")
