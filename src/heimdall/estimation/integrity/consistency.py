"""Whether what the receivers say can all be true: receiver autonomous integrity monitoring by the likelihood's own model.

Two questions. Is the misfit at the fix larger than the model makes plausible? Blocked links come late, so the answer is not a
chi-square: the misfit is held against misfits drawn from the model itself. And would one receiver's measurements be explained
better by a fault than by the model? That is the ratio of the evidence without it, times the density of a fault, to the evidence
with it (a Bayes factor, MacKay 2003, chapter 28). The second question names the receiver.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heimdall.estimation.integrity.fault_odds import Chosen, FaultOdds, Values
from heimdall.estimation.integrity.first_look import misfit_and_odds
from heimdall.estimation.likelihood.arrival_times import (
    arrival_log_likelihood,
    arrival_residual_s,
    link_distance_m,
    path_sigma_s,
)
from heimdall.estimation.model import PropagationModel
from heimdall.estimation.search import log_posterior
from heimdall.evidence.batch import EvidenceBatch

if TYPE_CHECKING:
    from jaxtyping import Float

FEWEST_TIMES = 4
"""Three arrival times fit some place whatever they are."""
_LEAST_PROBABILITY = 0.02
"""A misfit that the model exceeds this rarely is a contradiction: it is the share of false alarms by times."""
_LEAST_LOG_ODDS = 3.0
"""A fault that explains the measurements e^3 times better is told: so much by chance is rare (3 % of sound scenes of `matched`
are contradicted by this and by misfits together)."""
_LEAST_LOG_ODDS_BY_LEVEL = 6.0
"""The same with fewer than three arrival times: at a real site levels stray further than the model's shadowing (on the POWDER
campus a fifth of the fixes by power would be contradicted at 3)."""
_DRAWS = 1000
_MOST_CANDIDATES = 8
"""Receivers that are left out in turn, the most suspicious at first sight."""
_NEAR_THE_EDGE = 0.9
_OUTWARDS = 1.05


@dataclass(frozen=True, eq=False)
class Misfit:
    """A contradiction among the receivers of one scene."""

    probability: float
    """Of a misfit of the arrival times at least as large where all is as the model has it; 1 where times cannot tell."""
    log_odds: Float[Values, " N"]
    """Log of how much better a fault of each receiver explains its measurements; -inf for those not looked at."""

    @property
    def suspects(self) -> list[int]:
        """Receivers, the most suspicious first."""
        order = np.argsort(-self.log_odds, kind="stable")
        return [int(index) for index in order if np.isfinite(self.log_odds[index])]


def find_misfit(
    evidence: EvidenceBatch,
    place_m: Values,
    model: PropagationModel,
    fitted: int = 2,
    odds: FaultOdds | None = None,
) -> Misfit | None:
    """None where the receivers of one scene (a numpy batch of one) agree at the fix (2,), as nearly all do, at little cost.

    `fitted` is how many coordinates of the place the arrival times had to fit: 3 where the height was found from them. `odds`
    keeps what was found for who asks again.
    """
    if int(np.sum(evidence.has_arrival | evidence.has_level)) < 3 or _cut_off(evidence, place_m, model):
        return None
    probability = misfit_probability(evidence, place_m, model, fitted)
    first = misfit_and_odds(evidence, place_m[None], model)[1][0]
    contradicted = probability < _LEAST_PROBABILITY
    if not contradicted and np.max(first) <= 0:
        return None
    candidates = np.sort(np.argsort(-first, kind="stable")[:_MOST_CANDIDATES])
    found = np.full(evidence.present.shape[1], -np.inf)
    found[candidates] = (odds or FaultOdds()).of(evidence, model, candidates)
    misfit = Misfit(probability, found)
    by_level = int(np.sum(evidence.has_arrival)) < FEWEST_TIMES - 1
    least = _LEAST_LOG_ODDS_BY_LEVEL if by_level else _LEAST_LOG_ODDS
    return misfit if contradicted or float(np.max(found)) > least else None


def _cut_off(evidence: EvidenceBatch, place_m: Values, model: PropagationModel) -> bool:
    """Whether the density still rises outwards where the search ended: a misfit there is the area's, not a receiver's."""
    if np.max(np.abs(place_m)) < _NEAR_THE_EDGE * float(evidence.half_width_m[0]):
        return False
    return bool(_density_at(evidence, _OUTWARDS * place_m, model)[0] > _density_at(evidence, place_m, model)[0])


def misfit_probability(evidence: EvidenceBatch, place_m: Values, model: PropagationModel, fitted: int = 2) -> float:
    """How often arrival times that are as the model has them fit worse than these; 1 with too few to tell.

    The misfit is how much higher the log-likelihood would be had every signal arrived exactly when it should. Times drawn from
    the model are not located again: `fitted` of them are left out instead, as many as the place has coordinates to fit. 1 for
    waves by the ionosphere, too: a link's mode and height are open, which nothing is drawn from here.
    """
    timed = np.flatnonzero(evidence.has_arrival[0])
    freedom = len(timed) - 1 - fitted
    if freedom < 1 or model.sky_wave is not None:
        return 1.0
    late_N = arrival_residual_s(place_m[None, None], evidence, model)[0, 0] * evidence.has_arrival[0]
    exact = replace(evidence, arrival_s=evidence.arrival_s - late_N)
    misfit = float(_misfits(exact, late_N[None], evidence.has_arrival, place_m, model)[0])
    if misfit <= freedom:  # below the mean of every model: nothing to look at
        return 1.0
    rng = np.random.default_rng(0)
    drawn_SN = _draw_late(path_sigma_s(place_m[None, None], evidence, model)[0, 0], model, rng)
    kept_SN = evidence.has_arrival & ~_some_of(timed, fitted, evidence.present.shape[1], rng)
    return float(np.mean(_misfits(exact, drawn_SN, kept_SN, place_m, model) >= misfit))


def _misfits(
    exact: EvidenceBatch, late_SN: Values, kept_SN: Chosen, place_m: Values, model: PropagationModel
) -> Float[Values, " S"]:
    """What lateness costs the log-likelihood, the emission time fitted anew."""
    count = len(late_SN)
    many = exact.select(np.zeros(2 * count, dtype=int))
    arrival_s = many.arrival_s + np.concatenate([np.zeros_like(late_SN), late_SN * kept_SN])
    many = replace(many, arrival_s=arrival_s, has_arrival=np.concatenate([kept_SN, kept_SN]))
    distance_m = link_distance_m(np.broadcast_to(place_m, (2 * count, 1, 2)), many, model)
    value = arrival_log_likelihood(distance_m, many, model)[:, 0]
    return np.asarray(value[:count] - value[count:])


def _draw_late(sigma_N: Values, model: PropagationModel, rng: np.random.Generator) -> Float[Values, "S N"]:
    """Lateness as the model has it: clear, blocked, or astray."""
    shape = (_DRAWS, len(sigma_N))
    lot = rng.random(shape)
    blocked = lot < model.blocked_probability
    astray = lot > 1 - model.stray_probability
    late = sigma_N * rng.standard_normal(shape) + blocked * rng.exponential(model.excess_delay_s, shape)
    return np.where(astray, model.stray_width_s * rng.standard_cauchy(shape), late)


def _some_of(timed: NDArray[np.int64], count: int, receivers: int, rng: np.random.Generator) -> Chosen:
    """(S, N) bool, so many of the timed receivers in each row."""
    order = np.argsort(rng.random((_DRAWS, len(timed))), axis=1)[:, :count]
    chosen = np.zeros((_DRAWS, receivers), dtype=bool)
    np.put_along_axis(chosen, timed[order], True, axis=1)
    return chosen


def _density_at(batch: EvidenceBatch, place_m: Values, model: PropagationModel) -> Values:
    places = np.broadcast_to(place_m, (len(batch), 1, 2))
    return np.asarray(log_posterior(batch, model)(places, np.zeros(len(batch)))[:, 0])
