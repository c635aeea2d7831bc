"""The posterior over place and height together, where the height moves the place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from heimdall.estimation.frame import WindowFrame
from heimdall.estimation.heights.height import (
    CLEAR_ON_GROUND,
    Branch,
    Height,
    Profile,
    Values,
    concluded,
    raised,
    stretch,
)
from heimdall.estimation.heights.height_profile import profiles, quantiles, rise_spread, tempered, with_aloft_links
from heimdall.estimation.posterior_window import frame_around, posterior_mass
from heimdall.estimation.reach import search_radius_m
from heimdall.estimation.search import BLUR_OF_CELL, ModelledScenes, square_grid
from heimdall.evidence.batch import EvidenceBatch

if TYPE_CHECKING:
    from jaxtyping import Float

_LOWER_NODES, _ALOFT_NODES = 6, 12
_SIDES = (0, -1, 1)
"""Ground as high as the receivers, lower ground, the air."""
_CLIMB_CELLS, _CLIMB_STEPS = 7, 4
_PLACES_TOGETHER = 1 << 14
"""Places of all scenes that the density is asked for at once: enough to spread the overhead, few enough for the cache."""
_TAIL = 1e-4
"""Of the probability of a side, at either end, that is left out."""
_STRIDE = 2
"""Every so many cells of the window, each way, are enough for the moments of the height."""


@dataclass(frozen=True, eq=False)
class Found:
    """What is known of B scenes whose height was sought with their place."""

    batch: EvidenceBatch
    """The evidence, with the transmitter at the height that fits the likeliest place. It may differ from the answer, which is a
    mean over places: at that, receivers would seem to contradict each other."""
    frame: WindowFrame
    mass_BYX: Values
    mode_B2: Values
    heights: Sequence[Height | None]


def search_heights(ground: ModelledScenes, ground_mode_B2: Values, cells: int, spread_m: Values) -> Found:
    """Place and height of scenes whose likeliest place on ground as high as the receivers is `ground_mode_B2`.

    `spread_m` (B,) and `cells` are those of `heimdall.estimation.posterior_window.frame_around`. East and north are those of the
    height that was found: a place stays above the same ground.
    """
    batch, model, lifted = ground.batch, ground.model, with_aloft_links(ground)
    found = profiles(ground, lifted, ground_mode_B2, fine=True)
    over_heights = OverHeights(ground, lifted, found)
    center_B2 = np.array([profile.likeliest_place_m for profile in found])
    frame = frame_around(center_B2, batch, model, cells, spread_m, over_heights)
    # What flies is heard further away than any station on the ground: as far as from the highest that the times allow.
    highest = raised(batch, over_heights.above_BK.max(axis=1))
    mass_BYX = posterior_mass(batch, over_heights, frame, cells, search_radius_m(highest, model))
    mode_B2 = _climbed(over_heights, frame, mass_BYX)
    heights = _heights(batch, over_heights, frame, mass_BYX, found)
    above_B = over_heights.fitting_m(mode_B2)
    scale_B = stretch(batch, above_B)
    frame = replace(frame, center_m=frame.center_m * scale_B[:, None], core_m=frame.core_m * scale_B)
    return Found(raised(batch, above_B), frame, mass_BYX, mode_B2 * scale_B[:, None], heights)


def _climbed(density: OverHeights, frame: WindowFrame, mass_BYX: Values) -> Float[Values, "B 2"]:
    """The densest place, from the window's densest cell on."""
    scenes, cells = mass_BYX.shape[:2]
    _, size = frame.axis(cells)
    best = np.argmax(np.reshape(mass_BYX / (size[:, :, None] * size[:, None, :]), (scenes, -1)), axis=1)
    place_B2 = np.take_along_axis(frame.cell_middles_m(cells), best[:, None, None], axis=1)[:, 0]
    half_B = frame.core_m * np.maximum(
        *(np.take_along_axis(size, i[:, None], axis=1)[:, 0] for i in divmod(best, cells))
    )
    for _ in range(_CLIMB_STEPS):
        grid_BG2 = square_grid(place_B2, half_B, _CLIMB_CELLS)
        best = np.argmax(density(grid_BG2, np.zeros(scenes)), axis=1)
        place_B2 = np.take_along_axis(grid_BG2, best[:, None, None], axis=1)[:, 0]
        half_B = half_B * 2 / _CLIMB_CELLS
    return np.asarray(place_B2)


