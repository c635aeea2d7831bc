"""What programs that record WAV files say in the names of their files: time, frequency, whether it is IQ, and who received."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from heimdall.formats.readers.source import folder_of
from heimdall.formats.text import composed
from heimdall.formats.wording import frequency_text

_FREQUENCY = re.compile(r"(?<![\d.])(\d+(?:[.,]\d+)?)[ _]?([kMG]?)Hz", re.IGNORECASE)
_SCALE = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}
_YEAR_FIRST = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)[T_ -](\d\d)[-_:]?(\d\d)[-_:]?(\d\d)(?:[._](\d{3}))?Z?(?!\d)")
_HOUR_FIRST = re.compile(r"(?P<h>\d\d)-(?P<m>\d\d)-(?P<s>\d\d)_(?P<d>\d\d)-(?P<mo>\d\d)-(?P<y>\d{4})")
_PROGRAMS = re.compile(
    r"(?<![a-z])(HDSDR|SDRSharp|SDRuno|SDRconnect|baseband|gqrx|IQ|RF|AF|audio|rec)(?![a-z])", re.IGNORECASE
)
_IQ = re.compile(r"(?<![a-z])(baseband|IQ|RF)(?![a-z])", re.IGNORECASE)
_AUDIO = re.compile(r"(?<![a-z])(audio|AF)(?![a-z])", re.IGNORECASE)
_SAME_RATE = 1e-3
"""A value this close to the sample rate is the sample rate, rounded."""


@dataclass(frozen=True)
class About:
    """What a file says of its recording; None where it does not."""

    start_utc: datetime | None = None
    frequency_hz: float | None = None
    notes: tuple[str, ...] = ()

    def or_else(self, other: About) -> About:
        notes = other.notes if self.frequency_hz is None else self.notes
        return About(self.start_utc or other.start_utc, self.frequency_hz or other.frequency_hz, notes)


def from_name(stem: str, rate_hz: float | None = None) -> About:
    """What a name without its suffix says; a number that equals the sample rate, which many write there, is no frequency."""
    frequency_hz, notes = _frequency(stem, rate_hz)
    if found := _YEAR_FIRST.search(stem):
        return About(utc(*(int(part or 0) for part in found.groups())), frequency_hz, notes)
    if found := _HOUR_FIRST.search(stem):
        return About(utc(*(int(found[part]) for part in ("y", "mo", "d", "h", "m", "s"))), frequency_hz, notes)
    return About(None, frequency_hz, notes)


def _frequency(stem: str, rate_hz: float | None) -> tuple[float | None, tuple[str, ...]]:
    """The highest where there are several: widths and tones lie below their carrier."""
    written_hz = {float(each[1].replace(",", ".")) * _SCALE[each[2].lower()] for each in _FREQUENCY.finditer(stem)}
    left_hz = [each for each in written_hz if rate_hz is None or not math.isclose(each, rate_hz, rel_tol=_SAME_RATE)]
    if len(left_hz) < 2:
        return (left_hz[0] if left_hz else None), ()
    return max(left_hz), (f"{stem} names several frequencies: {frequency_text(max(left_hz))} is taken",)


def utc(year: int, month: int, day: int, hour: int, minute: int, second: int, millisecond: int = 0) -> datetime | None:
    """None for a time that is none."""
    try:
        return datetime(year, month, day, hour, minute, tzinfo=UTC) + timedelta(
            seconds=second, milliseconds=millisecond
        )
    except (ValueError, OverflowError):
        return None


def is_audio(stem: str) -> bool:
    """What a program demodulated and records beside its IQ: `AF` with SDR# and HDSDR, `audio` with SDR++."""
    return _AUDIO.search(stem) is not None and _IQ.search(stem) is None


def stations_of(stems: Sequence[str]) -> dict[str, str]:
    """The receiver of each file of a session.

    Where a name says none, or one that stands in the folders of several, the receiver is called as its folder.
    """
    said = {stem: receiver_in(stem.rpartition("/")[2]) for stem in stems}
    folders: dict[str | None, set[str]] = defaultdict(set)
    for stem, receiver in said.items():
        folders[receiver].add(folder_of(stem))
    return {
        stem: receiver
        if receiver and len(folders[receiver]) == 1
        else composed((folder_of(stem) or stem).rpartition("/")[2])
        for stem, receiver in said.items()
    }


def receiver_in(stem: str) -> str | None:
    """What is left of a name without time, frequency and program."""
    rest = composed(stem)
    for pattern in (_YEAR_FIRST, _HOUR_FIRST, _FREQUENCY, _PROGRAMS):
        rest = pattern.sub(" ", rest)
    return "_".join(re.split(r"[\s_.,-]+", rest.strip(" _.,-"))) or None
