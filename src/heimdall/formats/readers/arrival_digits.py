"""The digits of arrival times as they are written: none of them is lost, and a clock is no better than they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal, InvalidOperation

from heimdall.observation import Observation, Reception

_FAR_S = 1e3
"""Up to here a float holds an arrival time to a ten-thousandth of a nanosecond."""
_MOST_S = Decimal(10) ** 11
_FEWEST = 3
"""Two times may end in zeros by chance."""
FINEST_S = 1e-12
"""A third of a millimetre of light's way: no arrival time is good to that, so a digit beyond it leaves nothing open."""
_FEWER = 3
"""Digits that a time lacks to the most precise one where it was rounded: one in a thousand ends in as many zeros by chance."""


def exact_number(text: str) -> Decimal | float:
    """A number of a JSON text with all its digits, or what a float makes of one beyond every exponent."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return float(text)


def written_time(value: object) -> Decimal | None:
    """A finite number of s that a clock may show, from JSON that was read with Decimal; None for anything else."""
    try:
        found = Decimal(str(value).strip()) if isinstance(value, Decimal | str) else None
    except InvalidOperation:
        return None
    return found if found is not None and found.is_finite() and abs(found) < _MOST_S else None


def with_written_times(observation: Observation, times: Sequence[Decimal | None]) -> Observation:
    """The observation with every digit of its receptions' arrival times, and their step where clocks are better than that."""
    receptions = list(observation.receptions)
    if any(abs(each.toa_s or 0.0) > _FAR_S for each in receptions):
        near_s = _near_origin_s(times)
        receptions = [
            each if toa_s is None else replace(each, toa_s=toa_s)
            for each, toa_s in zip(receptions, near_s, strict=True)
        ]
    found = list(zip(receptions, _steps_s(times), strict=True))
    coarse = [(each.receiver.name, step_s) for each, step_s in found if _is_coarse(each, step_s)]
    receptions = [replace(each, toa_step_s=step_s) if _is_coarse(each, step_s) else each for each, step_s in found]
    notes = observation.notes if not coarse else (*observation.notes, _note(coarse))
    return replace(observation, receptions=tuple(receptions), notes=notes)


def _note(coarse: Sequence[tuple[str, float]]) -> str:
    names = [name for name, _ in coarse]
    return (
        f"the arrival times are written to {max(step_s for _, step_s in coarse):.0e} s, more coarsely than the clocks of"
        f" {', '.join(names[:3])}{' and others' if len(names) > 3 else ''} run: they are taken to be no better than that; write"
        " all digits"
    )


def _near_origin_s(times: Sequence[Decimal | None]) -> list[float | None]:
    """Times that count from far away, as UNIX times do, less their common whole second.

    A float holds 16 digits: of a time of 1.7e9 s it leaves a quarter of a microsecond, which is 70 m.
    """
    known = sorted(value for value in times if value is not None)
    origin = known[len(known) // 2].to_integral_value(ROUND_FLOOR) if known else Decimal(0)
    return [None if value is None else float(value - origin) for value in times]


def _steps_s(times: Sequence[Decimal | None]) -> list[float]:
    """Of the last digit that each of them was written with; 0 with too few to tell.

    That of the most precise, but for those that were rounded further. A whole second, and one time with fewer digits than the
    others or that several receivers have, may be their origin, or end in zeros.
    """
    known = [value for value in times if value is not None]
    if len(known) < _FEWEST:
        return [0.0] * len(times)
    if _is_of_leading_digits([value for value in known if value]):
        return [10.0 ** _exponent(value) if value else 0.0 for value in times]
    most = max(map(_decimals, known))
    short = {value for value in known if 0 < _decimals(value) <= most - _FEWER}
    rounded = max(map(_decimals, short)) if len(short) > 1 else most
    return [10.0 ** -(rounded if value in short else most) for value in times]


def _is_of_leading_digits(times: Sequence[Decimal]) -> bool:
    """Whether each has as many digits as the others from its first one on, whatever its size, as 3.06E-04 and 5.93E-05 have.

    With as many places behind the point, large ones have more digits than small ones.
    """
    digits = {len(value.as_tuple().digits) for value in times}
    return len(times) >= _FEWEST and len(digits) == 1 and len({value.adjusted() for value in times}) > 1


def _decimals(value: Decimal) -> int:
    """Places behind the point up to the last digit that is not 0; none for a whole number."""
    return max(-_exponent(value.normalize()), 0)


def _exponent(value: Decimal) -> int:
    """Of the last digit."""
    exponent = value.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _is_coarse(reception: Reception, step_s: float) -> bool:
    """Whether its clock is better than its digits; one that cannot be right is refused elsewhere."""
    sigma_s = reception.receiver.clock_sigma_s
    if step_s < FINEST_S:
        return False
    return reception.toa_s is not None and sigma_s is not None and 0 <= sigma_s < step_s / math.sqrt(12)
