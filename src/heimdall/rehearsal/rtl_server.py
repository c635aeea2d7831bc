"""One simulated dongle behind rtl_tcp on a port of loopback: 8 bits, no clock, one client at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import numpy as np

from heimdall.capture.drivers.rtl_protocol import COMMAND, GREETING, MAGIC, Command
from heimdall.rehearsal.pace import Pace
from heimdall.rehearsal.stage import Site, Stage, dongle_error
from heimdall.rehearsal.troubles import TROUBLE_AFTER_S, Trouble
from heimdall.rehearsal.wave import Ear, Hearing

_R820T, _GAINS = 5, 29
_BLOCK_S = 0.05
_ZERO = 127.4
_COUNTS = 0.5
"""Root mean square of the channel's noise in steps of the 8 bits, at `_GAIN_DB`."""
_GAIN_DB = 30.0
_FIRST_COMMANDS_S = 0.3
"""Clients send what they want at once; the stream begins when they have."""
_GAP_S = 1.0


@dataclass
class _Knobs:
    frequency_hz: int = 100_000_000
    rate_hz: int = 2_048_000
    gain_db: float = _GAIN_DB
    ppm: int = 0
    turned: int = 0
    """How often frequency, rate or correction were set."""

    def turn(self, which: int, value: int) -> None:
        if which == Command.GAIN:
            self.gain_db = value / 10
        elif which == Command.GAIN_MODE and value == 0:
            self.gain_db = _GAIN_DB
        elif which in (Command.FREQUENCY, Command.SAMPLE_RATE, Command.PPM):
            self.turned += 1
            if which == Command.FREQUENCY:
                self.frequency_hz = value
            elif which == Command.SAMPLE_RATE:
                self.rate_hz = min(max(value, 225_001), 3_200_000)
            else:
                self.ppm = value - (1 << 32) * (value >> 31)


@dataclass
class RtlTcpServer:
    """`async with RtlTcpServer(...).running(port)` serves; port 0 takes a free one."""

    stage: Stage
    site: Site
    pace: Pace = field(default_factory=Pace)
    port: int = 0
    dropped: bool = False
    _taken: asyncio.Lock = field(default_factory=asyncio.Lock)

    @contextlib.asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[RtlTcpServer]:
        server = await asyncio.start_server(self._client, "127.0.0.1", port)
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            yield self

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.site.trouble is Trouble.BUSY:
                await reader.read()
            async with self._taken:
                await self._serve(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.site.trouble is Trouble.SLOW:
            await asyncio.sleep(2)
        if self.site.trouble is Trouble.PAGE:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return await writer.drain()
        writer.write(GREETING.pack(MAGIC, _R820T, _GAINS))
        knobs = _Knobs()
        listening = asyncio.create_task(_listen(reader, knobs))
        try:
            await asyncio.sleep(_FIRST_COMMANDS_S)
            if self.site.trouble is Trouble.SILENT:
                await listening
            playing = asyncio.create_task(self._play(writer, knobs))
            await asyncio.wait({listening, playing}, return_when=asyncio.FIRST_COMPLETED)
            playing.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await playing
        finally:
            listening.cancel()

    async def _play(self, writer: asyncio.StreamWriter, knobs: _Knobs) -> None:
        played_s, gap = 0.0, False
        sample, rate_hz = 0, 0.0
        while True:
            turned = knobs.turned
            error = (1 + dongle_error(self.site)) / (1 + knobs.ppm * 1e-6) - 1
            ear = Ear.of(knobs.frequency_hz, knobs.rate_hz, error)
            hearing = await asyncio.to_thread(Hearing, self.stage, self.site, ear)
            if rate_hz != ear.sample_rate_hz:  # else the samples run on while it is tuned to something else
                sample, rate_hz = ear.sample_at(self.pace.now_ns()), ear.sample_rate_hz
            count = int(knobs.rate_hz * _BLOCK_S)
            while turned == knobs.turned:
                await self.pace.until(ear.time_ns(sample + count))
                gap = await self._trouble(writer, played_s, gap)
                sample += round(_GAP_S * ear.sample_rate_hz) if gap and played_s < TROUBLE_AFTER_S + _BLOCK_S else 0
                writer.write(_bytes(hearing, sample, count, knobs.gain_db))
                await writer.drain()
                sample, played_s = sample + count, played_s + _BLOCK_S

    async def _trouble(self, writer: asyncio.StreamWriter, played_s: float, gap: bool) -> bool:
        if played_s < TROUBLE_AFTER_S:
            return False
        if self.site.trouble in (Trouble.DROP, Trouble.KICK) and not self.dropped:
            self.dropped = self.site.trouble is Trouble.DROP
            writer.transport.abort()
            raise ConnectionResetError
        return gap or self.site.trouble is Trouble.GAP


def _bytes(hearing: Hearing, sample: int, count: int, gain_db: float) -> bytes:
    counts = np.float32(_COUNTS * 10 ** ((gain_db - _GAIN_DB) / 20))
    parts = hearing.samples(sample, count).view(np.float32) * counts + np.float32(_ZERO)
    return np.clip(np.round(parts), 0, 255).astype(np.uint8).tobytes()


async def _listen(reader: asyncio.StreamReader, knobs: _Knobs) -> None:
    """Until the client leaves."""
    with contextlib.suppress(asyncio.IncompleteReadError):
        while True:
            knobs.turn(*COMMAND.unpack(await reader.readexactly(COMMAND.size)))
