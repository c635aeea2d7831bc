"""How likely each height of a transmitter is, with its place at the likeliest there: Laplace's approximation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from heimdall.constants import CAUCHY_TUNING, SPEED_OF_LIGHT_M_S
from heimdall.estimation.heights.height import (
    ALOFT_PROBABILITY,
    CLEAR_ON_GROUND,
    HIGHEST_M,
    LOWEST_M,
    Branch,
    Profile,
    Values,
    aloft,
    stretch,
)
from heimdall.estimation.heights.lower_ground import LEAST_DEPTH_M, lower_ground, receiver_spread_m
from heimdall.estimation.likelihood.arrival_times import link_distance_m, link_sigma_s
from heimdall.estimation.search import BLUR_OF_CELL, ModelledScenes

if TYPE_CHECKING:
    from jaxtyping import Float

_ALOFT_CELLS, _LOWER_CELLS = (30, 60, 160), (12, 24, 64)
"""Coarse, rough and fine: two and a half decades of height in the air, about one of depth."""
_REFINEMENTS = 2
_PRIOR_SHARE = 0.2
"""Of the cells, for heights that seem improbable: a cell many times as high at its top as at its foot blurs into those that
are not."""
_TEMPER = 0.5
"""Cells follow the posterior's square root, so that they hold its flanks, too."""
_ROUNDS = 5
_STILL_M = 0.1
"""A step shorter than this is the last."""
_STEP_M = 5.0
"""For derivatives of distances."""
_GROUND_SIGMA_M = 100.0
"""How far ground as high as the receivers may lie above or below their mean, at least."""


@dataclass(frozen=True, eq=False)
class _Side:
    """One side of the receivers' mean height, for B scenes: in the air or on lower ground."""

    scenes: ModelledScenes
    sign: int
    """1 in the air, -1 on lower ground."""
    edge_BE: Values
    """Ends of the heights, as distances from that mean."""
    prior_of: Callable[[Values], Values]
    """Probability of cells with these edges, given the side."""
    share_B: Values
    """Probability of the side."""
    cells: tuple[int, int, int]
    """Coarse, rough and fine."""


def with_aloft_links(scenes: ModelledScenes) -> ModelledScenes:
    """The same scenes with links to a transmitter aloft."""
    return ModelledScenes.of(scenes.batch, aloft(scenes.model))


def profiles(ground: ModelledScenes, lifted: ModelledScenes, mode_B2: Values, *, fine: bool = False) -> list[Profile]:
    """How likely each height is, with the place at its likeliest there (Laplace's approximation), for every scene.

    `mode_B2` is the likeliest place on ground as high as the receivers. A cell of height is blurred by what it does to the
    differences of the distances; with `fine` the cells are made small where the transmitter may be.
    """
    ground_log_B1, covariance_B22 = _on_receivers_ground(ground, lifted, mode_B2)
    sides = _sides(ground, lifted)
    found = [(_fine if fine else _rough)(side, mode_B2) for side in sides]
    share_BS = np.stack([1 - sum(side.share_B for side in sides), *(side.share_B for side in sides)], axis=1)
    ground_B1, *probability = _shared_out([ground_log_B1, *(log_BF for _, log_BF in found)], share_BS)
    information_B22 = np.asarray(np.linalg.inv(covariance_B22), dtype=float)
    branches = list(zip([cells for cells, _ in found], probability, strict=True))
    shift_B = np.sqrt(np.sum([_moved(*branch, mode_B2, information_B22) for branch in branches], axis=0))
    ground_sigma_B = np.hypot(_GROUND_SIGMA_M, receiver_spread_m(ground.batch))
    return [
        Profile(
            ground_prior=float(share_BS[scene, 0]),
            ground_probability=float(ground_B1[scene, 0]),
            ground_place_m=mode_B2[scene],
            branches=(_branch(*branches[0], scene), _branch(*branches[1], scene)),
            shift=float(shift_B[scene]),
            ground_m=float(ground.batch.transmitter_height_m[scene]),
            ground_sigma_m=float(ground_sigma_B[scene]),
        )
        for scene in range(len(ground.batch))
    ]


