"""From observations to fixes by the likelihood: evidence, search, posterior, regions, advice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heimdall.errors import InputError
from heimdall.estimation.heights.height import Height, Profile, is_unknown
from heimdall.estimation.heights.height_posterior import Found, search_heights
from heimdall.estimation.heights.height_profile import Links, profiles
from heimdall.estimation.integrity.fault_odds import FaultOdds
from heimdall.estimation.integrity.status_check import Relocation, agreements, checked
from heimdall.estimation.likelihood.arrival_times import explained
from heimdall.estimation.likelihood.sky_wave import Explained
from heimdall.estimation.model import PropagationModel, model_of
from heimdall.estimation.posterior_window import frame_around, posterior_mass
from heimdall.estimation.reach import search_radius_m
from heimdall.estimation.region import GridPosterior, Shares
from heimdall.estimation.search import LogDensityAbove, find_mode, log_posterior
from heimdall.estimation.whole_earth import recentred_on_transmitter
from heimdall.evidence.batch import EvidenceBatch, concatenate
from heimdall.evidence.collect import Collected, collect
from heimdall.fix import Fix, ReceiverReport, Status
from heimdall.locating.posterior_fix import grid_posterior, make_fix
from heimdall.observation import Observation

METHOD = "likelihood"
CELLS = 64
"""Cells along each axis of a posterior."""
_CHUNK = 32
"""Scenes computed together: enough to spread the overhead, few enough to stay in the cache."""


@dataclass(frozen=True, eq=False)
class Located:
    """A fix with the posterior that it was read from, for pictures; None where there was too little to locate with."""

    fix: Fix
    posterior: GridPosterior | None
    mass: Callable[[float], float] = float
    """Mass of the posterior that the region of a probability has, where calibration says other than that probability."""
    collected: Collected | None = None
    """The evidence it was located from, the transmitter at the height that was found."""


LocateGroup = Callable[[Sequence[Collected], PropagationModel], list[Located]]
"""Locates observations that share a propagation model."""


def locate(observations: Sequence[Observation]) -> list[Located]:
    """Locate every observation by the likelihood, in the order given.

    An observation with too few receivers becomes a fix with status `insufficient`, and the others go on.
    """
    return list(locate_each(observations))


def locate_each(
    observations: Sequence[Observation], locate_group: LocateGroup | None = None, odds: FaultOdds | None = None
) -> Iterator[Located]:
    """Like `locate`, chunk by chunk as they are ready; `locate_group` may be another method than the likelihood.

    `odds` are shared by methods that locate the same observations.
    """
    for start in range(0, len(observations), _CHUNK):
        yield from _locate_chunk(observations[start : start + _CHUNK], locate_group or locate_by_likelihood, odds)


def _locate_chunk(
    observations: Sequence[Observation], locate_group: LocateGroup, odds: FaultOdds | None
) -> list[Located]:
    results: dict[int, Located] = {}
    groups: dict[PropagationModel, list[tuple[int, Collected, float]]] = {}
    for index, observation in enumerate(observations):
        begun = time.perf_counter()
        try:
            collected = collect(observation)
        except InputError as error:
            results[index] = Located(insufficient(observation, str(error)), None)
            continue
        if not _says_where(collected.evidence):
            results[index] = Located(_nothing_heard(collected), None, collected=collected)
            continue
        collected = recentred_on_transmitter(collected)
        model = model_of(collected)
        groups.setdefault(model, []).append((index, collected, time.perf_counter() - begun))
    for model, members in groups.items():
        located = locate_group([collected for _, collected, _ in members], model)
        begun = time.perf_counter()
        # At the height that was found, if one was.
        found = [result.collected or collected for (_, collected, _), result in zip(members, located, strict=True)]
        agree = agreements([result.fix for result in located], found, model)
        look_s = (time.perf_counter() - begun) / len(members)
        for (index, _, collect_s), result, collected, agrees in zip(members, located, found, agree, strict=True):
            begun = time.perf_counter()
            again = Relocation(_locate_alone, _locate_checked, odds)
            fix = checked(result.fix, collected, result.posterior, again, agree=agrees)
            elapsed_ms = fix.elapsed_ms + (collect_s + look_s + time.perf_counter() - begun) * 1e3
            results[index] = replace(result, fix=replace(fix, elapsed_ms=elapsed_ms), collected=collected)
    return [_with_corrections(results[index], observation) for index, observation in enumerate(observations)]


def _with_corrections(located: Located, observation: Observation) -> Located:
    """Its reports say what was taken off of what each receiver gave."""
    taken_off = {each.receiver.name: each.correction for each in observation.receptions if each.correction}
    if not taken_off:
        return located
    reports = tuple(replace(each, correction=taken_off.get(each.name)) for each in located.fix.receivers)
    return replace(located, fix=replace(located.fix, receivers=reports))


def _says_where(evidence: EvidenceBatch) -> bool:
    """Two arrival times or two powers: anything less would be a place read from the prior alone."""
    return int(np.sum(evidence.has_arrival)) >= 2 or int(np.sum(evidence.has_level)) >= 2


def _nothing_heard(collected: Collected) -> Fix:
    why = (
        "the position cannot be determined: fewer than two receivers have a power above the noise, or an"
        " arrival time from a good enough clock; see receivers"
    )
    reports = tuple(
        ReceiverReport(reception.receiver.name, False, reason or "alone with its measurement")
        for reception, reason in zip(collected.observation.receptions, collected.reasons, strict=True)
    )
    return Fix(collected.observation.id, Status.INSUFFICIENT, why, METHOD, reports)


def _locate_alone(collected: Collected) -> Fix:
    collected = recentred_on_transmitter(collected)
    return locate_by_likelihood([collected], model_of(collected))[0].fix


def _locate_checked(collected: Collected) -> Fix:
    collected = recentred_on_transmitter(collected)
    model = model_of(collected)
    located = locate_by_likelihood([collected], model)[0]
    collected = located.collected or collected
    (agree,) = agreements([located.fix], [collected], model)
    return checked(located.fix, collected, located.posterior, Relocation(_locate_alone), agree=agree)


def insufficient(observation: Observation, why: str) -> Fix:
    """The fix that says why there is none; `why` may begin with the observation's name."""
    why = why.removeprefix(f"{observation.id}: ")
    receivers = tuple(
        ReceiverReport(r.receiver.name, False, r.flaw or "too few receivers") for r in observation.receptions
    )
    return Fix(observation.id, Status.INSUFFICIENT, why, METHOD, receivers)


