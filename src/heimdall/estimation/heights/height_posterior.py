"""The posterior over place and height together, where the height moves the place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from heimdall.estimation.frame import WindowFrame
from heimdall.estimation.heights.height import BLUR_OF_CELL, Height, Profile, Values, concluded, raised, stretch
from heimdall.estimation.heights.height_profile import Links, profiles, quantiles, rise_spread, tempered
from heimdall.estimation.model import PropagationModel
from heimdall.estimation.posterior_window import frame_around, posterior_mass
from heimdall.estimation.reach import search_radius_m
from heimdall.estimation.search import LogDensityAbove, square_grid
from heimdall.evidence.batch import EvidenceBatch

if TYPE_CHECKING:
    from jaxtyping import Float

_NODES = 12
_CLIMB_CELLS, _CLIMB_LEVELS = 7, 4
_PLACES_TOGETHER = 1 << 14
"""Places of all scenes that the density is asked for at once: enough to spread the overhead, few enough for the cache."""
_STRIDE = 2
"""Every so many cells of the window, each way, are enough for the moments of the height."""


@dataclass(frozen=True, eq=False)
class Found:
    """What is known of B scenes whose height was sought with their place, at the height that was found for each."""

    batch: EvidenceBatch
    """The evidence, with the transmitter at that height."""
    frame: WindowFrame
    mass_BYX: Values
    mode_B2: Values
    heights: list[Height | None]


def search_heights(
    batch: EvidenceBatch,
    model: PropagationModel,
    density: LogDensityAbove,
    ground_mode_B2: Values,
    cells: int,
    spread_m: Values,
) -> Found:
    """Place and height of scenes whose likeliest place on the ground is `ground_mode_B2`.

    `spread_m` (B,) and `cells` are those of `heimdall.estimation.posterior_window.frame_around`. East and north are those of the
    height that was found: a place stays above the same ground.
    """
    ground = Links(batch, model, density)
    lifted = ground.lifted()
    found = profiles(ground, lifted, ground_mode_B2, fine=True)
    over_heights = OverHeights(ground, lifted, found)
    center_B2 = np.array([_likeliest(profile) for profile in found])
    frame = frame_around(center_B2, batch, model, cells, spread_m, over_heights)
    mass_BYX = posterior_mass(batch, over_heights, frame, cells, search_radius_m(batch, model))
    mode_B2 = _climbed(over_heights, frame, mass_BYX)
    heights, above_B = _heights(batch, over_heights, frame, mass_BYX, found)
    scale_B = stretch(batch, above_B)
    frame = replace(frame, center_m=frame.center_m * scale_B[:, None], core_m=frame.core_m * scale_B)
    return Found(raised(batch, above_B), frame, mass_BYX, mode_B2 * scale_B[:, None], heights)


def _likeliest(profile: Profile) -> Float[Values, " 2"]:
    """The place on the ground, or that at the median height aloft where that is the likelier."""
    if profile.ground_probability >= 0.5:
        return np.asarray(profile.place_m[0])
    held = np.cumsum(profile.probability[1:])
    return np.asarray(profile.place_m[1 + int(np.searchsorted(held, 0.5 * held[-1]))])


def _climbed(density: OverHeights, frame: WindowFrame, mass_BYX: Values) -> Float[Values, "B 2"]:
    """The densest place, from the window's densest cell on."""
    scenes, cells = mass_BYX.shape[:2]
    _, size = frame.axis(cells)
    best = np.argmax(np.reshape(mass_BYX / (size[:, :, None] * size[:, None, :]), (scenes, -1)), axis=1)
    place_B2 = np.take_along_axis(frame.cell_middles_m(cells), best[:, None, None], axis=1)[:, 0]
    half_B = frame.core_m * np.maximum(
        *(np.take_along_axis(size, i[:, None], axis=1)[:, 0] for i in divmod(best, cells))
    )
    for _ in range(_CLIMB_LEVELS):
        grid_BG2 = square_grid(place_B2, half_B, _CLIMB_CELLS)
        best = np.argmax(density(grid_BG2, np.zeros(scenes)), axis=1)
        place_B2 = np.take_along_axis(grid_BG2, best[:, None, None], axis=1)[:, 0]
        half_B = half_B * 2 / _CLIMB_CELLS
    return np.asarray(place_B2)


