"""Which receiver is bad: the residuals of many observations, put into words, the worst first."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import CAUCHY_TUNING, MAD_TO_SIGMA, MEDIAN_ERROR, SPEED_OF_LIGHT_M_S
from heimdall.estimation.receivers.offset_group import OffsetGroup, offset_group
from heimdall.estimation.receivers.receiver_residuals import Residual, residuals_of
from heimdall.formats.wording import delay_text, length_text, names_text
from heimdall.observation import Observation

Values = NDArray[np.float64]
_FEWEST = 5
"""Observations below which a median says nothing."""
_SURE = 4.0
"""Standard errors of a median."""
_CLEARLY = 1.0
"""Standard deviations of a link that an offset must exceed to matter."""
_JUMPS = 4.0
"""How many times more than stated, and than the other receivers, stamps scatter that cannot be relied on."""
_MOST_CONVICTED = 3
"""Receivers that are taken for bad one after the other, and then have no say about the rest."""
_LEVEL_MATTERS_DB = 6.0
_LEVEL_SIGMA_DB = 7.0
_SELDOM_USED = 0.5
_LEFT = 0.7
"""Share of the scatter that a wrong place may leave, and little more than usual."""
_LEAST_GAIN = 12.0
"""Log-likelihood that a wrong place must gain, the log of the scatter's fall for each observation: three unknowns fit half of
a few observations however right the place is. Chosen: from 10 observations on, at most one sound receiver in 100 is accused."""
_LEFT_OF_DRIFT = 0.3
"""The same that a steady drift may leave."""
_OWN_CLOCK = 0.5
"""Share of the displacement that the clock may be off by, as a path: more, and place and clock would hide each other."""
_ALL_ROUND = 0.2
"""Standard deviation of directions from which a displaced receiver can be told from a late clock."""
_FITS = 5
_LEAST_SCALE_M = 1e-3


@dataclass(frozen=True)
class ReceiverCheck:
    """One receiver over all observations that name it. Residuals are against the others: what all share, nobody can tell."""

    name: str
    observations: int
    timed: int
    """Observations with a residual of its arrival time."""
    median_late_s: float | None
    scatter_s: float | None
    """Standard deviation, from the median absolute deviation."""
    median_level_db: float | None
    scatter_db: float | None
    unused_share: float
    suspicion: str
    """In words; empty where nothing is suspicious."""
    agreement: float | None
    """How much better the others agree without it than without another, in nats; None where it was not needed."""
    badness: float
    """What they are sorted by: the worst of its figures in units of what is usual."""

    def to_json(self) -> dict[str, object]:
        return dict(vars(self))


def check_receivers(
    observations: Sequence[Observation], on_progress: Callable[[int], None] = lambda done: None
) -> list[ReceiverCheck]:
    """Every receiver that is named, the worst first.

    Each residual is without the receiver's own part in the fix, so that a bad one cannot hide.
    """
    checks = _checked(observations, (), on_progress)
    group = offset_group(observations) if sum(bool(each.suspicion) for each in checks) > 1 else None
    if group is not None:
        observations = group.taken_off(observations)
        checks = _checked(observations, ())
    checks = _without_the_bad(observations, checks)
    if group is not None:
        checks = [_in_group(each, group) if each.name in group.names else each for each in checks]
    return sorted(checks, key=lambda each: (not each.suspicion, -each.badness, each.name))


def _without_the_bad(observations: Sequence[Observation], checks: list[ReceiverCheck]) -> list[ReceiverCheck]:
    """The checks again without the worst, one after the other, while somebody is suspicious."""
    convicted: dict[str, ReceiverCheck] = {}
    while len(convicted) < _MOST_CONVICTED and (worst := _worst(checks, convicted)) is not None:
        convicted[worst.name] = worst
        checks = _checked(observations, tuple(convicted))
    return [convicted.get(each.name, each) for each in checks]


def _in_group(check: ReceiverCheck, group: OffsetGroup) -> ReceiverCheck:
    """With the offset of its group, which was taken off before the rest was judged."""
    others = names_text([name for name in group.names if name != check.name])
    side = "late" if group.offset_s > 0 else "early"
    offset = f"its clock is {side} by {delay_text(abs(group.offset_s))}, together with {others}"
    words = f"{offset}: do they share a time source or hardware that the rest do not have?"
    suspicion = "; ".join(filter(None, (words, check.suspicion)))
    late_s = None if check.median_late_s is None else check.median_late_s + group.offset_s
    return replace(check, median_late_s=late_s, suspicion=suspicion)


def _checked(
    observations: Sequence[Observation],
    distrusted: Sequence[str],
    on_progress: Callable[[int], None] = lambda done: None,
) -> list[ReceiverCheck]:
    found: dict[str, list[Residual]] = {}
    for done, observation in enumerate(observations, start=1):
        for residual in residuals_of(observation, distrusted):
            found.setdefault(residual.receiver, []).append(residual)
        on_progress(done)
    usual_s = _usual([_scatter(_late(each)) for each in found.values() if len(_late(each)) >= _FEWEST])
    return [_check(name, residuals, usual_s) for name, residuals in found.items()]


def _worst(checks: Sequence[ReceiverCheck], convicted: Collection[str]) -> ReceiverCheck | None:
    """The suspicious one without whom the others agree best; None where transmitters are known, or nobody is left.

    With few receivers a bad one makes the others' fixes wrong, and them suspicious: they are looked at again without it.
    """
    rest = [each for each in checks if each.suspicion and each.agreement is not None and each.name not in convicted]
    return max(rest, key=lambda each: each.agreement or 0.0, default=None)


def evenly(observations: Sequence[Observation], most: int | None) -> Sequence[Observation]:
    """At most so many of them, from the first to the last; all where there is no limit."""
    if most is None or len(observations) <= most:
        return observations
    return [observations[int(index)] for index in np.linspace(0, len(observations) - 1, most).round()]


def _late(residuals: Sequence[Residual]) -> Values:
    return np.array([each.late_s for each in residuals if each.late_s is not None])


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _usual(scatters: Sequence[float]) -> float:
    return float(np.median(scatters)) if scatters else 0.0


def _scatter(values: Values) -> float:
    return MAD_TO_SIGMA * float(np.median(np.abs(values - np.median(values))))


def _check(name: str, residuals: Sequence[Residual], usual_s: float) -> ReceiverCheck:
    late, level = _late(residuals), np.array([each.level_db for each in residuals if each.level_db is not None])
    unused = sum(not each.used for each in residuals) / len(residuals)
    findings = [
        _by_time([each for each in residuals if each.late_s is not None], usual_s),
        _by_level(level),
        _by_use(residuals, unused),
    ]
    return ReceiverCheck(
        name=name,
        observations=len(residuals),
        timed=len(late),
        median_late_s=float(np.median(late)) if len(late) else None,
        scatter_s=_scatter(late) if len(late) > 1 else None,
        median_level_db=float(np.median(level)) if len(level) else None,
        scatter_db=_scatter(level) if len(level) > 1 else None,
        unused_share=unused,
        agreement=_mean([each.agreement for each in residuals if each.agreement is not None]),
        suspicion="; ".join(words for words, _ in findings if words),
        badness=max(size for _, size in findings),
    )


def _by_time(timed: Sequence[Residual], usual_s: float) -> tuple[str, float]:
    """What its arrival times are suspected of, and how bad it is."""
    if len(timed) < _FEWEST:
        return "", 0.0
    late, sigma_s = _late(timed), float(np.median([each.late_sigma_s or 0.0 for each in timed]))
    middle_s, scatter_s = float(np.median(late)), _scatter(late)
    badness = max(abs(middle_s), scatter_s) / max(sigma_s, 1e-12)
    moved_m, left_s = _displacement(timed, late)
    jumping = scatter_s > _JUMPS * max(sigma_s, usual_s)
    error_s = MEDIAN_ERROR * max(scatter_s, sigma_s) / len(late) ** 0.5
    offset = abs(middle_s) > max(_SURE * error_s, _CLEARLY * sigma_s)
    most_left = min(_LEFT, math.exp(-_LEAST_GAIN / len(late)))
    if (
        left_s < min(most_left * scatter_s, _JUMPS / 2 * max(sigma_s, usual_s))
        and moved_m > _CLEARLY * sigma_s * SPEED_OF_LIGHT_M_S
    ):
        return f"its position is off by about {length_text(moved_m)}", badness
    if jumping and (drift := _drift(timed, late, scatter_s)):
        return drift, badness
    if jumping:
        return f"its time stamps jump, by {delay_text(scatter_s)} in the mean", badness
    if not offset:
        return "", badness
    side = "late" if middle_s > 0 else "early"
    words = f"its clock is {side} by {delay_text(abs(middle_s))}"
    if not _all_round(np.array([each.sight_m for each in timed])):
        words += f", or its position is {length_text(abs(middle_s) * SPEED_OF_LIGHT_M_S)} off"
    return words, badness


def _drift(timed: Sequence[Residual], late: Values, scatter_s: float) -> str:
    """Says that its clock drifts steadily, if a line explains the scatter (Siegel's repeated medians); else empty.

    Over the times of the observations, or over their order where one of them is not known.
    """
    times = [each.time_utc for each in timed if each.time_utc is not None]
    dated = len(times) == len(timed) and max(times) > min(times)
    from scipy.stats import siegelslopes  # it takes most of a second to load

    at = np.array([(time - times[0]).total_seconds() for time in times]) if dated else np.arange(float(len(timed)))
    slope, begin_s = siegelslopes(late, at)
    if _scatter(late - begin_s - slope * at) > _LEFT_OF_DRIFT * scatter_s:
        return ""
    if dated:
        return f"its clock drifts, by {1e6 * slope:+.2g} ppm"
    return f"its clock drifts, by {delay_text(abs(slope) * (len(timed) - 1))} over these observations"


def _all_round(sight_m: Values) -> bool:
    """Whether its transmitters lay in directions so different that a wrong place does not look like a late clock."""
    toward = sight_m / np.maximum(np.linalg.norm(sight_m, axis=1, keepdims=True), 1e-9)
    return bool(np.max(np.std(toward, axis=0)) > _ALL_ROUND)


def _displacement(timed: Sequence[Residual], late: Values) -> tuple[float, float]:
    """How far off its place would be in m, and the scatter that this leaves in s; infinite where a wrong place explains nothing.

    A receiver that stands further from a transmitter than it says hears it later by as much. Its place and its clock are fitted
    with Cauchy's loss, because blocked links come late, whose scale is found from what the fit before left. The directions have
    to differ; and a place far off, made up for by a clock that is off by as much, explains noise and not a fault.
    """
    if len(timed) < 2 * _FEWEST:
        return 0.0, math.inf
    from scipy.optimize import least_squares  # it takes half a second to load

    sight_m, late_m = np.array([each.sight_m for each in timed]), late * SPEED_OF_LIGHT_M_S
    said_m = np.linalg.norm(sight_m, axis=1)

    def away_m(clock_and_move_m: Values) -> Values:
        path_m = np.linalg.norm(sight_m + clock_and_move_m[1:], axis=1)
        return np.asarray(late_m - clock_and_move_m[0] - (path_m - said_m))

    def fitted(found: Values) -> tuple[float, float, Values]:
        scale_m = _scatter(away_m(found))
        for _ in range(_FITS):
            scale_m = max(CAUCHY_TUNING * scale_m, _LEAST_SCALE_M)
            found = least_squares(away_m, found, loss="cauchy", f_scale=scale_m, x_scale=scale_m).x
            scale_m = _scatter(away_m(found))
        return scale_m / SPEED_OF_LIGHT_M_S, float(found[0]), found[1:]

    # From where it says it is, and from the middle of what it heard.
    starts_m = np.zeros(2), -np.median(sight_m, axis=0)
    left_s, clock_m, displaced_m = min(
        (fitted(np.array([0.0, *start_m])) for start_m in starts_m), key=lambda fit: fit[0]
    )
    moved_m = float(np.linalg.norm(displaced_m))
    if abs(clock_m) > _OWN_CLOCK * moved_m or not _all_round(sight_m + displaced_m):
        return 0.0, math.inf
    return moved_m, left_s


def _by_level(level: Values) -> tuple[str, float]:
    if len(level) < _FEWEST:
        return "", 0.0
    middle_db, scatter_db = float(np.median(level)), _scatter(level)
    badness = abs(middle_db) / _LEVEL_SIGMA_DB
    error_db = MEDIAN_ERROR * max(scatter_db, 1.0) / len(level) ** 0.5
    if abs(middle_db) < max(_SURE * error_db, _LEVEL_MATTERS_DB):
        return "", badness
    return f"its level is {abs(middle_db):.0f} dB {'high' if middle_db > 0 else 'low'}", badness


def _by_use(residuals: Sequence[Residual], unused: float) -> tuple[str, float]:
    if unused <= _SELDOM_USED:
        return "", 0.0
    reasons = Counter(each.reason or "no reason given" for each in residuals if not each.used)
    return f"not used in {100 * unused:.0f} % of the observations: {reasons.most_common(1)[0][0]}", 10 * unused


def figures_of(check: ReceiverCheck) -> tuple[str, ...]:
    """Observations, lateness and its scatter, level and its scatter, share not used: as a table of any kind shows them."""
    late = "" if check.median_late_s is None else f"{1e6 * check.median_late_s:+.3g} us"
    scatter = "" if check.scatter_s is None else f"{1e6 * check.scatter_s:.3g} us"
    level = "" if check.median_level_db is None else f"{check.median_level_db:+.1f} dB"
    scatter_db = "" if check.scatter_db is None else f"{check.scatter_db:.1f} dB"
    return str(check.observations), late, scatter, level, scatter_db, f"{100 * check.unused_share:.0f} %"
