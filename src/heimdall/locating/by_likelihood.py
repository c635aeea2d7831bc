"""Fixes by the likelihood: search, posterior, regions, height."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from heimdall.estimation.heights.height import Height, Profile, is_unknown
from heimdall.estimation.heights.height_posterior import Found, search_heights
from heimdall.estimation.heights.height_profile import profiles, with_aloft_links
from heimdall.estimation.model import PropagationModel
from heimdall.estimation.posterior_window import frame_around, posterior_mass
from heimdall.estimation.reach import search_radius_m
from heimdall.estimation.region import Shares
from heimdall.estimation.search import ModelledScenes
from heimdall.evidence.batch import EvidenceBatch, concatenate
from heimdall.evidence.collect import Collected
from heimdall.locating.located import Located
from heimdall.locating.posterior_fix import Estimate, grid_posterior, make_fix

METHOD = "likelihood"
CELLS = 64
"""Cells along each axis of a posterior."""


def locate_by_likelihood(members: Sequence[Collected], model: PropagationModel) -> list[Located]:
    """Locate collected observations that share a propagation model, all at once; place and height together where the
    height is unknown and moves the place."""
    begun = time.perf_counter()
    scenes = ModelledScenes.of(concatenate([collected.evidence for collected in members]), model)
    mode_B2, _ = scenes.mode()
    unknown = height_profiles(members, scenes, mode_B2)
    heights = [unknown[index].height if index in unknown else None for index in range(len(members))]
    shared_ms = (time.perf_counter() - begun) * 1e3 / len(members)
    moved = [index for index, profile in unknown.items() if profile.matters]
    still = [index for index in range(len(members)) if index not in moved]
    results: dict[int, Located] = {}
    for chosen, search in ((still, _search_place), (moved, search_heights)):
        if chosen:
            begun = time.perf_counter()
            part = scenes.select(chosen)
            shares = [systematic_shares(part.batch, index, model) for index in range(len(chosen))]
            least_spread_m = np.array([min((sigma for _, sigma in each), default=0.0) for each in shares])
            found = search(part, mode_B2[chosen], CELLS, least_spread_m)
            searched_ms = shared_ms + (time.perf_counter() - begun) * 1e3 / len(chosen)
            for place, index in enumerate(chosen):
                located = _conclude(members[index], model, found, place, found.heights[place] or heights[index])
                results[index] = located.taking(searched_ms)
    return [results[index] for index in range(len(members))]


def height_profiles(
    members: Sequence[Collected], scenes: ModelledScenes, mode_B2: NDArray[np.float64]
) -> dict[int, Profile]:
    """What is known of the heights that are to be estimated, by the member's index."""
    unknown = [index for index, collected in enumerate(members) if is_unknown(collected, scenes.model)]
    if not unknown:
        return {}
    ground = scenes.select(unknown)
    return dict(zip(unknown, profiles(ground, with_aloft_links(ground), mode_B2[unknown]), strict=True))


def _search_place(
    scenes: ModelledScenes, mode_B2: NDArray[np.float64], cells: int, spread_m: NDArray[np.float64]
) -> Found:
    """The posterior at the heights that the batch has."""
    batch, model, density = scenes.batch, scenes.model, scenes.density
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
    collected: Collected, model: PropagationModel, found: Found, index: int, height: Height | None
) -> Located:
    """The fix of one of the scenes that were searched together."""
    begun = time.perf_counter()
    one = slice(index, index + 1)
    evidence = replace(collected.evidence, transmitter_height_m=found.batch.transmitter_height_m[one])
    collected = replace(collected, evidence=evidence)
    posterior = grid_posterior(collected, found.frame.select(one), found.mass_BYX[index])
    posterior = posterior.blurred(systematic_shares(found.batch, index, model))
    fix = make_fix(collected, model, Estimate(METHOD, found.mode_B2[index], posterior, height))
    return Located(fix, posterior, collected=collected).taking((time.perf_counter() - begun) * 1e3)