def _heights(
    batch: EvidenceBatch, density: OverHeights, frame: WindowFrame, mass_BYX: Values, found: Sequence[Profile]
) -> tuple[list[Height | None], Values]:
    """The heights, and how far each lies above the receivers' mean (B,)."""
    scenes, cells = mass_BYX.shape[:2]
    _, size = frame.axis(cells)
    thin = np.reshape(np.arange(cells**2), (cells, cells))[_STRIDE // 2 :: _STRIDE, _STRIDE // 2 :: _STRIDE].ravel()
    place_BG2 = frame.cell_middles_m(cells)[:, thin]
    area_BG = np.reshape(size[:, :, None] * size[:, None, :], (scenes, -1))[:, thin]
    value_BKG = density.by_height(place_BG2, BLUR_OF_CELL * _STRIDE * np.sqrt(area_BG) * frame.core_m[:, None])
    mass_BKG = area_BG[:, None] * np.exp(value_BKG - value_BKG.max(axis=(1, 2), keepdims=True))
    mass_BKG /= mass_BKG.sum(axis=(1, 2), keepdims=True)
    heights: list[Height | None] = []
    above_B = np.zeros(scenes)
    for scene, profile in enumerate(found):
        above_m, mass_KG = density.above_BK[scene], mass_BKG[scene]
        ground_m = float(batch.transmitter_height_m[scene])
        height = concluded(above_m, mass_KG.sum(axis=1), ground_m, profile.ground_sigma_m)
        above_B[scene] = height.height_m - ground_m
        away_K = above_m - above_B[scene]
        apart_G2 = place_BG2[scene] - mass_KG.sum(axis=0) @ place_BG2[scene]
        east, north = (float(away_K @ mass_KG @ apart_G2[:, axis]) for axis in range(2))
        heights.append(replace(height, covariance_m2=(east, north)))
    return heights, above_B


class OverHeights:
    """The log posterior density of places on the ground below, summed over the heights of a profile: a `LogDensity`."""

    def __init__(self, ground: Links, lifted: Links, profiles: Sequence[Profile]) -> None:
        self._ground, self._lifted = ground, lifted
        nodes = [_nodes(profile) for profile in profiles]
        self.above_BK = np.array([above for above, _, _ in nodes])
        width_BK = np.array([width for _, width, _ in nodes])
        self._log_prior_BK = np.log(np.array([prior for _, _, prior in nodes]))
        place_BK2 = np.array(
            [_place_at(profile, above) for profile, (above, _, _) in zip(profiles, nodes, strict=True)]
        )
        self._blur_BK = BLUR_OF_CELL * width_BK * rise_spread(ground, self.above_BK, place_BK2)

    def __call__(self, place_BG2: Values, blur_m: Values) -> Values:
        value_BKG = self.by_height(place_BG2, blur_m)
        top_B1G = value_BKG.max(axis=1, keepdims=True)
        return np.asarray(np.log(np.exp(value_BKG - top_B1G).sum(axis=1)) + top_B1G[:, 0])

    def by_height(self, place_BG2: Values, blur_m: Values) -> Float[Values, "B K G"]:
        """The density at each height, its prior probability included."""
        blur_B1G = np.reshape(blur_m, (len(self.above_BK), 1, -1))
        nodes, together = self.above_BK.shape[1], max(1, _PLACES_TOGETHER // place_BG2[..., 0].size)
        parts = [self._at(self._ground, slice(0, 1), place_BG2, blur_B1G)]
        for node in range(1, nodes, together):
            parts.append(self._at(self._lifted, slice(node, node + together), place_BG2, blur_B1G))
        return np.concatenate(parts, axis=1) + self._log_prior_BK[..., None]

    def _at(self, links: Links, nodes: slice, place_BG2: Values, blur_B1G: Values) -> Float[Values, "B K G"]:
        """Of some nodes."""
        above_BK1, blur_BK1 = self.above_BK[:, nodes, None], self._blur_BK[:, nodes, None]
        place_BKG2 = place_BG2[:, None] * stretch(links.batch, above_BK1[..., 0])[..., None, None]
        blur_BKG = np.broadcast_to(np.hypot(blur_B1G, blur_BK1), place_BKG2.shape[:3])
        above_BKG = np.broadcast_to(above_BK1, place_BKG2.shape[:3])
        flat = (len(place_BG2), -1)
        value = links.density(place_BKG2.reshape(*flat, 2), blur_BKG.reshape(flat), above_BKG.reshape(flat))
        return np.asarray(value).reshape(place_BKG2.shape[:3])


def _nodes(profile: Profile) -> tuple[Values, Values, Values]:
    """The ground and `_NODES` heights that follow the profile: height, width of the cell, its prior probability."""
    prior, edge = profile.prior[1:], profile.edge_m
    log_likelihood = np.log(np.maximum(profile.probability[1:], 1e-300) / prior)
    node_edge = quantiles(edge[None], tempered(log_likelihood[None], prior[None]), _NODES)[0]
    held = np.interp(node_edge, edge, np.append(0.0, np.cumsum(prior)))
    return (
        np.append(0.0, np.sqrt(node_edge[1:] * node_edge[:-1])),
        np.append(0.0, np.diff(node_edge)),
        np.append(profile.prior[0], np.diff(held)),
    )


def _place_at(profile: Profile, above_m: Values) -> Float[Values, "K 2"]:
    """The likeliest place at other heights of the profile."""
    return np.stack([np.interp(above_m, profile.above_m, profile.place_m[:, axis]) for axis in range(2)], axis=-1)
