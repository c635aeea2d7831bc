"""The words of a KiwiSDR: its status page, the messages of its WebSocket, and its sound frames.

Facts from the KiwiSDR's server and its public recorder (github.com/jks-prv: Beagle_SDR_GPS, kiwiclient).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from urllib.parse import unquote

from heimdall.formats.coordinates import rounding_sigma_m
from heimdall.observation import Place

SAMPLES_PER_FRAME = 512
LITTLE_ENDIAN = 0x80
STEREO = 0x08
NO_GPS_AGE_S = 255
_HEAD = struct.Struct("<BI")
_METER = struct.Struct(">H")
_STAMP = struct.Struct("<BBII")
_METER_ZERO_DBM = -127.0
_METER_STEP_DB = 0.1
_PLACE = re.compile(r"\(?\s*(-?\d{1,3}(?:\.\d*)?)\s*,\s*(-?\d{1,3}(?:\.\d*)?)\s*\)?")


class NotKiwiError(Exception):
    """Bytes that no KiwiSDR sends."""


@dataclass(frozen=True)
class SoundFrame:
    """One frame of IQ: int16 I and Q with the GPS stamp of the first sample."""

    sequence: int
    level_dbm: float
    gps_age_s: int
    gps_second: int
    """Second of the GPS week."""
    gps_nanosecond: int
    little_endian: bool
    samples: bytes


def parse_sound(message: bytes) -> SoundFrame:
    """A message that begins with SND, in IQ mode."""
    head = 3 + _HEAD.size + _METER.size
    if len(message) < head + _STAMP.size:
        raise NotKiwiError(f"a sound frame of {len(message)} bytes")
    flags, sequence = _HEAD.unpack_from(message, 3)
    if not flags & STEREO:
        raise NotKiwiError("a sound frame that is not IQ")
    (meter,) = _METER.unpack_from(message, 3 + _HEAD.size)
    age_s, _, second, nanosecond = _STAMP.unpack_from(message, head)
    samples = message[head + _STAMP.size :]
    return SoundFrame(
        sequence=sequence,
        level_dbm=meter * _METER_STEP_DB + _METER_ZERO_DBM,
        gps_age_s=age_s,
        gps_second=second,
        gps_nanosecond=nanosecond,
        little_endian=bool(flags & LITTLE_ENDIAN),
        samples=samples[: len(samples) // 4 * 4],
    )


def sound_message(frame: SoundFrame) -> bytes:
    """The message that `parse_sound` reads."""
    flags = STEREO | (LITTLE_ENDIAN if frame.little_endian else 0)
    meter = min(max(round((frame.level_dbm - _METER_ZERO_DBM) / _METER_STEP_DB), 0), 0xFFFF)
    stamp = _STAMP.pack(frame.gps_age_s, 0, frame.gps_second, frame.gps_nanosecond)
    return b"SND" + _HEAD.pack(flags, frame.sequence & 0xFFFF_FFFF) + _METER.pack(meter) + stamp + frame.samples


def parse_message(message: bytes) -> dict[str, str]:
    """The pairs of a message that begins with MSG; a word without a value has an empty one."""
    words = message[4:].decode("utf-8", "replace").split(" ")
    return {name: value for name, _, value in (word.partition("=") for word in words if word)}


def parse_status(body: bytes) -> dict[str, str]:
    """The lines NAME=VALUE of a status page; raises NotKiwiError for any other page."""
    lines = body.decode("utf-8", "replace").splitlines()
    pairs = {name: value.strip() for name, found, value in (line.partition("=") for line in lines) if found}
    if "sdr_hw" not in pairs and not {"users", "users_max"} <= pairs.keys():
        raise NotKiwiError("a page without the lines of a KiwiSDR's status")
    return pairs


def parse_place(gps: str, height_m: float | None) -> tuple[Place, float] | None:
    """`(latitude, longitude)`, and the standard deviation in m that its digits leave."""
    found = _PLACE.fullmatch(gps.strip())
    if found is None:
        return None
    return Place(float(found[1]), float(found[2]), height_m), rounding_sigma_m(found[1], found[2])


def decoded(value: str) -> str:
    return unquote(value)
