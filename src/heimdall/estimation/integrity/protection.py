"""How far off a fix may be if one receiver is wrong without its showing: the protection level, as satellite navigation has it.

By solution separation (Blanch and others 2015, "Baseline advanced RAIM user algorithm and possible improvements"): if a
receiver's arrival time is wrong, the transmitter is where the others alone put it. To first order about the fix this needs no
further fixes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.integrity.fault_odds import Values
from heimdall.estimation.integrity.linearised import height_rates, link_rates
from heimdall.estimation.likelihood.arrival_times import direct_links
from heimdall.estimation.model import PropagationModel
from heimdall.estimation.reach import search_radius_m
from heimdall.evidence.batch import EvidenceBatch

if TYPE_CHECKING:
    from jaxtyping import Float

_RADII_95 = math.sqrt(-2 * math.log(0.05))
"""Of a plane normal distribution, in standard deviations."""
_LEAST_INFORMATION = 1e-12
"""On the least determined unknown, of that on the best: less is none, in double precision."""


def protection_levels_m(
    evidence: EvidenceBatch, place_m: Values, model: PropagationModel, fitted: int
) -> Float[Values, " N"]:
    """The radius about the fix (2,) of one scene (a numpy batch of one) that holds the transmitter with 95 % if it is this
    receiver whose arrival time is wrong; infinite where the others leave the position open, nan without an arrival time.

    `fitted` is how many coordinates of the place the arrival times had to fit: 3 where the height was found from them. All nan
    where waves come by the ionosphere: a link's mode is open there, and nothing is linear.
    """
    levels_m = np.full(evidence.present.shape[1], np.nan)
    timed_N = np.asarray(evidence.has_arrival[0])
    if model.sky_wave is not None or not np.any(timed_N):
        return levels_m
    late_m, weight = _links(evidence, place_m, model)
    rates = [*link_rates(place_m[None], evidence, model)[0].T, height_rates(place_m, evidence, model)][:fitted]
    rate_NU = np.stack([*rates, np.ones(len(timed_N))], axis=1)
    level_m = _without_each(rate_NU[timed_N], late_m[timed_N], weight[timed_N])
    levels_m[timed_N] = np.where(level_m < float(search_radius_m(evidence, model)[0]), level_m, np.inf)
    return levels_m


def _without_each(rate_NU: Values, late_m_N: Values, weight_N: Values) -> Float[Values, " N"]:
    """How far the place by the others is from the fix, and 95 % of its own errors from there."""
    others_NN = weight_N * ~np.eye(len(weight_N), dtype=bool)
    information_NUU = np.einsum("ln,nu,nv->luv", others_NN, rate_NU, rate_NU)
    scale_NU = np.sqrt(np.maximum(np.diagonal(information_NUU, axis1=1, axis2=2), np.finfo(float).tiny))
    least_N = np.linalg.eigvalsh(information_NUU / (scale_NU[:, :, None] * scale_NU[:, None]))[:, 0]
    bounded_N = least_N > _LEAST_INFORMATION
    covariance_NUU = np.linalg.inv(np.where(bounded_N[:, None, None], information_NUU, np.eye(rate_NU.shape[1])))
    step_NU = np.einsum("luv,ln,nv->lu", covariance_NUU, others_NN * late_m_N, rate_NU)
    sigma_m_N = np.sqrt(np.linalg.eigvalsh(covariance_NUU[:, :2, :2])[:, -1])
    return np.where(bounded_N, np.hypot(step_NU[:, 0], step_NU[:, 1]) + _RADII_95 * sigma_m_N, np.inf)


def _links(evidence: EvidenceBatch, place_m: Values, model: PropagationModel) -> tuple[Values, Values]:
    """How late each link is at the place in m (N,), and its information in 1/m^2 (N,), next to none if it is blocked."""
    m_per_s = SPEED_OF_LIGHT_M_S / model.refractive_index
    links = direct_links(place_m[None, None], evidence, model)
    return links.late_s[0, 0] * m_per_s, links.clear_BGN[0, 0] / (links.sigma_s[0, 0] * m_per_s) ** 2
