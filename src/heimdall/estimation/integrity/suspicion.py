"""Who is most likely wrong when the receivers contradict each other, about what, and how to say it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.heights.height import LOWEST_M
from heimdall.estimation.heights.lower_ground import LEAST_DEPTH_M
from heimdall.estimation.integrity.clock_groups import ClockGroups, best_groups
from heimdall.estimation.integrity.common_mistakes import common_mistakes
from heimdall.estimation.integrity.consistency import Misfit, find_misfit
from heimdall.estimation.integrity.exchanged_receivers import FEWEST_TIMES, Exchange, at_place_of, best_exchange
from heimdall.estimation.integrity.fault_odds import Fault, FaultOdds, fault_of, late_against_others, log_evidence
from heimdall.estimation.integrity.misplacement import back_among, coarseness, standing_apart
from heimdall.estimation.likelihood.arrival_times import link_distance_m
from heimdall.estimation.model import PropagationModel, model_of
from heimdall.evidence.batch import EvidenceBatch
from heimdall.evidence.collect import Collected
from heimdall.evidence.redescribe import redescribed
from heimdall.formats.wording import delay_text, names_text
from heimdall.observation import Receiver

Gain = Callable[[Collected], float]
_AS_GOOD = 1.0
"""A correction that explains the measurements nearly as well as any fault could is the likelier story."""
_RIVAL = 1.0
"""Log odds by which the most suspicious receiver must lead, or the second is named, too."""
_LEAST_LEAD = 3.0
"""Log odds by which a mistake that concerns several receivers must explain more than a fault of one, which is more common."""

_ASK_CLOCKS = "do their times come from another source, or through other hardware?"


@dataclass(frozen=True)
class Suspicion:
    receptions: tuple[int, ...]
    """Of the observation, the most suspicious one, or two that were exchanged; none where all are mistaken alike."""
    advice: str
    corrected: Collected | None = None
    """The measurements as they would be without the mistake, where it is one of several receivers."""
    remedy: str = "correct the file"
    """What follows from `corrected`."""


def suspect(
    collected: Collected,
    place_m: NDArray[np.float64],
    model: PropagationModel,
    odds: FaultOdds | None = None,
    *,
    agree: bool = False,
) -> Suspicion | None:
    """The receiver that contradicts the others, given the fix (2,); None where nobody does.

    `agree` says that they are `in_plain_agreement`, which leaves a receiver that may be misplaced.
    """
    sound = [index for index, each in enumerate(collected.observation.receptions) if each.flaw is None]
    if len(sound) < 3:
        return None
    gain = _gain_over(collected, model)
    if (misplaced := _misplaced(collected, sound, gain)) is not None:
        return misplaced
    misfit = None if agree else find_misfit(collected.evidence, place_m, model, coordinates_fitted(collected), odds)
    if misfit is None:
        return None
    groups = best_groups(collected.evidence, place_m, model)
    return _suspicion(_Contradiction(collected, sound, model, gain, misfit, groups))


def coordinates_fitted(collected: Collected) -> int:
    """How many coordinates of the place the arrival times were fitted by: 3 with a height other than the receivers', else 2."""
    if collected.observation.transmitter_height_m is not None:
        return 2
    receivers_m = [each.height_m for each in collected.observation.usable_receivers]
    above_m = float(collected.evidence.transmitter_height_m[0]) - float(np.mean(receivers_m))
    return 2 if -LEAST_DEPTH_M <= above_m <= LOWEST_M else 3


def _misplaced(collected: Collected, sound: Sequence[int], gain: Gain) -> Suspicion | None:
    """A receiver far from all others that a common mistake explains: where it says it is, it could hardly have heard them."""
    for place in standing_apart(np.asarray(collected.evidence.position_enu_m[0])):
        index = sound[place]
        receiver, others = _with_others(collected, sound, index)
        for correction in back_among(receiver, others):
            if gain(redescribed(collected, {index: correction.receiver})) > 0:
                why = f"it is far from all others, and {correction.words} everything fits: correct its position"
                return Suspicion((index,), _advice(receiver.name, why))
    return None