def _on_receivers_ground(
    ground: ModelledScenes, lifted: ModelledScenes, mode_B2: Values
) -> tuple[Float[Values, "B 1"], Float[Values, "B 2 2"]]:
    """Log evidence of ground as high as the receivers, some of it with clear links, and the covariance of the place there."""
    above_B1, mode_B12 = np.zeros((len(ground.batch), 1)), mode_B2[:, None]
    _, covariance_B122 = _settled(ground, above_B1, mode_B12, 0)
    blocked_B1 = _log_evidence(ground, above_B1, above_B1, mode_B12, covariance_B122)
    clear_B1 = _log_evidence(lifted, above_B1, above_B1, *_settled(lifted, above_B1, mode_B12, _ROUNDS))
    log_B1 = np.logaddexp(math.log(1 - CLEAR_ON_GROUND) + blocked_B1, math.log(CLEAR_ON_GROUND) + clear_B1)
    return log_B1, covariance_B122[:, 0]


def _branch(cells: _Cells, probability_BF: Values, scene: int) -> Branch:
    return Branch(
        side=cells.side.sign,
        edge_m=cells.edge_BE[scene],
        share=float(cells.side.share_B[scene]),
        prior=cells.prior[scene],
        probability=probability_BF[scene],
        place_m=cells.place_BF2[scene],
    )


def _sides(ground: ModelledScenes, lifted: ModelledScenes) -> tuple[_Side, _Side]:
    """Lower ground and the air."""
    scenes, law = len(ground.batch), lower_ground(ground.batch)
    deep_BE = np.stack([np.full(scenes, LEAST_DEPTH_M), law.deepest_m], axis=1)
    high_BE = np.tile([LOWEST_M, HIGHEST_M], (scenes, 1))
    aloft_B = np.full(scenes, ALOFT_PROBABILITY)
    return (
        _Side(ground, -1, deep_BE, law.prior, (1 - ALOFT_PROBABILITY) * law.share, _LOWER_CELLS),
        _Side(lifted, 1, high_BE, _even_in_logarithm, aloft_B, _ALOFT_CELLS),
    )


def _even_in_logarithm(edge_BE: Values) -> Float[Values, "B F"]:
    log_BE = np.log(edge_BE)
    return np.asarray(np.diff(log_BE, axis=1) / (log_BE[:, -1:] - log_BE[:, :1]))


def _shared_out(logs: Sequence[Values], share_BS: Values) -> list[Values]:
    """Probabilities from logarithms (B, F) of the evidence given each of S parts, and the parts' shares beforehand."""
    top_B1 = np.max(np.concatenate(logs, axis=1), axis=1, keepdims=True)
    parts = [share_BS[:, part, None] * np.exp(log_BF - top_B1) for part, log_BF in enumerate(logs)]
    total_B1 = np.sum(np.concatenate(parts, axis=1), axis=1, keepdims=True)
    return [part / total_B1 for part in parts]


def _moved(
    cells: _Cells, probability_BF: Values, mode_B2: Values, information_B22: Float[Values, "B 2 2"]
) -> Float[Values, " B"]:
    """How far the heights of a side move the place: the square in standard deviations, weighed by their probabilities."""
    away_BF2 = cells.place_BF2 - mode_B2[:, None]
    square_BF = np.einsum("bfi,bij,bfj->bf", away_BF2, information_B22, away_BF2)
    return np.asarray(np.sum(probability_BF * square_BF, axis=1))


@dataclass(frozen=True, eq=False)
class _Cells:
    """F cells of height on one side, for each of B scenes."""

    side: _Side
    edge_BE: Values
    place_BF2: Values

    @property
    def away_m(self) -> Values:
        """From the receivers' mean height, up or down."""
        return _middles(self.edge_BE)

    @property
    def width_m(self) -> Values:
        return np.diff(self.edge_BE, axis=1)

    @property
    def prior(self) -> Values:
        """Given the side."""
        return self.side.prior_of(self.edge_BE)


def _coarse(side: _Side, mode_B2: Values) -> tuple[_Cells, Values]:
    """Few cells, and the log of prior times evidence (B, F) of each; places as they follow from the ground's mode."""
    count = side.cells[0]
    edge_BE = np.geomspace(side.edge_BE[:, 0], side.edge_BE[:, 1], count + 1, axis=1)
    start_BF2 = np.repeat(mode_B2[:, None], count, axis=1)
    return _weighed(side, edge_BE, start_BF2, _ROUNDS)


