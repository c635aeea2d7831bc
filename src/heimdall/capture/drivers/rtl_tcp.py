"""rtl_tcp: 8-bit IQ of a dongle over TCP, without stamps. One client at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import ClassVar

from heimdall.capture.drivers.cut import Cut, QuarterDecimator, cut_of
from heimdall.capture.drivers.dongle import BLOCK_S, LEVEL_SIGMA_DB, dongle_status, gain_db
from heimdall.capture.drivers.rtl_protocol import GREETING, MAGIC, TUNERS, Command, command
from heimdall.capture.drivers.sample_clock import SampleClock
from heimdall.capture.faults import CaptureError, Fault
from heimdall.capture.interface import Block, Gives, ReceiverStatus, StreamFormat, Target, Tuning
from heimdall.capture.network.access import Access, connect
from heimdall.formats.readers.sigmf.data import samples_of
from heimdall.formats.wording import frequency_text

_SETTLE_S = 1.0
"""What rtl_tcp, the network and this computer may still hold of the old channel when a new one is asked for."""


class RtlTcp:
    """See `heimdall.capture.interface.Driver`."""

    kind: ClassVar[str] = "rtl_tcp"

    async def probe(self, target: Target, access: Access) -> ReceiverStatus:
        """Connects for a moment: rtl_tcp says nothing of itself but its tuner, and lets one client in at a time."""
        async with _greeted(target, access) as (_, _, tuner):
            pass
        return dongle_status(target, f"rtl_tcp with {TUNERS.get(tuner, 'an unknown tuner')}", "rtl_tcp")

    @contextlib.asynccontextmanager
    async def open(self, target: Target, tuning: Tuning, access: Access) -> AsyncIterator[RtlTcpStream]:
        cut = _cut(tuning)
        async with _greeted(target, access) as (reader, writer, _):
            stream = RtlTcpStream(reader, writer, tuning, cut, access)
            await stream.set_up(target)
            yield stream


class RtlTcpStream:
    """Blocks of a tenth of a second; narrow channels are cut out of the stream before they are handed on.

    The converter of a dongle runs on while its tuner is retuned, so its count of samples is a clock without a jump.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        tuning: Tuning,
        cut: Cut,
        access: Access,
    ) -> None:
        self._reader, self._writer, self._access = reader, writer, access
        self._clock = SampleClock(cut.rate_hz)
        self._retuned = False
        self._tune(tuning, cut)

    def _tune(self, tuning: Tuning, cut: Cut) -> None:
        self._cut = cut
        self._decimator = QuarterDecimator(cut.rate_hz, cut.factor) if cut.factor > 1 else None
        self._bytes = 2 * cut.block(BLOCK_S)
        self.format = StreamFormat(
            datatype="cu8" if self._decimator is None else "cf32_le",
            sample_rate_hz=cut.rate_hz / cut.factor,
            frequency_hz=tuning.frequency_hz,
            gives=Gives.IQ,
            level_sigma_db=LEVEL_SIGMA_DB,
        )

    async def set_up(self, target: Target) -> None:
        await self._say(
            (Command.SAMPLE_RATE, self._cut.rate_hz),
            (Command.PPM, round(target.ppm)),
            (Command.FREQUENCY, round(self._cut.center_hz)),
            (Command.AGC, 0),
            (Command.GAIN_MODE, 1),
            (Command.GAIN, round(10 * gain_db(target))),
        )

    async def retune(self, tuning: Tuning) -> None:
        """See `RetunableStream`. What was on its way from the old channel is read and left out."""
        cut = _cut(tuning)
        if cut.rate_hz != self._cut.rate_hz:
            raise CaptureError(Fault.TUNING, "its rate would change with the channel, and its clock with it")
        await self._say((Command.FREQUENCY, round(cut.center_hz)))
        self._tune(tuning, cut)
        self._retuned = True
        for _ in range(round(_SETTLE_S / BLOCK_S)):
            await self._next()

    async def _say(self, *commands: tuple[Command, int]) -> None:
        for which, value in commands:
            self._writer.write(command(which, value))
        await self._writer.drain()

    async def __aiter__(self) -> AsyncGenerator[Block, None]:
        while True:
            data, ended_ns = await self._next()
            count = len(data) // 2
            if self._decimator is not None:
                kept = self._decimator(samples_of(data, "cu8"))
                data, count = kept.astype("<c8").tobytes(), len(kept)
                ended_ns -= round(self._decimator.delay_s * 1e9)
            yield Block(data, count, ended_ns)

    async def _next(self) -> tuple[bytes, int]:
        """A block, and UTC in ns at its end."""
        data = await self._read()
        ended_ns = self._clock.count(len(data) // 2)
        if self._retuned and (late_s := self._clock.lost_s):
            reason = "some were lost on the way, or the network or this computer is too slow"
            raise CaptureError(Fault.CLOCK, f"its samples come {late_s:.2g} s later than their count says: {reason}")
        return data, ended_ns

    async def _read(self) -> bytes:
        try:
            async with asyncio.timeout(self._access.silence_s):
                return await self._reader.readexactly(self._bytes)
        except TimeoutError:
            raise CaptureError(Fault.SILENT, f"it has sent too little for {self._access.silence_s:g} s") from None
        except (asyncio.IncompleteReadError, OSError):
            raise CaptureError(Fault.DROPPED, "the connection broke") from None


def _cut(tuning: Tuning) -> Cut:
    cut = cut_of(tuning)
    if not 0 < cut.center_hz < 2**32:
        raise CaptureError(Fault.TUNING, f"rtl_tcp cannot be told {frequency_text(tuning.frequency_hz)}")
    return cut


@contextlib.asynccontextmanager
async def _greeted(
    target: Target, access: Access
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, int]]:
    reader, writer = await asyncio.open_connection(sock=await connect(target.address, access), limit=1 << 20)
    try:
        yield reader, writer, await _tuner(reader, target, access)
    finally:
        writer.transport.abort()


async def _tuner(reader: asyncio.StreamReader, target: Target, access: Access) -> int:
    try:
        async with asyncio.timeout(access.connect_s):
            magic, tuner, _ = GREETING.unpack(await reader.readexactly(GREETING.size))
    except TimeoutError:
        raise CaptureError(
            Fault.BUSY, "it accepts the connection and says nothing: another program has it, it serves one at a time"
        ) from None
    except (asyncio.IncompleteReadError, OSError):
        raise CaptureError(Fault.DROPPED, "it ends the connection at once: is its dongle plugged in?") from None
    if magic != MAGIC:
        raise CaptureError(Fault.NO_RECEIVER, f"{target.address.authority} answers, but not as rtl_tcp does")
    return int(tuner)