def _with_others(collected: Collected, sound: Sequence[int], index: int) -> tuple[Receiver, list[Receiver]]:
    receivers = {each: collected.observation.receptions[each].receiver for each in sound}
    return receivers.pop(index), list(receivers.values())


def _gain_over(collected: Collected, model: PropagationModel) -> Gain:
    """A function that tells by how much a correction of the measurements raises their log evidence."""

    @cache
    def before() -> float:
        return float(log_evidence(collected.evidence, model)[1][0])

    def gain(corrected: Collected) -> float:
        return float(log_evidence(corrected.evidence, model_of(corrected).without_faults)[1][0]) - before()

    return gain


@dataclass(frozen=True, eq=False)
class _Contradiction:
    """Receivers that do not agree, and what has been found out about them."""

    collected: Collected
    sound: Sequence[int]
    """Receptions, by column of the evidence."""
    model: PropagationModel
    gain: Gain
    misfit: Misfit
    groups: ClockGroups | None


def _suspicion(found: _Contradiction) -> Suspicion:
    if (several := _of_several(found)) is not None:
        return several
    collected, sound, model, gain = found.collected, found.sound, found.model, found.gain
    first, *rest = found.misfit.suspects
    of_one = float(found.misfit.log_odds[first])
    index = sound[first]
    receiver, others = _with_others(collected, sound, index)
    fault, place_m = fault_of(collected.evidence, model, first)
    gains = {each: gain(redescribed(collected, {index: each.receiver})) for each in back_among(receiver, others)}
    best = max(gains, key=lambda each: gains[each], default=None)
    freest = max(fault.time, fault.level, fault.both)
    if best is not None and gains[best] > max(freest - _AS_GOOD, 0.0):
        why = f"{best.words} everything fits: correct its position"
    else:
        why = _why(collected.evidence, model, first, fault, place_m, coarseness(receiver))
    rival = ""
    if found.groups is not None and found.groups.log_odds > of_one - _RIVAL:
        rival = f"; {_groups_text(collected, sound, found.groups)} would explain it nearly as well"
    elif rest and of_one - found.misfit.log_odds[rest[0]] < _RIVAL:
        rival = f"; {collected.observation.receptions[sound[rest[0]]].receiver.name} is nearly as suspicious"
    return Suspicion((index,), _advice(receiver.name, why) + rival)


def _two_clocks(collected: Collected, sound: Sequence[int], groups: ClockGroups) -> Suspicion:
    """The offset is taken off the smaller group's times, and its uncertainty added to theirs."""
    plain = redescribed(collected, {})
    apart_N = np.isin(np.arange(plain.evidence.present.shape[1]), groups.apart)
    evidence = replace(
        plain.evidence,
        arrival_s=plain.evidence.arrival_s - groups.offset_s * apart_N,
        arrival_sigma_s=np.hypot(plain.evidence.arrival_sigma_s, groups.sigma_s * apart_N),
    )
    advice = f"the receivers contradict each other: with {_groups_text(collected, sound, groups)} everything fits"
    return Suspicion((), advice, replace(plain, evidence=evidence), _ASK_CLOCKS)


def _groups_text(collected: Collected, sound: Sequence[int], groups: ClockGroups) -> str:
    names = [collected.observation.receptions[sound[column]].receiver.name for column in groups.apart]
    direction = "later" if groups.offset_s > 0 else "earlier"
    every = "both" if len(names) == 2 else "all"
    return f"{names_text(names)} {every} {delay_text(abs(groups.offset_s))} {direction} than the others"


