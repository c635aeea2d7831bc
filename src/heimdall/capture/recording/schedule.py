"""How long to record, and when by the clock: every so often, or by a line as cron reads it, in UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from heimdall.errors import InputError

DEFAULT_SECONDS = 30.0
MOST_SECONDS = 3600.0
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_PART = re.compile(r"(?:(\*)|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)")
_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_YEARS = 4


@dataclass(frozen=True)
class Cron:
    """Minute, hour, day of the month, month, day of the week (0 and 7 are Sunday), each the values it may have."""

    minute: frozenset[int]
    hour: frozenset[int]
    day: frozenset[int]
    month: frozenset[int]
    weekday: frozenset[int]
    either_day: bool
    """Both kinds of day are restricted: as cron has it, one of them is enough."""

    def after(self, moment: datetime) -> datetime:
        """The first minute that fits after a moment. Raises InputError where there is none."""
        found = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        end = found + timedelta(days=366 * _YEARS)
        while found < end:
            if found.month not in self.month or not self._day_fits(found):
                found = found.replace(hour=0, minute=0) + timedelta(days=1)
            elif found.hour not in self.hour:
                found = found.replace(minute=0) + timedelta(hours=1)
            elif found.minute not in self.minute:
                found += timedelta(minutes=1)
            else:
                return found
        raise InputError("no day fits this cron line")

    def _day_fits(self, moment: datetime) -> bool:
        by_month, by_week = moment.day in self.day, moment.isoweekday() % 7 in self.weekday
        return by_month or by_week if self.either_day else by_month and by_week


def parse_cron(line: str) -> Cron:
    """Numbers, lists, ranges and steps; raises InputError that names the field that is wrong."""
    words = line.split()
    if len(words) != len(_FIELDS):
        raise InputError(f"{line!r} is not a cron line: five fields are needed, as '*/10 6-18 * * *' (UTC)")
    values = [_values(word, *field) for word, field in zip(words, _FIELDS, strict=True)]
    minute, hour, day, month, weekday = values
    either = words[2][0] != "*" and words[4][0] != "*"
    return Cron(minute, hour, day, month, frozenset(each % 7 for each in weekday), either)


def _values(word: str, name: str, least: int, most: int) -> frozenset[int]:
    found: set[int] = set()
    for part in word.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise InputError(f"{name} of the cron line cannot be {part!r}")
        star, first, last, step = match.groups()
        low = least if star else int(first)
        high = most if star or (step and not last) else int(last or first)
        if not least <= low <= high <= most or step == "0":
            raise InputError(f"{name} of the cron line cannot be {part!r}: {least} to {most}")
        found.update(range(low, high + 1, int(step or 1)))
    return frozenset(found)


def parse_duration_s(text: str) -> float:
    """90, 90s, 10m, 2h, 1d."""
    match = _DURATION.fullmatch(text.strip().lower())
    seconds = float(match[1]) * _UNITS_S[match[2]] if match else 0.0
    if not 0 < seconds <= 366 * 86_400:
        raise InputError(f"{text!r} is not a duration: write 90s, 10m or 2h")
    return seconds
