"""What a status may claim: `ok` only where the receivers agree and the region says something."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heimdall.estimation.integrity.arrival_spread import times_alike, times_apart
from heimdall.estimation.integrity.fault_odds import FaultOdds
from heimdall.estimation.integrity.first_look import in_plain_agreement
from heimdall.estimation.integrity.protection import protection_levels_m
from heimdall.estimation.integrity.suspicion import Suspicion, coordinates_fitted, suspect
from heimdall.estimation.model import PropagationModel, model_of
from heimdall.estimation.reach import carried_m, furthest_timed
from heimdall.estimation.region import GridPosterior
from heimdall.evidence.batch import concatenate
from heimdall.evidence.collect import Collected
from heimdall.evidence.redescribe import redescribed
from heimdall.fix import Fix, Status, Without, joined_advice
from heimdall.formats.wording import frequency_text, length_text, without_text

_FEWEST = 2
"""Receivers that are left to locate with."""
_FEWEST_WITHOUT_HEIGHT = 5
"""Arrival times of which one is left to check the others by, when place, height and emission time are fitted."""

_LEAST_HEIGHT_ERROR_M, _HEIGHT_SIGMAS = 300.0, 5.0
"""A stated height is doubted from so far off on, and so many standard deviations of the height that fits: less is terrain."""
_HARDLY_CHECKED = 3.0
"""A receiver whose fault could move the fix beyond so many times the reach of the 95 % region is told."""
_ON_GROUND = " or tell a height (a transmitter on the ground is assumed; if it flies, give its height)"


@dataclass(frozen=True)
class Relocation:
    """How the check locates again; passed in because the package `locating` imports this one."""

    locate: Callable[[Collected], Fix]
    locate_checked: Callable[[Collected], Fix] | None = None
    """As `locate`, with this check."""
    odds: FaultOdds | None = None
    """What other methods that are compared have found already."""


def agreements(fixes: Sequence[Fix], collected: Sequence[Collected], model: PropagationModel) -> list[bool]:
    """Which fixes the receivers plainly agree with, all of one model looked at together; False where there is no place."""
    agree = [False] * len(fixes)
    groups: dict[bool, list[int]] = {}
    for index, (fix, each) in enumerate(zip(fixes, collected, strict=True)):
        if fix.latitude_deg is not None:
            groups.setdefault(each.evidence.mapped is None, []).append(index)
    for members in groups.values():
        batch = concatenate([collected[index].evidence for index in members])
        place_B2 = np.array([_place_m(fixes[index], collected[index]) for index in members])
        fitted_B = np.array([coordinates_fitted(collected[index]) for index in members])
        found_B = in_plain_agreement(batch, place_B2, model.without_faults, fitted_B)
        for index, found in zip(members, found_B, strict=True):
            agree[index] = bool(found)
    return agree


def checked(
    fix: Fix, collected: Collected, posterior: GridPosterior | None, again: Relocation, *, agree: bool = False
) -> Fix:
    """The fix as it is where its receivers agree, else `inconsistent`, with the fix without the most suspicious one.

    By the likelihood's model, whatever method the fix is from. `agree` is what `agreements` says.
    """
    if fix.latitude_deg is None or fix.longitude_deg is None or posterior is None:
        return fix
    if asked := times_apart(collected.evidence) or times_alike(collected.evidence):
        return replace(fix, status=Status.INCONSISTENT, advice=asked)
    place_m = _place_m(fix, collected)
    model = model_of(collected)
    found = suspect(collected, place_m, model.without_faults, again.odds, agree=agree)
    if found is not None:
        return _contradicted(fix, collected, found, again)
    if fix.status is not Status.OK:
        return fix
    if not agree and (doubtful := _height_in_doubt(collected, again)):
        return replace(fix, status=Status.INCONSISTENT, advice=joined_advice(doubtful, fix.advice))
    if unreachable := _beyond_the_horizon(fix, collected, place_m, model):
        return replace(fix, status=Status.INCONSISTENT, advice=joined_advice(unreachable, fix.advice))
    fix = _qualified(fix, collected, posterior)
    return _protected(fix, collected, place_m, model) if fix.status is Status.OK else fix


def _contradicted(fix: Fix, collected: Collected, found: Suspicion, again: Relocation) -> Fix:
    """The fix as `inconsistent`, with what is to be said of it and the fix without the most suspicious receivers."""
    advice, left = found.advice, None
    if found.corrected is not None:
        corrected = _without("", again.locate(found.corrected))
        advice = f"{advice} ({corrected.status}, {without_text(corrected)}): {found.remedy}"
    if found.receptions and len(collected.observation.usable) - len(found.receptions) >= _FEWEST:
        name = " and ".join(collected.observation.receptions[index].receiver.name for index in found.receptions)
        left = _without(name, again.locate(redescribed(collected, dict.fromkeys(found.receptions))))
        advice = f"{advice}. Without {name}: {left.status}, {without_text(left)}"
    advice = joined_advice(_by_the_height(collected, again), advice)
    return replace(fix, status=Status.INCONSISTENT, advice=advice, without=left)


def _height_in_doubt(collected: Collected, again: Relocation) -> str:
    """Says that the arrival times fit another height far better than the stated one, which needs late links; else empty."""
    left_open = _with_height_open(collected, again)
    stated_m = collected.observation.transmitter_height_m
    if left_open is None or stated_m is None or left_open.height_m is None or left_open.height_sigma_m is None:
        return ""
    away_m = abs(left_open.height_m - stated_m)
    if away_m < max(_LEAST_HEIGHT_ERROR_M, _HEIGHT_SIGMAS * left_open.height_sigma_m):
        return ""
    return _height_question(stated_m, left_open)


def _by_the_height(collected: Collected, again: Relocation) -> str:
    """Says that the receivers agree once the transmitter's stated height is left open; empty if they do not, or must."""
    left_open = _with_height_open(collected, again)
    stated_m = collected.observation.transmitter_height_m
    return "" if left_open is None or stated_m is None else _height_question(stated_m, left_open)