def _rough(side: _Side, mode_B2: Values) -> tuple[_Cells, Values]:
    """Enough to see whether the height matters: a narrow peak would drown in the blur of coarse cells."""
    cells, log_BF = _coarse(side, mode_B2)
    return _refined(cells, log_BF, side.cells[1])


def _refined(cells: _Cells, log_BF: Values, count: int) -> tuple[_Cells, Values]:
    """The same heights in `count` cells, small where the transmitter may be."""
    mass_BF = tempered(log_BF - np.log(cells.prior), cells.prior)
    edge_BE = quantiles(cells.edge_BE, mass_BF, count)
    return _weighed(cells.side, edge_BE, _interpolated(edge_BE, cells), 1)


def _fine(side: _Side, mode_B2: Values) -> tuple[_Cells, Values]:
    """Many cells, small where the transmitter may be; places as they follow from the ground's mode or, where better, from
    the middle of the receivers."""
    batch = side.scenes.batch
    present_BN1 = batch.present[..., None]
    middle_B2 = np.sum(batch.position_enu_m[..., :2] * present_BN1, axis=1) / present_BN1.sum(axis=1)
    (cells, log_BF), (other, other_BF) = (_coarse(side, start_B2) for start_B2 in (mode_B2, middle_B2))
    place_BF2 = np.where((log_BF >= other_BF)[..., None], cells.place_BF2, other.place_BF2)
    cells, log_BF = replace(cells, place_BF2=place_BF2), np.maximum(log_BF, other_BF)
    for _ in range(_REFINEMENTS):
        cells, log_BF = _refined(cells, log_BF, side.cells[2])
    return cells, log_BF


def _weighed(side: _Side, edge_BE: Values, start_BF2: Values, rounds: int) -> tuple[_Cells, Values]:
    above_BF = side.sign * _middles(edge_BE)
    place_BF2, covariance_BF22 = _settled(side.scenes, above_BF, start_BF2, rounds)
    cells = _Cells(side, edge_BE, place_BF2)
    log_BF = _log_evidence(side.scenes, above_BF, cells.width_m, place_BF2, covariance_BF22)
    return cells, log_BF + np.log(cells.prior)


def _middles(edge_BE: Values) -> Values:
    return np.sqrt(edge_BE[:, 1:] * edge_BE[:, :-1])


def _interpolated(edge_BE: Values, coarse: _Cells) -> Float[Values, "B F 2"]:
    """Places in the middle of other cells, linear in the logarithm of the height."""
    at_BF, known_BK = np.log(_middles(edge_BE)), np.log(coarse.away_m)
    return np.array(
        [
            np.stack([np.interp(at, known, place[:, axis]) for axis in range(2)], axis=-1)
            for at, known, place in zip(at_BF, known_BK, coarse.place_BF2, strict=True)
        ]
    )


def tempered(log_likelihood_BF: Values, prior_BF: Values) -> Float[Values, "B F"]:
    """Mass by which cells are placed: the posterior flattened, and a share of the prior."""
    mass_BF = prior_BF * np.exp(_TEMPER * (log_likelihood_BF - log_likelihood_BF.max(axis=1, keepdims=True)))
    mass_BF = mass_BF / mass_BF.sum(axis=1, keepdims=True)
    return (1 - _PRIOR_SHARE) * mass_BF + _PRIOR_SHARE * prior_BF / prior_BF.sum(axis=1, keepdims=True)


def quantiles(edge_BE: Values, mass_BF: Values, count: int) -> Values:
    """(B, count + 1) edges of cells that hold equal shares of the mass."""
    share = np.linspace(0, 1, count + 1)
    held_BE = np.concatenate([np.zeros((len(mass_BF), 1)), np.cumsum(mass_BF, axis=1)], axis=1)
    return np.exp(
        [np.interp(share * held[-1], held, np.log(edge)) for held, edge in zip(held_BE, edge_BE, strict=True)]
    )


def _log_evidence(
    scenes: ModelledScenes,
    above_BF: Values,
    width_BF: Values,
    place_BF2: Values,
    covariance_BF22: Values,
) -> Float[Values, "B F"]:
    """Log of the posterior's integral over the place, up to a constant of the scene: Laplace's approximation."""
    blur_BF = BLUR_OF_CELL * width_BF * rise_spread(scenes, above_BF, place_BF2)
    place_BF2 = place_BF2 * stretch(scenes.batch, above_BF)[..., None]
    value_BF = scenes.density(place_BF2, blur_BF, above_BF)
    return value_BF + 0.5 * np.log(np.linalg.det(covariance_BF22))


