"""Fixes by the likelihood: search, posterior, regions, height."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from heimdall.estimation.heights.height import Height, Profile, is_unknown
from heimdall.estimation.heights.height_posterior import Found, search_heights
from heimdall.estimation.heights.height_profile import Links, profiles
from heimdall.estimation.likelihood.arrival_times import explained
from heimdall.estimation.likelihood.sky_wave import Explained
from heimdall.estimation.model import PropagationModel
from heimdall.estimation.posterior_window import frame_around, posterior_mass
from heimdall.estimation.reach import search_radius_m
from heimdall.estimation.region import Shares
from heimdall.estimation.search import LogDensityAbove, find_mode, log_posterior
from heimdall.evidence.batch import EvidenceBatch, concatenate
from heimdall.evidence.collect import Collected
from heimdall.locating.located import Located
from heimdall.locating.posterior_fix import grid_posterior, make_fix

METHOD = "likelihood"
CELLS = 64
"""Cells along each axis of a posterior."""


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
