"""One simulated KiwiSDR: its status page and its stream of IQ with GPS stamps, on one port of loopback."""

from __future__ import annotations

import asyncio
import contextlib
import http
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import quote

import numpy as np
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from heimdall.capture.drivers.kiwi_protocol import NO_GPS_AGE_S, SAMPLES_PER_FRAME, SoundFrame, sound_message
from heimdall.formats.readers.kiwisdr.gps_time import WEEK_S, second_of_week
from heimdall.rehearsal.pace import Pace
from heimdall.rehearsal.stage import Site, Stage, oscillator_error
from heimdall.rehearsal.troubles import PASSWORD, TROUBLE_AFTER_S, Trouble
from heimdall.rehearsal.wave import Ear, Hearing

SLOTS = 4
_RATE_HZ = 12_000
_NOISE_COUNTS = 30.0
"""Root mean square of the channel's noise in steps of the 16 bits."""
_NOISE_DBM = -110.0
"""What the meter shows of it."""
_STAMP_JITTER_S = 20e-9
_UNDISCIPLINED = 25e-9
"""Rate at which the clock runs away once GPS is lost."""
_DRIFT_PER_S = 5e-7
"""Change of the sample rate of a receiver with that trouble."""
_GAP_FRAMES = 40
_ELSEWHERE = "http://kiwisdr.example.com:8073"
_NS = 1_000_000_000
_TUNE = re.compile(r"SET mod=(\w+) low_cut=(-?[\d.]+) high_cut=(-?[\d.]+) freq=([\d.]+)")
_REFUSALS = {
    Trouble.BUSY: f"MSG too_busy={SLOTS}",
    Trouble.OFFLINE: "MSG down",
    Trouble.TIME_LIMIT: f"MSG ip_limit={quote('60,127.0.0.1')}",
    Trouble.REDIRECT: f"MSG redirect={quote(_ELSEWHERE, safe='')}",
}