def _with_height_open(collected: Collected, again: Relocation) -> Fix | None:
    """The fix without the transmitter's stated height; None where none is stated, too few times tell one, or they disagree."""
    enough = int(np.sum(collected.evidence.has_arrival)) >= _FEWEST_WITHOUT_HEIGHT
    if collected.observation.transmitter_height_m is None or not enough or again.locate_checked is None:
        return None
    observation = replace(collected.observation, transmitter_height_m=None)
    left_open = again.locate_checked(redescribed(replace(collected, observation=observation), {}))
    return left_open if left_open.status is Status.OK else None


def _height_question(height_m: float, left_open: Fix) -> str:
    place = without_text(_without("", left_open))
    return (
        f"the transmitter's stated height of {height_m:.6g} m may be wrong: without it the receivers agree ({place}); is it in"
        " metres above the ellipsoid, as the receivers' heights are?"
    )


def _beyond_the_horizon(fix: Fix, collected: Collected, place_m: NDArray[np.float64], model: PropagationModel) -> str:
    """Why a receiver cannot have heard a transmitter at that place; empty where each can.

    What ducts and scatter carry further is late by more than the stated uncertainties, so it is not `ok` either.
    """
    receiver, away_m = furthest_timed(place_m, collected.evidence)
    if away_m <= carried_m((fix.height_m or 0.0) + 2 * (fix.height_sigma_m or 0.0), model):
        return ""
    name, frequency_hz = collected.observation.receptions[receiver].receiver.name, collected.observation.frequency_hz
    return (
        f"{name} is {length_text(away_m)} from there, beyond the radio horizon at {frequency_text(frequency_hz)}: check"
        " the frequency and the positions; if the transmitter flies, give its height"
    )


def _place_m(fix: Fix, collected: Collected) -> NDArray[np.float64]:
    height_m = float(collected.evidence.transmitter_height_m[0])
    return collected.frame.horizontal_m(fix.latitude_deg or 0.0, fix.longitude_deg or 0.0, height_m)


def _without(name: str, fix: Fix) -> Without:
    return Without(name, fix.status, fix.latitude_deg, fix.longitude_deg, fix.reach_m)


def _qualified(fix: Fix, collected: Collected, posterior: GridPosterior) -> Fix:
    """A region without use is not `ok`."""
    region_m, network_m = _region_radius_m(posterior), _network_radius_m(collected)
    if region_m <= network_m:
        return fix
    advice = (
        "the measurements hardly constrain the position: the 95 % region is as large as a circle of"
        f" {region_m / 1e3:.0f} km, and all receivers are within {network_m / 1e3:.0f} km;"
        " receivers on other sides and better clocks would help"
    )
    return replace(fix, status=Status.AMBIGUOUS, advice=joined_advice(advice, fix.advice))


def _protected(fix: Fix, collected: Collected, place_m: NDArray[np.float64], model: PropagationModel) -> Fix:
    """With its protection level, and what the receivers cannot check about each other."""
    fitted = coordinates_fitted(collected)
    if int(np.sum(collected.evidence.has_arrival)) <= fitted + 1:
        unchecked = _unchecked(fitted, on_ground=_assumes_ground(collected, model))
        return replace(fix, advice=joined_advice(fix.advice, unchecked))
    levels_m = protection_levels_m(collected.evidence, place_m, model, fitted)
    if np.all(np.isnan(levels_m)) or (reach_m := fix.reach_m) is None:
        return fix
    worst = int(np.nanargmax(levels_m))
    level_m = max(reach_m, float(levels_m[worst]))
    fix = replace(fix, protection_level_m=level_m if math.isfinite(level_m) else None)
    if level_m <= _HARDLY_CHECKED * reach_m:
        return fix
    hardly = _hardly_checked(collected.observation.usable_receivers[worst].name, level_m)
    return replace(fix, advice=joined_advice(fix.advice, hardly))


def _unchecked(fitted: int, *, on_ground: bool) -> str:
    """Says that there are no more arrival times than unknowns."""
    if fitted == 3:
        return "four arrival times that tell a height cannot check each other: add a fifth receiver with a good clock"
    assumption = _ON_GROUND if on_ground else ""
    return f"three arrival times cannot check each other{assumption}: add a fourth receiver with a good clock"


def _hardly_checked(name: str, level_m: float) -> str:
    if math.isinf(level_m):
        return f"{name} is not checked by the others: if its arrival time is wrong, the transmitter may be anywhere"
    return (
        f"{name} is hardly checked by the others: if its arrival time is wrong, the transmitter may be"
        f" up to {length_text(level_m)} away"
    )


def _assumes_ground(collected: Collected, model: PropagationModel) -> bool:
    """Whether nobody said how high the transmitter is, though the height of its signal's path counts."""
    return collected.observation.transmitter_height_m is None and not model.along_ground


def _region_radius_m(posterior: GridPosterior) -> float:
    """Radius of the circle that is as large as the 95 % region."""
    inside = posterior.log_density >= posterior.log_threshold(0.95)
    area_m2 = np.sum(posterior.probability[inside] / posterior.density_per_m2[inside])
    return math.sqrt(float(area_m2) / math.pi)


def _network_radius_m(collected: Collected) -> float:
    """Radius of the smallest circle round the receivers' mean that holds them all."""
    place_N2 = collected.receivers_enu_m[:, :2]
    return float(np.max(np.linalg.norm(place_N2 - place_N2.mean(axis=0), axis=1)))