def _heights(
    batch: EvidenceBatch, density: OverHeights, frame: WindowFrame, mass_BYX: Values, found: Sequence[Profile]
) -> list[Height]:
    scenes, cells = mass_BYX.shape[:2]
    _, size = frame.axis(cells)
    thin = np.reshape(np.arange(cells**2), (cells, cells))[_STRIDE // 2 :: _STRIDE, _STRIDE // 2 :: _STRIDE].ravel()
    place_BG2 = frame.cell_middles_m(cells)[:, thin]
    area_BG = np.reshape(size[:, :, None] * size[:, None, :], (scenes, -1))[:, thin]
    value_BKG = density.by_height(place_BG2, BLUR_OF_CELL * _STRIDE * np.sqrt(area_BG) * frame.core_m[:, None])
    mass_BKG = area_BG[:, None] * np.exp(value_BKG - value_BKG.max(axis=(1, 2), keepdims=True))
    mass_BKG /= mass_BKG.sum(axis=(1, 2), keepdims=True)
    heights: list[Height] = []
    for scene, profile in enumerate(found):
        above_m, mass_KG = density.above_BK[scene], mass_BKG[scene]
        ground_m = float(batch.transmitter_height_m[scene])
        height = concluded(above_m, mass_KG.sum(axis=1), ground_m, profile.ground_sigma_m)
        away_K = above_m - (height.height_m - ground_m)
        apart_G2 = place_BG2[scene] - mass_KG.sum(axis=0) @ place_BG2[scene]
        east, north = (float(away_K @ mass_KG @ apart_G2[:, axis]) for axis in range(2))
        heights.append(replace(height, covariance_m2=(east, north)))
    return heights


class OverHeights:
    """The log posterior density of places on the ground below, summed over the heights of a profile: a `LogDensity`."""

    def __init__(self, ground: ModelledScenes, lifted: ModelledScenes, profiles: Sequence[Profile]) -> None:
        self._ground, self._lifted = ground, lifted
        has_lower = any(profile.branches[0].share > 0 for profile in profiles)
        self._on_ground = 1 + (_LOWER_NODES if has_lower else 0)
        nodes = [_nodes(profile, self._on_ground - 1) for profile in profiles]
        self.above_BK = np.array([each.above_m for each in nodes])
        width_BK = np.array([each.width_m for each in nodes])
        self._log_prior_BK = np.log(np.maximum([each.prior for each in nodes], 1e-300))
        place_BK2 = np.array([each.place_m for each in nodes])
        self._blur_BK = BLUR_OF_CELL * width_BK * rise_spread(ground, self.above_BK, place_BK2)

    def __call__(self, place_BG2: Values, blur_m: Values) -> Values:
        value_BKG = self.by_height(place_BG2, blur_m)
        top_B1G = value_BKG.max(axis=1, keepdims=True)
        return np.asarray(np.log(np.exp(value_BKG - top_B1G).sum(axis=1)) + top_B1G[:, 0])

    def by_height(self, place_BG2: Values, blur_m: Values) -> Float[Values, "B K G"]:
        """The density at each height, its prior probability included."""
        blur_B1G = np.reshape(blur_m, (len(self.above_BK), 1, -1))
        nodes, together = self.above_BK.shape[1], max(1, _PLACES_TOGETHER // place_BG2[..., 0].size)
        parts = []
        for scenes, first, end in ((self._ground, 0, self._on_ground), (self._lifted, self._on_ground, nodes)):
            for node in range(first, end, together):
                some = slice(node, min(node + together, end))
                parts.append(self._at(scenes, some, place_BG2, blur_B1G))
        return np.concatenate(parts, axis=1) + self._log_prior_BK[..., None]

    def fitting_m(self, place_B2: Values) -> Float[Values, " B"]:
        """The height above the receivers' mean that fits each place: of their ground, lower ground and the air, the likeliest
        there and its mean."""
        value_BK = self.by_height(place_B2[:, None], np.zeros(len(place_B2)))[..., 0]
        mass_BK = np.exp(value_BK - value_BK.max(axis=1, keepdims=True))
        side_BK = np.sign(self.above_BK)
        mass_BS = np.stack([np.sum(mass_BK, axis=1, where=side_BK == side) for side in _SIDES], axis=1)
        likeliest_B = np.array(_SIDES)[np.argmax(mass_BS, axis=1)]
        mass_BK = mass_BK * (side_BK == likeliest_B[:, None])
        return np.asarray(np.sum(mass_BK * self.above_BK, axis=1) / mass_BK.sum(axis=1))

    def _at(self, scenes: ModelledScenes, nodes: slice, place_BG2: Values, blur_B1G: Values) -> Float[Values, "B K G"]:
        """The density at some of the heights."""
        above_BK1, blur_BK1 = self.above_BK[:, nodes, None], self._blur_BK[:, nodes, None]
        place_BKG2 = place_BG2[:, None] * stretch(scenes.batch, above_BK1[..., 0])[..., None, None]
        blur_BKG = np.broadcast_to(np.hypot(blur_B1G, blur_BK1), place_BKG2.shape[:3])
        above_BKG = np.broadcast_to(above_BK1, place_BKG2.shape[:3])
        flat = (len(place_BG2), -1)
        value = scenes.density(place_BKG2.reshape(*flat, 2), blur_BKG.reshape(flat), above_BKG.reshape(flat))
        return np.asarray(value).reshape(place_BKG2.shape[:3])


@dataclass(frozen=True, eq=False)
class _Nodes:
    """K heights that stand for a profile: ground as high as the receivers, lower ground, the first with clear links, the air."""

    above_m: Values
    width_m: Values
    """Of the cell that each stands for."""
    prior: Values
    """Probability of that cell."""
    place_m: Values
    """(K, 2) the likeliest place there."""


def _nodes(profile: Profile, lower: int) -> _Nodes:
    """The nodes of a profile, `lower` of them on lower ground."""

    def ground(share: float) -> _Nodes:
        return _Nodes(np.zeros(1), np.zeros(1), np.array([share * profile.ground_prior]), profile.ground_place_m[None])

    below, aloft = profile.branches
    deeper = [_following(below, profile.ground_place_m, lower)] if lower else []
    air = _following(aloft, profile.ground_place_m, _ALOFT_NODES)
    parts = [ground(1 - CLEAR_ON_GROUND), *deeper, ground(CLEAR_ON_GROUND), air]
    return _Nodes(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(_Nodes)))


def _following(branch: Branch, ground_place_m: Values, count: int) -> _Nodes:
    """`count` heights spread as the posterior of a branch is."""
    cells = _credible(branch)
    edge_m, prior = branch.edge_m[cells.start : cells.stop + 1], branch.prior[cells]
    log_likelihood = np.log(np.maximum(branch.probability[cells], 1e-300) / prior)
    edge = quantiles(edge_m[None], tempered(log_likelihood[None], prior[None]), count)[0]
    held = np.interp(edge, edge_m, np.append(0.0, np.cumsum(prior)))
    away, known = np.sqrt(edge[1:] * edge[:-1]), np.append(0.0, np.abs(branch.above_m))
    known_place = np.concatenate([ground_place_m[None], branch.place_m])
    place = np.stack([np.interp(away, known, known_place[:, axis]) for axis in range(2)], axis=-1)
    return _Nodes(branch.side * away, np.diff(edge), branch.share * np.diff(held), place)


def _credible(branch: Branch) -> slice:
    """The cells of a branch without its tails, which a few heights would blur into those that are likely."""
    held = np.cumsum(branch.probability)
    first, last = np.searchsorted(held, np.array([_TAIL, 1 - _TAIL]) * held[-1])
    return slice(int(first), int(last) + 1)
