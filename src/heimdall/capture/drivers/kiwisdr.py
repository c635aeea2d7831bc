"""KiwiSDR: IQ of 12 kHz with GPS stamps over a WebSocket, its state from a page."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import ClassVar
from urllib.parse import quote

import numpy as np
from websockets.asyncio.client import ClientConnection

from heimdall.capture.drivers.kiwi_protocol import (
    NotKiwiError,
    SoundFrame,
    decoded,
    parse_message,
    parse_place,
    parse_sound,
    parse_status,
)
from heimdall.capture.faults import CaptureError, Fault, plain
from heimdall.capture.interface import Block, Gives, ReceiverStatus, StreamFormat, Target, Tuning
from heimdall.capture.network.access import Access, redirect_fault
from heimdall.capture.network.fetching import fetch
from heimdall.capture.network.websocket import close_socket, open_socket, receive, send
from heimdall.formats.readers.kiwisdr.gps_time import week_begin_utc_s
from heimdall.formats.readers.kiwisdr.stamps import NOT_RECENT_AGE_S
from heimdall.formats.wording import frequency_text

_MOST_PASSBAND_HZ = 5900.0
_GAIN_DB = 50
"""Fixed, the same for all receivers, so that their levels can be compared; the recorder's own figure for that."""
_KEEPALIVE_S = 1.0
_NS = 1_000_000_000
_BAD_PASSWORD = {
    "1": (Fault.PASSWORD, "it wants another password, or every slot without one is taken"),
    "2": (Fault.OFFLINE, "it has just started and does not know its network yet: try again in a minute"),
    "5": (Fault.IN_USE, "it takes one connection from an address at a time, and has one from here"),
    "6": (Fault.OFFLINE, "it is bringing its software up to date: try again in some minutes"),
}


class KiwiSdr:
    """See `heimdall.capture.interface.Driver`."""

    kind: ClassVar[str] = "kiwi"

    async def probe(self, target: Target, access: Access) -> ReceiverStatus:
        answer = await fetch(target.address, "/status", access)
        try:
            if answer.status != 200 or answer.truncated:
                raise NotKiwiError
            return _status(parse_status(answer.body), target)
        except NotKiwiError:
            raise CaptureError(
                Fault.NO_RECEIVER,
                f"{target.address.authority} answers, but its page /status is not a KiwiSDR's: check host and port",
            ) from None

    @contextlib.asynccontextmanager
    async def open(self, target: Target, tuning: Tuning, access: Access) -> AsyncIterator[KiwiStream]:
        if tuning.bandwidth_hz > 2 * _MOST_PASSBAND_HZ:
            raise CaptureError(
                Fault.TUNING,
                f"a KiwiSDR gives {frequency_text(2 * _MOST_PASSBAND_HZ)}, not {frequency_text(tuning.bandwidth_hz)}",
            )
        socket = await open_socket(target.address, f"/{int(time.time())}/SND", access)
        try:
            stream = KiwiStream(socket, target, tuning, access)
            await stream.begin()
            yield stream
        finally:
            await close_socket(socket)


class KiwiStream:
    """Blocks of 512 samples; sequence numbers tell what was lost."""

    def __init__(self, socket: ClientConnection, target: Target, tuning: Tuning, access: Access) -> None:
        self._socket, self._target, self._tuning, self._access = socket, target, tuning, access
        self._sequence: int | None = None
        self._kept_alive = time.monotonic()
        self._heard_s = time.monotonic()
        self._offset_hz = 0.0
        self._waiting: Block | None = None
        self.format = StreamFormat("ci16_be", 12_000.0, tuning.frequency_hz, Gives.IQ_WITH_GPS_TIME)

    async def begin(self) -> None:
        """Sign in, tune, and wait for the first sound."""
        password = quote(self._target.password or "", safe="")
        await self._send(f"SET auth t=kiwi p={password}")
        self._waiting = await self._next_block()

    async def __aiter__(self) -> AsyncGenerator[Block, None]:
        if self._waiting is not None:
            yield self._waiting
            self._waiting = None
        while True:
            yield await self._next_block()
            await self._keep_alive()

    async def _next_block(self) -> Block:
        """Raises CaptureError where only messages come, and no sound."""
        while True:
            message = await self._receive()
            if message[:3] == b"SND":
                self._heard_s = time.monotonic()
                return self._block(message)
            if message[:3] == b"MSG":
                await self._obey(parse_message(message))
            if time.monotonic() - self._heard_s > self._access.silence_s:
                raise CaptureError(Fault.SILENT, f"it has sent no sound for {self._access.silence_s:g} s")

    def _block(self, message: bytes) -> Block:
        host_utc_ns = time.time_ns()
        try:
            frame = parse_sound(message)
        except NotKiwiError as error:
            raise CaptureError(Fault.NO_RECEIVER, f"it sends {error}: it is not a KiwiSDR") from None
        lost = self._sequence is not None and frame.sequence != (self._sequence + 1) & 0xFFFF_FFFF
        self._sequence = frame.sequence
        return Block(
            data=_big_endian(frame),
            count=len(frame.samples) // 4,
            host_utc_ns=host_utc_ns,
            gps_utc_ns=_gps_utc_ns(frame, host_utc_ns),
            gps_age_s=frame.gps_age_s,
            lost=lost,
            level_dbm=frame.level_dbm,
        )

    async def _obey(self, told: dict[str, str]) -> None:
        """Answer what the receiver expects an answer to. Raises CaptureError for a refusal."""
        _refuse(told)
        if "freq_offset" in told:
            self._offset_hz = 1e3 * (_number(told["freq_offset"]) or 0.0)
        if "audio_rate" in told:
            await self._send(f"SET AR OK in={told['audio_rate'][:9]} out=44100")
        if "sample_rate" in told:
            with contextlib.suppress(ValueError):
                self.format = StreamFormat(
                    self.format.datatype, _rate_hz(told["sample_rate"]), self._tuning.frequency_hz, self.format.gives
                )
            await self._tune()

    async def _tune(self) -> None:
        base_khz = (self._tuning.frequency_hz - self._offset_hz) / 1e3
        edge_hz = min(_MOST_PASSBAND_HZ, max(0.6 * self._tuning.bandwidth_hz, 500.0))
        who = quote(f"Heimdall {self._access.contact}".strip(), safe="@.")
        for command in (
            "squelch=0 max=0",
            "genattn=0",
            "gen=0 mix=-1",
            f"ident_user={who}",
            f"mod=iq low_cut={-edge_hz:.0f} high_cut={edge_hz:.0f} freq={base_khz:.3f}",
            f"agc=0 hang=0 thresh=-100 slope=6 decay=1000 manGain={_GAIN_DB}",
            "compression=0",
            "keepalive",
        ):
            await self._send(f"SET {command}")

    async def _keep_alive(self) -> None:
        if time.monotonic() - self._kept_alive > _KEEPALIVE_S:
            self._kept_alive = time.monotonic()
            await self._send("SET keepalive")

    async def _send(self, text: str) -> None:
        await send(self._socket, text)

    async def _receive(self) -> bytes:
        return await receive(self._socket, self._access)


