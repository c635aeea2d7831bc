"""Two groups of receivers whose times count from different origins: another time source, or another delay in the hardware."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.integrity.fault_odds import Chosen, Values, log_evidence
from heimdall.estimation.integrity.linearised import link_rates
from heimdall.estimation.likelihood.arrival_times import link_distance_m, path_sigma_s
from heimdall.estimation.model import PropagationModel, fault_span_s
from heimdall.estimation.reach import search_radius_m
from heimdall.evidence.batch import EvidenceBatch

if TYPE_CHECKING:
    from jaxtyping import Float

_FEWEST_TIMES = 6
"""Two emission times and a place are four unknowns: two are left to check them by."""
_MOST_TIMES = 12
"""With more there are too many ways to divide them."""
_STARTS = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])
"""Where least squares starts beside the fix, in half widths of the area."""
_FIRST_ROUNDS, _MORE_ROUNDS = 4, 8
"""Of least squares for all divisions, and for those that are promising then."""
_PROMISING = 32
_LEAST_SHARE = 1e-12
"""Of the span of a fault: less is no offset that the times tell."""
_BEST = 4
"""Divisions that fit best by least squares, and are then compared by their evidence."""


@dataclass(frozen=True)
class ClockGroups:
    """A division of the receivers with arrival times in two."""

    apart: tuple[int, ...]
    """Columns of the group with fewer receivers."""
    offset_s: float
    """How late that group's times are against those of the others."""
    sigma_s: float
    """Of the offset."""
    log_odds: float
    """Of the measurements with the offset taken off against as they are, less what it is worth to choose division and offset."""


def best_groups(evidence: EvidenceBatch, place_m: Values, model: PropagationModel) -> ClockGroups | None:
    """The division that raises the evidence of one scene (a batch of one) most, looked for from the fix (2,); None with too few
    or too many arrival times, and where waves come by the ionosphere."""
    timed = np.flatnonzero(evidence.has_arrival[0])
    if not _FEWEST_TIMES <= len(timed) <= _MOST_TIMES or model.sky_wave is not None:
        return None
    apart_GN = _divisions(timed, evidence.present.shape[1])
    starts_m = [place_m, *(_STARTS * float(evidence.half_width_m[0]))]
    begun = _Fits.best_of([_least_squares(apart_GN, each, evidence, model, _FIRST_ROUNDS) for each in starts_m])
    promising = np.argsort(begun.misfit_G)[:_PROMISING]
    apart_GN = apart_GN[promising]
    fits = _least_squares(apart_GN, begun.place_G2[promising], evidence, model, _MORE_ROUNDS)
    best = np.argsort(fits.misfit_G)[:_BEST]
    gain = _gains(apart_GN[best] * fits.offset_s_G[best, None], evidence, model)
    first = int(np.argmax(gain))
    chosen = int(best[first])
    sigma_s = float(fits.sigma_s_G[chosen])
    # A fault is anywhere in its span: an offset known to sigma is that much of it.
    share = math.sqrt(2 * math.pi) * sigma_s / float(fault_span_s(evidence.half_width_m)[0])
    chance = max(min(share, 1.0), _LEAST_SHARE) / len(begun.misfit_G)
    apart = tuple(int(column) for column in np.flatnonzero(apart_GN[chosen]))
    return ClockGroups(apart, float(fits.offset_s_G[chosen]), sigma_s, float(gain[first]) + math.log(chance))


@dataclass(frozen=True, eq=False)
class _Fits:
    """What least squares makes of each division."""

    place_G2: Values
    misfit_G: Values
    """Chi-square."""
    offset_s_G: Values
    sigma_s_G: Values
    """Of the offset; 0 where the times do not tell one."""

    @staticmethod
    def best_of(fits: Sequence[_Fits]) -> _Fits:
        """Division by division that with the least misfit."""
        which_G = np.argmin([each.misfit_G for each in fits], axis=0)
        at_G = np.arange(len(which_G))
        return _Fits(*(np.stack([getattr(each, name) for each in fits])[which_G, at_G] for name in vars(fits[0])))


def _divisions(timed: NDArray[np.int64], receivers: int) -> Chosen:
    """(G, N) the smaller group of each way to divide them, two or more in each; of halves that with the first receiver."""
    groups = [
        group
        for size in range(2, len(timed) // 2 + 1)
        for group in combinations(timed, size)
        if 2 * size < len(timed) or timed[0] in group
    ]
    apart = np.zeros((len(groups), receivers), dtype=bool)
    for row, group in enumerate(groups):
        apart[row, list(group)] = True
    return apart


def _least_squares(
    apart_GN: Chosen, start_m: Float[Values, "*G 2"], evidence: EvidenceBatch, model: PropagationModel, rounds: int
) -> _Fits:
    """Place, emission time and offset of each division fitted to all times by Gauss's and Newton's method."""
    m_per_s = SPEED_OF_LIGHT_M_S / model.refractive_index
    place_G2 = np.broadcast_to(start_m, (len(apart_GN), 2))
    sigma_m_N = path_sigma_s(place_G2[None, :1], evidence, model)[0, 0] * m_per_s
    weight_N = np.asarray(evidence.has_arrival[0]) / sigma_m_N**2
    furthest_m = float(search_radius_m(evidence, model)[0])
    constant_GN1 = np.ones((*apart_GN.shape, 1))
    for _ in range(rounds):
        way_GN = link_distance_m(place_G2[None], evidence, model)[0]
        rates_GNU = np.concatenate([link_rates(place_G2, evidence, model), constant_GN1, apart_GN[..., None]], axis=-1)
        information_GUU = np.einsum("n,gnu,gnv->guv", weight_N, rates_GNU, rates_GNU)
        covariance_GUU = np.linalg.pinv(information_GUU, hermitian=True)
        late_GN = evidence.arrival_s[0] * m_per_s - way_GN
        right_GU = np.einsum("gn,gnu->gu", weight_N * late_GN, rates_GNU)
        unknown_GU = np.einsum("guv,gv->gu", covariance_GUU, right_GU)
        left_GN = late_GN - np.einsum("gnu,gu->gn", rates_GNU, unknown_GU)
        place_G2 = np.clip(place_G2 + unknown_GU[:, :2], -furthest_m, furthest_m)
    sigma_m_G = np.sqrt(np.maximum(covariance_GUU[:, 3, 3], 0.0))
    misfit_G = np.sum(weight_N * left_GN**2, axis=1)
    return _Fits(place_G2, misfit_G, unknown_GU[:, 3] / m_per_s, sigma_m_G / m_per_s)


def _gains(late_s_GN: Values, evidence: EvidenceBatch, model: PropagationModel) -> Float[Values, " G"]:
    """By how much the log evidence grows if each row of `late_s_GN` is taken off the arrival times."""
    taken_off_s = np.concatenate([np.zeros_like(late_s_GN[:1]), late_s_GN])
    many = replace(evidence, mapped=None).select(np.zeros(len(taken_off_s), dtype=int))
    _, value = log_evidence(replace(many, arrival_s=many.arrival_s - taken_off_s), model)
    return value[1:] - value[0]