@dataclass
class KiwiServer:
    """`async with KiwiServer(...).running(port)` serves; port 0 takes a free one."""

    stage: Stage
    site: Site
    pace: Pace = field(default_factory=Pace)
    port: int = 0
    users: int = 0
    dropped: bool = False
    """The trouble `drop` has happened."""

    @contextlib.asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[KiwiServer]:
        # A thrown-out client reads its reason; browsers and other people's recorders send no Origin that matters here.
        server: Server = await serve(
            self._stream, "127.0.0.1", port, process_request=self._page, compression=None, ping_interval=None
        )
        async with server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield self

    async def _page(self, _connection: ServerConnection, request: Request) -> Response | None:
        if self.site.trouble is Trouble.SLOW:
            await asyncio.sleep(2)
        if self.site.trouble is Trouble.PAGE:
            return _response(http.HTTPStatus.OK, "<!doctype html><title>A weather station</title>", "text/html")
        if request.path.startswith("/status"):
            return _response(http.HTTPStatus.OK, self._status(), "text/plain; charset=utf-8")
        if not re.fullmatch(r"(/ws)?(/kiwi)?/\d+/SND", request.path.partition("?")[0]):
            return _response(http.HTTPStatus.NOT_FOUND, "no such page", "text/plain")
        return None

    def _status(self) -> str:
        trouble, place = self.site.trouble, self.site.place
        latitude_deg = place.latitude_deg + 0.54 * (trouble is Trouble.LIAR)
        gps = "(0, 0)" if trouble is Trouble.NOWHERE else f"({latitude_deg:.6f}, {place.longitude_deg:.6f})"
        fixed = trouble is not Trouble.NO_GPS
        offline = trouble is Trouble.OFFLINE
        lines = {
            "status": "offline" if offline else "active",
            **({"auth": "password"} if trouble is Trouble.PASSWORD else {}),
            "offline": "yes" if offline else "no",
            "name": f"Rehearsal {self.site.name}, simulated",
            "sdr_hw": f"KiwiSDR 1 v1.700{' GPS' if fixed else ''}",
            "op_email": "",
            "bands": "0-30000000",
            "freq_offset": "0.000",
            "users": str(SLOTS if trouble is Trouble.BUSY else self.users),
            "users_max": str(SLOTS),
            "gps": gps,
            "gps_good": "9" if fixed else "0",
            "fixes": "5000" if fixed else "0",
            "fixes_min": "27" if fixed else "0",
            "fixes_hour": "1500" if fixed else "0",
            "tdoa_id": self.site.name,
            "tdoa_ch": str(SLOTS),
            "asl": f"{place.height_m or 0:.0f}",
            "loc": "a rehearsal",
            "sw_version": "KiwiSDR_v1.700",
            "antenna": "simulated",
            "snr": "25,22",
            "uptime": "100000",
        }
        return "".join(f"{name}={value}\n" for name, value in lines.items())

    async def _stream(self, socket: ServerConnection) -> None:
        try:
            if await self._let_in(socket):
                self.users += 1
                try:
                    await self._play(socket, await self._tuned(socket))
                finally:
                    self.users -= 1
        except ConnectionClosed:
            pass

    async def _let_in(self, socket: ServerConnection) -> bool:
        signed = await _until(socket, "SET auth")
        trouble = self.site.trouble
        refusal = _REFUSALS.get(trouble) if trouble is not None else None
        if self.users >= SLOTS:
            refusal = _REFUSALS[Trouble.BUSY]
        if refusal is not None:
            await socket.send(refusal.encode())
            return False
        right = trouble is not Trouble.PASSWORD or f"p={PASSWORD}" in signed.split()
        await socket.send(f"MSG rx_chans={SLOTS} chan_no_pwd=0 badp={0 if right else 1}".encode())
        return right

    async def _tuned(self, socket: ServerConnection) -> float:
        """Tell what a client wants to know first, and wait for the frequency it wants, in Hz."""
        config = quote(f'{{"rx_gps": "({self.site.place.latitude_deg:.6f}, {self.site.place.longitude_deg:.6f})"}}')
        for told in (
            "version_maj=1 version_min=700",
            f"load_cfg={config}",
            "center_freq=15000000 bandwidth=30000000 adc_clk_nom=66666600",
            f"audio_init=0 audio_rate={_RATE_HZ}",
        ):
            await socket.send(f"MSG {told}".encode())
        await _until(socket, "SET AR OK")
        await socket.send(f"MSG sample_rate={self._ear(0.0).sample_rate_hz:.6f}".encode())
        return _frequency_hz(await _until(socket, "SET mod="))

    def _ear(self, center_hz: float) -> Ear:
        # Its own GPS corrects the tuning, not the rate.
        rated = Ear.of(center_hz, _RATE_HZ, oscillator_error(self.site))
        return Ear(center_hz, rated.length)

    async def _play(self, socket: ServerConnection, center_hz: float) -> None:
        listening = asyncio.create_task(_listen(socket))
        try:
            if self.site.trouble is Trouble.SILENT:
                await listening
            await self._send_frames(socket, center_hz, listening)
        finally:
            listening.cancel()

    async def _send_frames(self, socket: ServerConnection, center_hz: float, listening: asyncio.Task[float]) -> None:
        ear = self._ear(center_hz)
        hearing = Hearing(self.stage, self.site, ear)
        sample = first = ear.sample_at(self.pace.now_ns())
        sequence = 0
        while True:
            if listening.done():
                ear = self._ear(listening.result())
                hearing = Hearing(self.stage, self.site, ear)
                listening = asyncio.create_task(_listen(socket))
            played_s = (sample - first) / ear.sample_rate_hz
            skipped = await self._trouble(socket, played_s, sequence)
            sequence, sample = sequence + skipped, sample + skipped * SAMPLES_PER_FRAME
            await self.pace.until(ear.time_ns(sample + SAMPLES_PER_FRAME))
            frame = self._frame(hearing, ear, sequence, sample, played_s)
            await socket.send(sound_message(frame))
            sequence, sample = sequence + 1, sample + SAMPLES_PER_FRAME

    async def _trouble(self, socket: ServerConnection, played_s: float, sequence: int) -> int:
        """What befalls the stream; the number of frames that are lost."""
        trouble = self.site.trouble
        if played_s < TROUBLE_AFTER_S:
            return 0
        if trouble is Trouble.DROP and not self.dropped:
            self.dropped = True
            socket.transport.abort()
        elif trouble is Trouble.KICK:
            await socket.close()
            await socket.wait_closed()
        elif trouble is Trouble.GAP and (sequence - _frame_number(TROUBLE_AFTER_S)) % 400 == 1:
            return _GAP_FRAMES
        return 0

    def _frame(self, hearing: Hearing, ear: Ear, sequence: int, sample: int, played_s: float) -> SoundFrame:
        heard = hearing.samples(sample, SAMPLES_PER_FRAME)
        parts = np.clip(np.round(heard.view(np.float32) * _NOISE_COUNTS), -32768, 32767)
        stamp_ns, age_s = self._stamp(ear.time_ns(sample), played_s)
        second = second_of_week(stamp_ns // _NS)
        return SoundFrame(
            sequence=sequence,
            level_dbm=_NOISE_DBM + hearing.level_db(heard),
            gps_age_s=age_s,
            gps_second=int(second) % WEEK_S,
            gps_nanosecond=stamp_ns % _NS,
            little_endian=False,
            samples=parts.astype(">i2").tobytes(),
        )

    def _stamp(self, true_ns: int, played_s: float) -> tuple[int, int]:
        """The stamp of a sample by the receiver's clock, and the age of the GPS solution behind it."""
        trouble = self.site.trouble
        error_s = self.site.clock_offset_s + _STAMP_JITTER_S * float(np.random.default_rng().standard_normal())
        age_s = int(true_ns // _NS) % 3
        if trouble is Trouble.NO_GPS:
            return true_ns, NO_GPS_AGE_S
        if trouble is Trouble.GPS_LOST and played_s > TROUBLE_AFTER_S:
            lost_s = played_s - TROUBLE_AFTER_S
            age_s, error_s = min(252, int(lost_s) + 1), error_s + _UNDISCIPLINED * lost_s
        if trouble is Trouble.DRIFT:
            error_s += _DRIFT_PER_S * played_s**2
        return true_ns + round(error_s * _NS), age_s


def _frame_number(played_s: float) -> int:
    return int(played_s * _RATE_HZ / SAMPLES_PER_FRAME)


def _response(status: http.HTTPStatus, body: str, kind: str) -> Response:
    content = body.encode()
    headers = Headers([("Content-Type", kind), ("Content-Length", str(len(content))), ("Connection", "close")])
    return Response(status.value, status.phrase, headers, content)


async def _until(socket: ServerConnection, word: str) -> str:
    """The next message that begins with a word."""
    while True:
        message = await socket.recv()
        text = message.decode("utf-8", "replace") if isinstance(message, bytes) else message
        if text.startswith(word):
            return text


async def _listen(socket: ServerConnection) -> float:
    """Until the client tunes elsewhere: the new frequency in Hz."""
    return _frequency_hz(await _until(socket, "SET mod="))


def _frequency_hz(command: str) -> float:
    found = _TUNE.match(command)
    return float(found[4]) * 1e3 if found else 0.0