def _status(told: dict[str, str], target: Target) -> ReceiverStatus:
    height_m = _number(told.get("asl"))
    found = parse_place(told.get("gps", ""), height_m)
    users, slots = _whole(told.get("users")), _whole(told.get("users_max"))
    satellites = _whole(told.get("gps_good"))
    fixes = _whole(told.get("fixes_min"))
    stamped = satellites != 0 or bool(fixes)
    return ReceiverStatus(
        gives=Gives.IQ_WITH_GPS_TIME if stamped and told.get("tdoa_ch") != "-1" else Gives.IQ,
        title=plain(told.get("name", "")),
        place=target.place or (found[0] if found else None),
        position_sigma_m=target.position_sigma_m if target.place else (found[1] if found else None),
        users=users,
        slots=slots,
        gps_satellites=satellites,
        gps_fixes_per_minute=fixes,
        snr_db=_number(told.get("snr", "").partition(",")[0]),
        antenna=plain(told.get("antenna", "")),
        band_hz=_band_hz(told.get("bands", "")),
        tdoa_name=plain(told.get("tdoa_id", ""), 100),
        software=plain(told.get("sw_version", ""), 60),
        fault=_fault(told, users, slots, target),
        notes=("its GPS has no fix: its recordings carry power, no time",) if not stamped else (),
    )


def _fault(told: dict[str, str], users: int | None, slots: int | None, target: Target) -> str | None:
    if told.get("offline") == "yes" or told.get("status") == "offline":
        return "its operator has taken it offline"
    if told.get("auth") == "password" and not target.password:
        return "it wants a password: give it"
    if users is not None and slots and users >= slots:
        return f"all its {slots} slots are taken"
    return None


def _refuse(told: dict[str, str]) -> None:
    if "too_busy" in told:
        raise CaptureError(Fault.BUSY, f"all its {told['too_busy'][:6] or ''} slots are taken".replace("  ", " "))
    if "redirect" in told:
        fault = redirect_fault(decoded(told["redirect"]))
        raise CaptureError(fault.fault, f"all its slots are taken, and {fault}")
    if told.get("badp", "0") != "0":
        fault_kind, why = _BAD_PASSWORD.get(told["badp"], (Fault.PASSWORD, "it does not let this computer in"))
        raise CaptureError(fault_kind, why)
    if "down" in told:
        raise CaptureError(Fault.OFFLINE, "its operator has taken it offline")
    if "ip_limit" in told:
        minutes = decoded(told["ip_limit"]).partition(",")[0][:6]
        raise CaptureError(Fault.TIME_LIMIT, f"this address has used its {minutes} minutes of today on it")
    if "inactivity_timeout" in told:
        raise CaptureError(Fault.TIME_LIMIT, f"its time limit of {told['inactivity_timeout'][:6]} minutes is over")
    if "password_timeout" in told:
        raise CaptureError(Fault.PASSWORD, "it waited for a password too long")
    if "wb_only" in told or "exclusive_use" in told:
        raise CaptureError(Fault.BUSY, "another program has it to itself")


def _big_endian(frame: SoundFrame) -> bytes:
    return np.frombuffer(frame.samples, "<i2").astype(">i2").tobytes() if frame.little_endian else frame.samples


def _gps_utc_ns(frame: SoundFrame, host_utc_ns: int) -> int | None:
    """None without a solution; the week is that of this computer's clock."""
    if frame.gps_age_s >= NOT_RECENT_AGE_S:
        return None
    begin_s = week_begin_utc_s(frame.gps_second, host_utc_ns / _NS)
    return (begin_s + frame.gps_second) * _NS + frame.gps_nanosecond


def _rate_hz(text: str) -> float:
    rate_hz = float(text)
    if not 1000 <= rate_hz <= 100_000:
        raise CaptureError(Fault.NO_RECEIVER, f"it states a sample rate of {text[:20]} Hz: it is not a KiwiSDR")
    return rate_hz


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _whole(text: str | None) -> int | None:
    value = _number(text)
    return None if value is None or not abs(value) < 1e9 else int(value)


def _band_hz(text: str) -> tuple[float, float] | None:
    low, _, high = text.partition("-")
    low_hz, high_hz = _number(low), _number(high.partition(",")[0])
    return None if low_hz is None or high_hz is None or high_hz <= low_hz else (low_hz, high_hz)
