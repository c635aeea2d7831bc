"""What programs that record WAV files say in the names of their files: time, frequency, whether it is IQ, and who received."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from heimdall.formats.readers.source import folder_of
from heimdall.formats.text import composed
from heimdall.formats.wording import frequency_text

_FREQUENCY = re.compile(r"(?<![\d.])(\d+(?:[.,]\d+)?)[ _]?([kMG]?)Hz", re.IGNORECASE)
_SCALE = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}
_YEAR, _TWO = r"(?<!\d)(?P<y>(?:19|20)\d\d)", r"(?P<%s>\d\d)"
_DAY = rf"(?<!\d){_TWO % 'd'}"
_CLOCK = (
    rf"{_TWO % 'h'}[-_:.h]?{_TWO % 'm'}[-_:.m]?{_TWO % 's'}s?"
    r"(?:[._](?P<ms>\d{3})(?!\d|\.\d|[ _]?[kMG]?Hz)|\.(?P<us>\d{4,9})(?![ _]?[kMG]?Hz))?Z?(?!\d)"
)
"""Hours, minutes and seconds, with a fraction unless it is a frequency."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TIMES = tuple(
    re.compile(written, re.IGNORECASE)
    for written in (
        rf"{_YEAR}[-._]?{_TWO % 'mo'}[-._]?{_TWO % 'd'}[T_ -]?{_CLOCK}",
        rf"(?<!\d){_TWO % 'h'}[-_.:]{_TWO % 'm'}[-_.:]{_TWO % 's'}_{_TWO % 'd'}[-.]{_TWO % 'mo'}[-.](?P<y>\d{{4}})(?!\d)",
        rf"{_DAY}[-._]{_TWO % 'mo'}[-._](?P<y>(?:19|20)\d\d)[T_ -]{_CLOCK}",
        rf"{_DAY}[-_ ]?(?P<month>{'|'.join(_MONTHS)})[a-z]*[-_ ]?(?P<y>(?:19|20)\d\d)[T_ -]{_CLOCK}",
    )
)
_PROGRAMS = re.compile(
    r"(?<![a-z])(HDSDR|SDRSharp|SDRuno|SDRconnect|baseband|gqrx|IQ|RF|AF|audio|rec|UTC)(?![a-z])", re.IGNORECASE
)
_RATE = re.compile(r"(?<![\d.])\d+(?:[.,]\d+)?[ _]?[kM]?(?:sps|S/s)(?![a-z])", re.IGNORECASE)
_COPY = re.compile(r" ?\(\d{1,3}\)$")
"""A browser numbers what it downloads once more."""
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
    found = next((found for written in _TIMES if (found := written.search(stem))), None)
    return About(None if found is None else _utc_of(found.groupdict()), frequency_hz, notes)


def _utc_of(parts: Mapping[str, str | None]) -> datetime | None:
    named = parts.get("month")
    month = int(parts["mo"] or 0) if named is None else _MONTHS.index(named.lower()) + 1
    year, day, hour, minute, second = (int(parts[part] or 0) for part in ("y", "d", "h", "m", "s"))
    fraction = parts.get("ms") or (parts.get("us") or "")[:3]
    return utc(year, month, day, hour, minute, second, int(fraction or 0))


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
    for pattern in (_COPY, *_TIMES, _FREQUENCY, _RATE, _PROGRAMS):
        rest = pattern.sub(" ", rest)
    return "_".join(re.split(r"[\s_.,-]+", rest.strip(" _.,-"))) or None
