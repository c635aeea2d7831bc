"""Figures that stand for none: what programs write where they know nothing, and what would pass for a measurement."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import combinations
from statistics import median

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.geometry import geodesic_distance_m
from heimdall.observation import Observation, Reception

_NAMED = 3
"""Receivers named in one sentence."""
_LEAST_GAP_DB = 10.0
"""Shadowing and distance seldom leave such a gap above powers that are the same to the digit."""
_NEVER = 1e-4
"""Of the times' spread: two that are the same to such a step are so by chance once in ten thousand observations."""
_SELDOM = 1e-2
"""Up to such a step a zero of several is worth a question."""
_WAY = 3.0
"""How much further than from one receiver to the other a signal may go by the sky or by echoes."""
_SIGMAS = 5.0
_HALF = 0.5


def placeholder_doubts(observation: Observation) -> tuple[str, ...]:
    """One sentence for each that is asked about, empty where it is not."""
    return (
        _exact_clock_doubt(observation),
        _floor_doubt(observation),
        _zero_power_doubt(observation),
        _zero_time_doubt(observation),
    )


def _exact_clock_doubt(observation: Observation) -> str:
    """Clocks without any uncertainty: a zero that a program put where it knew none."""
    timed = (each for each in observation.usable if each.toa_s is not None or each.samples is not None)
    exact = [each.receiver.name for each in timed if each.receiver.clock_sigma_s == 0]
    if not exact:
        return ""
    return (
        f"{names_text(exact)} {'has a clock' if len(exact) == 1 else 'have clocks'} uncertain by exactly 0 s, as no clock is:"
        " does that stand for unknown? If so, make `clock_sigma_s` null"
    )


def _floor_doubt(observation: Observation) -> str:
    """Powers that are the same at several receivers and far below all others: a program's placeholder for no signal."""
    powers_dbm = [each.rssi_dbm for each in observation.usable if each.rssi_dbm is not None]
    lowest_dbm = min(powers_dbm, default=0.0)
    others_dbm = [each for each in powers_dbm if each > lowest_dbm]
    alike = len(powers_dbm) - len(others_dbm)
    if alike < 2 or not others_dbm or (gap_db := min(others_dbm) - lowest_dbm) < _LEAST_GAP_DB:
        return ""
    return _power_question(alike, lowest_dbm, f"{gap_db:.0f} dB below all others")


def _zero_power_doubt(observation: Observation) -> str:
    """Powers of 0 far above all others, which one receiver beside the transmitter may have, and not several to the digit."""
    powers_dbm = [each.rssi_dbm for each in observation.usable if each.rssi_dbm is not None]
    others_dbm = [each for each in powers_dbm if each != 0]
    alike = len(powers_dbm) - len(others_dbm)
    if alike < 2 or not others_dbm or max(others_dbm) > -_LEAST_GAP_DB:
        return ""
    return _power_question(alike, 0.0, f"{-max(others_dbm):.0f} dB above all others")


def _power_question(alike: int, power_dbm: float, apart: str) -> str:
    return (
        f"{alike} receivers report exactly {power_dbm:.6g} dBm, {apart}: does that stand for no signal? If so, make `rssi_dbm`"
        " null and give their sensitivity as `sensitivity_dbm`"
    )


def placeholder_time_s(receptions: Sequence[Reception]) -> float | None:
    """An arrival time in s that several receivers have to the digit and that cannot be one; None where there is none.

    Zeros among times that are written too finely for it to be chance stand for none; of times that count from the first, two
    may be 0, as in 5 of 1,147 messages of LocaRDS. So does a whole number further from the times of most others, which agree,
    than a signal takes to their receivers: a zero among times since 1970, or -1.
    """
    timed = _timed(receptions)
    for shared_s, count in Counter(each.toa_s for each in timed if each.toa_s is not None).items():
        others = [each for each in timed if each.toa_s != shared_s]
        if count < 2 or not others:
            continue
        by_chance = count == 2 and min(each.toa_s or 0.0 for each in others) > 0
        never = shared_s == 0 and not by_chance and _coarseness(others) <= _NEVER
        if never or (shared_s.is_integer() and _is_out_of_reach(shared_s, timed, others)):
            return shared_s
    return None


def placeholder_time_text(time_s: float) -> str:
    """Such a time in words; what counts from far away was written as another number."""
    return (
        "an arrival time of exactly 0 s"
        if time_s == 0
        else "an arrival time that others have to the digit, far from the rest"
    )


def _zero_time_doubt(observation: Observation) -> str:
    """Zeros of several receivers that may be chance, as where the times count from the first."""
    timed = _timed(observation.usable)
    zeros = [each.receiver.name for each in timed if each.toa_s == 0]
    others = [each for each in timed if each.toa_s != 0]
    if len(zeros) < 2 or not others or _coarseness(others) > _SELDOM:
        return ""
    return f"{names_text(zeros)} report an arrival time of exactly 0 s: does that stand for no signal? If so, make `toa_s` null"


def _timed(receptions: Sequence[Reception]) -> list[Reception]:
    """Those whose arrival time counts as it is written."""
    return [
        each
        for each in receptions
        if each.flaw is None
        and each.samples is None
        and each.toa_s is not None
        and each.receiver.clock_sigma_s is not None
    ]


def _coarseness(timed: Sequence[Reception]) -> float:
    """The step of the finest digit of some times, none of them 0, to how far from 0 they are."""
    times_s = [each.toa_s for each in timed if each.toa_s]
    exponents = (Decimal(repr(time_s)).normalize().as_tuple().exponent for time_s in times_s)
    finest = min(each for each in exponents if isinstance(each, int))
    return 10.0**finest / median(map(abs, times_s))


def _is_out_of_reach(time_s: float, timed: Sequence[Reception], others: Sequence[Reception]) -> bool:
    """Whether at every receiver with that time it is apart from those of most others, which are not so from each other."""
    if len(others) < 2 or _share_apart(combinations(others, 2)) > _HALF:
        return False
    return all(_share_apart((each, other) for other in others) > _HALF for each in timed if each.toa_s == time_s)


def _share_apart(pairs: Iterable[tuple[Reception, Reception]]) -> float:
    found = [_is_apart(one, other) for one, other in pairs]
    return sum(found) / len(found)


def _is_apart(one: Reception, other: Reception) -> bool:
    """Whether two arrival times differ by more than the way between their receivers and the clocks explain."""
    assert one.toa_s is not None
    assert other.toa_s is not None
    a, b = one.receiver, other.receiver
    away_m = math.hypot(
        geodesic_distance_m(a.latitude_deg, a.longitude_deg, b.latitude_deg, b.longitude_deg), a.height_m - b.height_m
    )
    clocks_s = math.hypot(a.clock_sigma_s or 0.0, b.clock_sigma_s or 0.0)
    return abs(one.toa_s - other.toa_s) > _WAY * away_m / SPEED_OF_LIGHT_M_S + _SIGMAS * clocks_s


def names_text(names: Sequence[str]) -> str:
    return f"{', '.join(names[:_NAMED])}{' and others' if len(names) > _NAMED else ''}"
