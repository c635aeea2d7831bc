"""GPS time to UTC: which week a second of the week belongs to, and the leap seconds between the two."""

from __future__ import annotations

from datetime import UTC, datetime

WEEK_S = 604_800
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GPS_EPOCH_S = int((datetime(1980, 1, 6, tzinfo=UTC) - _UNIX_EPOCH).total_seconds())
_LEAP_SECONDS = (
    (int((datetime(2017, 1, 1, tzinfo=UTC) - _UNIX_EPOCH).total_seconds()), 18),
    (int((datetime(2015, 7, 1, tzinfo=UTC) - _UNIX_EPOCH).total_seconds()), 17),
)
"""GPS time minus UTC from each date on (IERS Bulletin C); there were no KiwiSDRs before."""


def week_begin_utc_s(second_of_week: float, near_utc_s: float) -> int:
    """UTC, in s since 1970, of the beginning of the GPS week whose second lies nearest to a time known roughly."""
    since_epoch_s = near_utc_s - _GPS_EPOCH_S
    leap_s = leap_seconds(near_utc_s)
    week = round((since_epoch_s + leap_s - second_of_week) / WEEK_S)
    return _GPS_EPOCH_S + week * WEEK_S - leap_s


def second_of_week(utc_s: float) -> float:
    """GPS second of the week at a UTC in s since 1970."""
    return (utc_s - _GPS_EPOCH_S + leap_seconds(utc_s)) % WEEK_S


def leap_seconds(utc_s: float) -> int:
    return next((leap for since, leap in _LEAP_SECONDS if utc_s >= since), _LEAP_SECONDS[-1][1])
