"""A session of KiwiSDR recordings: `<UTC>_<frequency in Hz>_<station>_iq.wav`, each with `<station>.txt` for its position."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from heimdall.errors import InputError
from heimdall.formats.channel import occupied_bandwidth_hz
from heimdall.formats.kiwi_wav import BrokenRecordingError, KiwiRecording, parse_kiwi_wav
from heimdall.formats.limits import Files, names_ending
from heimdall.observation import Observation, Place, Receiver, Reception
from heimdall.vetting import vet

SUFFIX = "_iq.wav"
TRUTH_NAME = "transmitter.txt"
"""Optional: the known place of the transmitter, written like a receiver's."""
_NAME = re.compile(r"(?P<utc>\d{8}T\d{6})Z_(?P<frequency_hz>\d{1,12})_(?P<station>.+)_iq\.wav", re.IGNORECASE)
_NUMBER = r"\s*([-+]?\d{1,6}(?:\.\d*)?)\s*"
_PLACE = re.compile(rf"\[{_NUMBER},{_NUMBER}(?:,{_NUMBER})?\]")
_GPS_EPOCH = datetime(1980, 1, 6, tzinfo=UTC)
_WEEK_S = 604_800
_LEAP_SECONDS = ((datetime(2017, 1, 1, tzinfo=UTC), 18), (datetime(2015, 7, 1, tzinfo=UTC), 17))
"""GPS time minus UTC from each date on (IERS Bulletin C); there were no KiwiSDRs before."""
_PASSBAND_HZ = 10_000.0
"""What the receiver's filter leaves of the 12 kHz recorded, taken where nothing stands out in them."""


@dataclass(frozen=True)
class _Heard:
    """One file: what its name says, and its recording, or why there is none."""

    path: str
    station: str
    frequency_hz: float
    named_utc: datetime
    recording: KiwiRecording | None
    flaw: str | None

    def start(self) -> tuple[datetime, float]:
        """UTC of the first sample by its stamps: the whole second, and the rest in s."""
        assert self.recording is not None
        since_epoch_s = (self.named_utc - _GPS_EPOCH).total_seconds()
        leap_s = next((leap for since, leap in _LEAP_SECONDS if self.named_utc >= since), _LEAP_SECONDS[-1][1])
        week = round((since_epoch_s + leap_s - self.recording.start_s) / _WEEK_S)
        whole_s = math.floor(self.recording.start_s)
        return _GPS_EPOCH + timedelta(seconds=week * _WEEK_S + whole_s - leap_s), self.recording.start_s - whole_s


def read_kiwisdr(name: str, files: Files) -> Observation:
    """One observation of all `*_iq.wav` among the files; a broken one becomes a flagged reception without samples.

    Raises InputError for names that do not say what was recorded, or that say different frequencies.
    """
    heard = [_hear(path, files[path]) for path in names_ending(files, SUFFIX)]
    origin = min((one.start()[0] for one in heard if one.recording), default=heard[0].named_utc)
    receptions = tuple(_reception(one, files, origin) for one in heard)
    bandwidth_hz = _bandwidth_hz(receptions)
    return vet(
        Observation(
            id=name,
            frequency_hz=_one_frequency_hz(name, heard),
            bandwidth_hz=bandwidth_hz,
            receptions=receptions,
            time_utc=origin,
            truth=_place(files, TRUTH_NAME),
            notes=(f"the channel of {bandwidth_hz:.0f} Hz is what the signal fills", *_truncations(heard)),
        )
    )


def _hear(path: str, content: bytes) -> _Heard:
    title = _NAME.fullmatch(path)
    try:
        named_utc = datetime.strptime(title["utc"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC) if title else None
    except ValueError:
        named_utc = None
    if title is None or named_utc is None:
        raise InputError(f"{path}: name it <UTC, as 20200813T065220Z>_<frequency in Hz>_<station>_iq.wav")
    recording, flaw = None, None
    try:
        recording = parse_kiwi_wav(content)
    except BrokenRecordingError as error:
        flaw = str(error)
    return _Heard(path, title["station"], float(title["frequency_hz"]), named_utc, recording, flaw)


def _one_frequency_hz(name: str, heard: Sequence[_Heard]) -> float:
    frequencies_hz = sorted({one.frequency_hz for one in heard})
    if len(frequencies_hz) > 1:
        several = ", ".join(f"{frequency_hz:.0f}" for frequency_hz in frequencies_hz)
        raise InputError(f"{name}: recordings at {several} Hz: put those of one frequency into one folder")
    return frequencies_hz[0]


def _reception(one: _Heard, files: Files, origin: datetime) -> Reception:
    place = _place(files, f"{one.station}.txt")
    flaw = one.flaw if place else f"no position: write [latitude, longitude] into {one.station}.txt"
    latitude_deg, longitude_deg = (place.latitude_deg, place.longitude_deg) if place else (math.nan, math.nan)
    height_m = place.height_m if place and place.height_m is not None else 0.0
    if one.recording is None:
        return Reception(Receiver(one.station, latitude_deg, longitude_deg, height_m), flaw=flaw)
    second, rest_s = one.start()
    return Reception(
        Receiver(one.station, latitude_deg, longitude_deg, height_m, one.recording.clock_sigma_s),
        samples=one.recording.samples,
        sample_rate_hz=one.recording.sample_rate_hz,
        start_s=(second - origin).total_seconds() + rest_s,
        flaw=flaw,
    )


def _place(files: Files, path: str) -> Place | None:
    """The first `[latitude, longitude]` or `[latitude, longitude, height]` in a text file."""
    found = _PLACE.search(files[path].decode("utf-8", "replace")) if path in files else None
    if found is None:
        return None
    return Place(float(found[1]), float(found[2]), float(found[3]) if found[3] else None)


def _bandwidth_hz(receptions: Sequence[Reception]) -> float:
    sound = [reception for reception in receptions if reception.samples is not None and reception.flaw is None]
    return min(occupied_bandwidth_hz(sound), _PASSBAND_HZ) if sound else _PASSBAND_HZ


def _truncations(heard: Sequence[_Heard]) -> list[str]:
    return [
        f"{one.path} ends {one.recording.missing_bytes} bytes early; what is there is used"
        for one in heard
        if one.recording and one.recording.missing_bytes
    ]