def _settled(scenes: ModelledScenes, above_BF: Values, start_BF2: Values, rounds: int) -> tuple[Values, Values]:
    """The place that the arrival times fit best at each height, and its covariance (B, F, 2, 2).

    Gauss-Newton with Cauchy's weights, the emission time eliminated; no step is longer than the area searched.
    """
    batch = scenes.batch
    scale_BF1 = stretch(batch, above_BF)[..., None]
    furthest_m = batch.half_width_m[:, None, None]
    place_BF2 = start_BF2 * scale_BF1
    for left in range(rounds, -1, -1):
        step_BF2, covariance_BF22 = _newton(scenes, place_BF2, above_BF)
        if left == 0 or np.max(np.abs(step_BF2)) < _STILL_M:
            break
        place_BF2 = place_BF2 + np.clip(step_BF2, -furthest_m, furthest_m)
    return place_BF2 / scale_BF1, covariance_BF22


def _newton(scenes: ModelledScenes, place_BF2: Values, above_BF: Values) -> tuple[Values, Values]:
    """A step (B, F, 2) and the covariance (B, F, 2, 2) at each height of each scene."""
    batch, model = scenes.batch, scenes.model
    slowness = model.refractive_index / SPEED_OF_LIGHT_M_S
    around = np.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]) * _STEP_M
    place_BG2 = np.reshape(place_BF2[:, :, None] + around, (len(batch), -1, 2))
    distance_BGN = link_distance_m(place_BG2, batch, model, np.repeat(above_BF, len(around), axis=1))
    middle_BFN, *ways_BFN = (distance_BGN[:, start :: len(around)] for start in range(len(around)))
    sigma_B1N = link_sigma_s(batch, model)[:, None]
    weight_BFN = batch.has_arrival[:, None] / sigma_B1N**2
    late_BFN = _centred(batch.arrival_s[:, None] - middle_BFN * slowness, weight_BFN)
    weight_BFN = weight_BFN / (1 + (late_BFN / sigma_B1N / CAUCHY_TUNING) ** 2)
    late_BFN = _centred(late_BFN, weight_BFN)
    east_BFN, north_BFN = (
        _centred((ahead - behind) * (slowness / (2 * _STEP_M)), weight_BFN)
        for ahead, behind in (ways_BFN[:2], ways_BFN[2:])
    )
    gradient_BFN2 = np.stack([east_BFN, north_BFN], axis=-1)
    weighted_BF2N = np.swapaxes(gradient_BFN2 * weight_BFN[..., None], -1, -2)
    information_BF22 = weighted_BF2N @ gradient_BFN2 + np.eye(2) / batch.half_width_m[:, None, None, None] ** 2
    covariance_BF22 = np.linalg.inv(information_BF22)
    return (covariance_BF22 @ (weighted_BF2N @ late_BFN[..., None]))[..., 0], covariance_BF22


def _centred(value_BFN: Values, weight_BFN: Values) -> Values:
    """Less its mean over the links."""
    total_BF1 = np.maximum(weight_BFN.sum(axis=-1, keepdims=True), 1e-300)
    return value_BFN - np.sum(weight_BFN * value_BFN, axis=-1, keepdims=True) / total_BF1


def rise_spread(scenes: ModelledScenes, above_BF: Values, place_BF2: Values) -> Float[Values, "B F"]:
    """How much the differences between the links' distances change with the height: their root mean square."""
    batch, model = scenes.batch, scenes.model
    higher, lower = (link_distance_m(place_BF2, batch, model, above_BF + step) for step in (_STEP_M, -_STEP_M))
    weight_B1N = (batch.has_arrival / link_sigma_s(batch, model) ** 2)[:, None]
    rate_BFN = _centred((higher - lower) / (2 * _STEP_M), weight_B1N)
    square_BF, total_B1 = np.sum(weight_B1N * rate_BFN**2, axis=-1), np.maximum(weight_B1N.sum(axis=-1), 1e-300)
    return np.asarray(np.sqrt(square_BF / total_B1))