def _of_several(found: _Contradiction) -> Suspicion | None:
    """A mistake that concerns all receivers, two that were exchanged, or a group of them, if it explains so much more than a
    fault of one."""
    collected, groups = found.collected, found.groups
    if int(np.sum(collected.evidence.has_arrival)) < FEWEST_TIMES:
        return None
    of_one = float(np.max(found.misfit.log_odds))
    least = max(of_one, 0.0) + _LEAST_LEAD
    for words, corrected in common_mistakes(collected):
        if found.gain(corrected) > least:
            return Suspicion((), f"the receivers contradict each other: {words} everything fits", corrected)
    pair = best_exchange(collected.evidence, found.model, found.misfit.suspects)
    if groups is not None and groups.log_odds > max(of_one + _LEAST_LEAD, pair.log_odds):
        return _two_clocks(collected, found.sound, groups)
    return _exchanged(collected, found.sound, pair) if pair.log_odds > least else None


def _exchanged(collected: Collected, sound: Sequence[int], pair: Exchange) -> Suspicion:
    first, second = sorted((sound[pair.first], sound[pair.second]))
    here, there = (collected.observation.receptions[each].receiver for each in (first, second))
    corrected = redescribed(collected, {first: at_place_of(here, there), second: at_place_of(there, here)})
    words = f"with the places of {here.name} and {there.name} exchanged everything fits"
    return Suspicion((first, second), f"the receivers contradict each other: {words}", corrected)


def _advice(name: str, why: str) -> str:
    return f"the receivers contradict each other, {name} most of all: {why}"


def _why(
    evidence: EvidenceBatch,
    model: PropagationModel,
    receiver: int,
    fault: Fault,
    place_m: NDArray[np.float64],
    coarse: str | None,
) -> str:
    level, late = _level_words(evidence, model, receiver, place_m), _lateness(evidence, model, receiver, place_m)
    if not late and not level:
        return "it heard nothing where the others predict a signal: check its gain and its antenna"
    # Where no fault explains more than none does, it is the times that do not fit.
    if not late or (level and fault.level > max(fault.time, fault.both, 0.0)):
        return f"its level is {level} than the others predict: check its gain and its antenna"
    if coarse is not None:
        return f"{coarse}, and its signal came {late}: state its position precisely"
    if level and fault.both > fault.time:
        return f"its signal came {late} and its level is {level} than the others predict: check its position"
    return f"its signal came {late} than the others predict: check its position and its clock"


def _lateness(evidence: EvidenceBatch, model: PropagationModel, receiver: int, place_m: NDArray[np.float64]) -> str:
    """How late the receiver is by the others' emission time, in words; empty if it or all others have no arrival time."""
    others = np.arange(evidence.present.shape[1]) != receiver
    if not evidence.has_arrival[0, receiver] or not np.any(evidence.has_arrival[0] & others):
        return ""
    alone = replace(evidence, has_arrival=evidence.has_arrival & others)
    place = place_m[None, None]
    distance_m = link_distance_m(place, evidence, model)[0, 0]
    late_s = late_against_others(alone, model, place, distance_m, receiver)
    path_m = abs(late_s) * SPEED_OF_LIGHT_M_S / model.refractive_index
    length = f"{path_m:.0f} m" if path_m < 1000 else f"{path_m / 1e3:.3g} km"
    return f"{delay_text(abs(late_s))} ({length}) {'later' if late_s > 0 else 'earlier'}"


def _level_words(evidence: EvidenceBatch, model: PropagationModel, receiver: int, place_m: NDArray[np.float64]) -> str:
    """Against the median of the others by the model's mean exponent; empty where it, or every other one, has no level."""
    distance_m = link_distance_m(place_m[None, None], evidence, model)[0, 0]
    power_db = evidence.level_db[0] + 10 * model.exponent_mean * np.log10(np.maximum(distance_m, model.min_distance_m))
    others = np.asarray(evidence.has_level[0]) & (np.arange(len(power_db)) != receiver)
    if not evidence.has_level[0, receiver] or not np.any(others):
        return ""
    off_db = float(power_db[receiver] - np.median(power_db[others]))
    return f"{abs(off_db):.0f} dB {'higher' if off_db > 0 else 'lower'}"
