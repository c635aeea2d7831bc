"""OpenWebRX and OpenWebRX+: the level in a channel, within the band to which its operator has set it.

Its band is nobody's to change but its operator's: everybody who listens shares it. Facts from github.com/luarvique/openwebrx.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, ClassVar

from websockets.asyncio.client import ClientConnection

from heimdall.capture.faults import CaptureError, Fault, plain
from heimdall.capture.interface import Block, Gives, ReceiverStatus, StreamFormat, Target, Tuning
from heimdall.capture.network.access import Access
from heimdall.capture.network.fetching import fetch
from heimdall.capture.network.websocket import close_socket, open_socket, receive, send
from heimdall.formats.coordinates import rounding_sigma_m
from heimdall.formats.readers.sigmf.values import number
from heimdall.formats.wording import band_text, frequency_text
from heimdall.observation import Place

_LEVEL_SIGMA_DB = 10.0
"""Its levels are relative to the full scale of whatever hardware it has."""
_PER_S = 1000.0
"""Levels come at no fixed rate: each stands for the milliseconds since the one before it."""
_MOST_STEP_S = 5.0


class OpenWebRx:
    """See `heimdall.capture.interface.Driver`."""

    kind: ClassVar[str] = "openwebrx"

    async def probe(self, target: Target, access: Access) -> ReceiverStatus:
        answer = await fetch(target.address, "/status.json", access)
        document = _json(answer.body) if answer.status == 200 and not answer.truncated else {}
        about = document.get("receiver")
        if not isinstance(about, dict) or "sdrs" not in document:
            raise CaptureError(
                Fault.NO_RECEIVER,
                f"{target.address.authority} answers, but its page /status.json is not OpenWebRX's: check host and port",
            )
        place, sigma_m = _place(about)
        return ReceiverStatus(
            gives=Gives.LEVEL,
            title=plain(about.get("name", "")),
            place=target.place or place,
            position_sigma_m=target.position_sigma_m if target.place else sigma_m,
            slots=_whole(document.get("max_clients")),
            software=f"OpenWebRX {plain(document.get('version', ''), 40)}".strip(),
            notes=(f"it gives levels only, in the band it is set to; its bands: {_bands(document)}",),
        )

    @contextlib.asynccontextmanager
    async def open(self, target: Target, tuning: Tuning, access: Access) -> AsyncIterator[OpenWebRxStream]:
        socket = await open_socket(target.address, "/ws/", access)
        try:
            stream = OpenWebRxStream(socket, tuning, access)
            await stream.begin()
            yield stream
        finally:
            await close_socket(socket)


class OpenWebRxStream:
    """Levels of the channel, as they come."""

    def __init__(self, socket: ClientConnection, tuning: Tuning, access: Access) -> None:
        self._socket, self._tuning, self._access = socket, tuning, access
        self._band: tuple[float, float] | None = None
        self._last_s = time.monotonic()
        self.format = StreamFormat("", _PER_S, tuning.frequency_hz, Gives.LEVEL, _LEVEL_SIGMA_DB)

    async def begin(self) -> None:
        """Sign in, and tune once it is known to which band the receiver is set."""
        await send(self._socket, f"SERVER DE CLIENT client={self._access.user_agent.replace(' ', '_')} type=receiver")
        config: dict[str, Any] = {}
        while time.monotonic() - self._last_s < self._access.silence_s:
            told = await self._told()
            if told.get("type") == "config" and isinstance(told.get("value"), dict):
                config.update(told["value"])
                if await self._tuned(config):
                    return
        raise CaptureError(Fault.SILENT, "it accepts the connection and does not say to which band it is set")

    async def __aiter__(self) -> AsyncGenerator[Block, None]:
        while True:
            told = await self._told()
            if told.get("type") == "config" and isinstance(told.get("value"), dict):
                self._check(told["value"])
            level = number(told.get("value")) if told.get("type") == "smeter" else None
            if level is not None and 0 < level < math.inf:
                now_s = time.monotonic()
                count = max(1, round(min(now_s - self._last_s, _MOST_STEP_S) * _PER_S))
                self._last_s = now_s
                yield Block(b"", count, time.time_ns(), level_dbm=10 * math.log10(level))
            elif time.monotonic() - self._last_s > self._access.silence_s:
                raise CaptureError(Fault.SILENT, f"it has sent no level for {self._access.silence_s:g} s")

    async def _tuned(self, config: dict[str, Any]) -> bool:
        center_hz, rate_hz = number(config.get("center_freq")), number(config.get("samp_rate"))
        if center_hz is None or rate_hz is None:
            return False
        self._band = (center_hz - rate_hz / 2, center_hz + rate_hz / 2)
        low_hz, high_hz = self._tuning.edges_hz
        if not (self._band[0] <= low_hz and high_hz <= self._band[1]):
            raise CaptureError(
                Fault.TUNING,
                f"its operator has set it to {band_text(*self._band)}, "
                f"without {frequency_text(self._tuning.frequency_hz)}; its band is not ours to change",
            )
        half_hz = self._tuning.bandwidth_hz / 2
        await self._say("connectionproperties", params={"output_rate": 12000, "hd_output_rate": 48000})
        channel = {
            "offset_freq": round(self._tuning.frequency_hz - center_hz),
            "low_cut": -half_hz,
            "high_cut": half_hz,
        }
        await self._say("dspcontrol", params={**channel, "mod": "nfm", "squelch_level": -150})
        await self._say("dspcontrol", action="start")
        return True

    def _check(self, config: dict[str, Any]) -> None:
        if "center_freq" in config or "samp_rate" in config:
            raise CaptureError(Fault.KICKED, "somebody has set it to another band")

    async def _say(self, kind: str, **content: Any) -> None:
        await send(self._socket, json.dumps({"type": kind, **content}))

    async def _told(self) -> dict[str, Any]:
        """The next message; one that is no JSON object, such as sound, is empty."""
        told = _json(await receive(self._socket, self._access))
        if told.get("type") == "backoff":
            raise CaptureError(Fault.BUSY, f"it sends us away: {str(told.get('reason', ''))[:100]}")
        if told.get("type") == "sdr_error":
            raise CaptureError(Fault.OFFLINE, f"it has no radio now: {str(told.get('value', ''))[:100]}")
        return told


def _json(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _place(about: dict[str, Any]) -> tuple[Place | None, float | None]:
    gps = about.get("gps")
    if not isinstance(gps, dict):
        return None, None
    latitude_deg, longitude_deg = number(gps.get("lat")), number(gps.get("lon"))
    if latitude_deg is None or longitude_deg is None:
        return None, None
    sigma_m = rounding_sigma_m(repr(latitude_deg), repr(longitude_deg))
    return Place(latitude_deg, longitude_deg, number(about.get("asl"))), sigma_m


def _whole(value: object) -> int | None:
    found = number(value)
    return int(found) if found is not None and abs(found) < 1e6 else None


def _bands(document: dict[str, Any]) -> str:
    radios = document["sdrs"] if isinstance(document["sdrs"], list) else []
    profiles = [each for radio in radios if isinstance(radio, dict) for each in radio.get("profiles") or []]
    ranges = [_band(each) for each in profiles if isinstance(each, dict)]
    return ", ".join([each for each in ranges if each][:8]) or "unknown"


def _band(profile: dict[str, Any]) -> str | None:
    center_hz, rate_hz = number(profile.get("center_freq")), number(profile.get("sample_rate"))
    if center_hz is None or rate_hz is None or not 0 < rate_hz < math.inf:
        return None
    return band_text(center_hz - rate_hz / 2, center_hz + rate_hz / 2)