def locate_by_likelihood(members: Sequence[Collected], model: PropagationModel) -> list[Located]:
    """Locate collected observations that share a propagation model, all at once; place and height together where the
    height is unknown and moves the place."""
    begun = time.perf_counter()
    batch = concatenate([collected.evidence for collected in members])
    density = log_posterior(batch, model)
    mode_B2, _ = find_mode(batch, density, search_radius_m(batch, model))
    unknown = height_profiles(members, batch, model, density, mode_B2)
    found_ms = (time.perf_counter() - begun) * 1e3 / len(members)
    moved = [index for index, profile in unknown.items() if profile.matters]
    still = [index for index in range(len(members)) if index not in moved]
    results: dict[int, Located] = {}
    for chosen, search in ((still, _search_place), (moved, search_heights)):
        if chosen:
            begun = time.perf_counter()
            whole = len(chosen) == len(batch)
            part = batch if whole else batch.select(np.array(chosen))
            shares = [systematic_shares(part, index, model) for index in range(len(part))]
            least_spread_m = np.array([min((sigma for _, sigma in each), default=0.0) for each in shares])
            part_density = density if whole else log_posterior(part, model)
            found = search(part, model, part_density, mode_B2[chosen], CELLS, least_spread_m)
            account = explained(found.mode_B2[:, None], found.batch, model)
            searched_ms = found_ms + (time.perf_counter() - begun) * 1e3 / len(chosen)
            for place, index in enumerate(chosen):
                height = found.heights[place] or (unknown[index].height if index in unknown else None)
                own = np.s_[place : place + 1, :, : members[index].evidence.present.shape[1]]
                told = Explained(account.late_s[own], account.mode[own], account.hops[own])
                results[index] = _conclude(
                    members[index], found, shares[place], place, told, height, model, searched_ms
                )
    return [results[index] for index in range(len(members))]


def height_profiles(
    members: Sequence[Collected],
    batch: EvidenceBatch,
    model: PropagationModel,
    density: LogDensityAbove,
    mode_B2: NDArray[np.float64],
) -> dict[int, Profile]:
    """What is known of the heights that are to be estimated, by the member's index."""
    unknown = [index for index, collected in enumerate(members) if is_unknown(collected, model)]
    if not unknown:
        return {}
    ground = Links(batch, model, density)
    if len(unknown) < len(batch):
        part = batch.select(np.array(unknown))
        ground = Links(part, model, log_posterior(part, model))
    return dict(zip(unknown, profiles(ground, ground.lifted(), mode_B2[unknown]), strict=True))


def _search_place(
    batch: EvidenceBatch,
    model: PropagationModel,
    density: LogDensityAbove,
    mode_B2: NDArray[np.float64],
    cells: int,
    spread_m: NDArray[np.float64],
) -> Found:
    """The posterior at the heights that the batch has."""
    frame = frame_around(mode_B2, batch, model, cells, spread_m, density)
    mass = posterior_mass(batch, density, frame, cells, search_radius_m(batch, model))
    return Found(batch, frame, mass, mode_B2, [None] * len(batch))


def systematic_shares(batch: EvidenceBatch, index: int, model: PropagationModel) -> Shares:
    """The systematic error of a position by arrival times; powers have theirs in their likelihood."""
    return model.systematic_m if uses_time(batch, index) else ()


def uses_time(batch: EvidenceBatch, index: int) -> bool:
    """At least three arrival times: two would be one hyperbola, on which power has to find the place."""
    return int(np.sum(batch.has_arrival[index])) >= 3


def _conclude(
    collected: Collected,
    found: Found,
    shares: Shares,
    index: int,
    account: Explained,
    height: Height | None,
    model: PropagationModel,
    searched_ms: float,
) -> Located:
    begun = time.perf_counter()
    evidence = replace(collected.evidence, transmitter_height_m=found.batch.transmitter_height_m[index : index + 1])
    collected = replace(collected, evidence=evidence)
    posterior = grid_posterior(collected, found.batch, found.frame, found.mass_BYX, index).blurred(shares)
    fix = make_fix(collected, posterior, found.mode_B2[index], METHOD, model, height=height, account=account)
    elapsed_ms = searched_ms + (time.perf_counter() - begun) * 1e3
    return Located(replace(fix, elapsed_ms=elapsed_ms), posterior, collected=collected)
