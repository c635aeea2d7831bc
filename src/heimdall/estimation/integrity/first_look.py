"""Which scenes need a closer look at all: for many at once, and for most of them the whole check of what their receivers say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heimdall.estimation.integrity.fault_odds import Values, fault_density
from heimdall.estimation.likelihood.arrival_times import arrival_log_likelihood, arrival_residual_s, link_distance_m
from heimdall.estimation.likelihood.power import level_log_likelihood
from heimdall.estimation.model import PropagationModel
from heimdall.evidence.batch import EvidenceBatch

if TYPE_CHECKING:
    from jaxtyping import Bool

_MOST_FIGURES = 1 << 21
"""Of the levels' covariances of all that is compared at once."""


def in_plain_agreement(
    batch: EvidenceBatch, place_B2: Values, model: PropagationModel, fitted_B: NDArray[np.int64]
) -> Bool[NDArray[np.bool_], " B"]:
    """Whether nothing contradicts the place, of each scene: no misfit beyond the mean of every model, and no receiver whose
    fault would explain its measurements better than the model does, the place as it is.

    `fitted_B` is how many coordinates of the place the arrival times had to fit.
    """
    misfit_B, odds_BN = misfit_and_odds(batch, place_B2, model)
    freedom_B = np.sum(batch.has_arrival, axis=1) - 1 - fitted_B
    misfits_B = (freedom_B >= 1) & (misfit_B > freedom_B) & (model.sky_wave is None)
    return np.asarray(~misfits_B & ~np.any(odds_BN > 0, axis=1))


def misfit_and_odds(batch: EvidenceBatch, place_B2: Values, model: PropagationModel) -> tuple[Values, Values]:
    """How much higher the log-likelihood of the arrival times would be had every signal come when it should (B,), and log odds
    of a fault of each receiver in time, level or both (B, N), the place as it is."""
    times_BV, levels_BV = _values(batch, place_B2, model)
    # At one place times and levels are independent: what both lose is the sum of what each loses.
    odds_BN = np.zeros(batch.present.shape)
    for kind, value_BV in (("time", times_BV), ("level", levels_BV)):
        odds_BN = odds_BN + np.maximum(value_BV[:, 2:] - value_BV[:, 1:2] + fault_density(batch, kind), 0.0)
    return times_BV[:, 0] - times_BV[:, 1], odds_BN


def _values(batch: EvidenceBatch, place_B2: Values, model: PropagationModel) -> tuple[Values, Values]:
    """Log-likelihoods of times and levels (B, 2 + N): had every signal come when it should, as measured, and without each."""
    scenes, receivers = batch.present.shape
    late_BN = arrival_residual_s(place_B2[:, None], batch, model)[:, 0] * batch.has_arrival
    scene_V = np.repeat(np.arange(scenes), receivers + 2)
    left_out_V = np.tile(np.arange(-2, receivers), scenes)
    step = max(1, _MOST_FIGURES // receivers**2)
    parts = [
        _without(batch, place_B2, late_BN, scene_V[start : start + step], left_out_V[start : start + step], model)
        for start in range(0, len(scene_V), step)
    ]
    times_V, levels_V = (np.concatenate(each) for each in zip(*parts, strict=True))
    return times_V.reshape(scenes, -1), levels_V.reshape(scenes, -1)


def _without(
    batch: EvidenceBatch,
    place_B2: Values,
    late_BN: Values,
    scene_V: NDArray[np.int64],
    left_out_V: NDArray[np.int64],
    model: PropagationModel,
) -> tuple[Values, Values]:
    """Log-likelihoods (V,) of the times and of the levels of scenes, each without one receiver; -1 leaves out nobody, -2
    nobody and takes off all lateness."""
    left_out_V1 = left_out_V[:, None]
    others_VN = np.arange(batch.present.shape[1]) != left_out_V1
    many = batch.select(scene_V)
    many = replace(
        many,
        arrival_s=many.arrival_s - late_BN[scene_V] * (left_out_V1 == -2),
        has_arrival=many.has_arrival & others_VN,
        has_level=many.has_level & others_VN,
    )
    place_V12 = place_B2[scene_V][:, None]
    distance_m = link_distance_m(place_V12, many, model)
    times_V1 = arrival_log_likelihood(distance_m, many, model)
    return times_V1[:, 0], level_log_likelihood(place_V12, distance_m, many, model)[:, 0]
