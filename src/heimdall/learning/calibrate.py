"""Fit what the regions mean, and how network and likelihood are joined, on scenes held out for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from heimdall.inference.answer import best_place, joined_place, smoothing_core
from heimdall.inference.calibration import (
    ALL,
    HYBRID,
    LIKELIHOOD,
    NETWORK,
    PROBABILITIES,
    Calibration,
    Regions,
    kind_of,
    pooled,
)
from heimdall.inference.mixture import Mixture
from heimdall.inference.posterior import posterior_of
from heimdall.inference.window import LOG_MASS, LOG_MASS_SCALE
from heimdall.learning.data import ScenePool, TrainingBatch

_BATCH = 64
_RANKED_AT_ONCE = 4
_LEAST = 150
_SHARES = tuple(step / 10 for step in range(11))

Network = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True, eq=False)
class Answered:
    """A held-out batch with the network's answer."""

    batch: TrainingBatch
    mixture: Mixture
    cells: int

    @property
    def likelihood_log_mass(self) -> Tensor:
        return self.batch.window.maps[:, LOG_MASS].flatten(1) * LOG_MASS_SCALE

    def hybrid(self, share: float) -> Mixture:
        return pooled(self.mixture, self.likelihood_log_mass, share)

    def best(self, mixture: Mixture) -> Tensor:
        return best_place(mixture, smoothing_core(self.cells))

    def error_m(self, place_core: Tensor) -> Tensor:
        return (place_core - self.batch.truth_core).norm(dim=1) * self.batch.window.frame.core_m

    def rank(self, mixture: Mixture) -> Tensor:
        """(B,) see `WindowPosterior.rank`; a few scenes at a time stay in the cache."""
        parts = [slice(start, start + _RANKED_AT_ONCE) for start in range(0, len(self.batch), _RANKED_AT_ONCE)]
        frame, truth_m = self.batch.window.frame, self.batch.truth_m
        return torch.cat([posterior_of(mixture.select(p), frame.select(p), self.cells).rank(truth_m[p]) for p in parts])


@torch.no_grad()
def calibrate(network: Network, simulated: ScenePool, recorded: ScenePool | None = None) -> Calibration:
    """Three fits, one after the other: the share of the likelihood by the score of the truth, the share of the place by the
    median error, and the masses of the regions by counting how often they hold the truth.

    The shares are fitted on the recorded scenes where there are some: they are what the network is for.
    """
    pool = simulated if recorded is None else ScenePool([*simulated.parts, *recorded.parts], simulated.cells)
    answers = list(_answers(network, pool))
    typical = answers if recorded is None else list(_answers(network, recorded))
    likelihood_share = _least(_SHARES, lambda share: _mean_loss(typical, share))
    tops, peaks = (_peaks(some, likelihood_share) for some in (typical, answers))
    point_share = _least(_SHARES, lambda share: _median_error(typical, tops, share))
    errors, kinds = _errors(answers, peaks, point_share), _kinds(pool)
    return Calibration(
        regions={
            NETWORK: _regions(answers, kinds, lambda answer: answer.mixture),
            HYBRID: _regions(answers, kinds, lambda answer: answer.hybrid(likelihood_share)),
        },
        likelihood_share=likelihood_share,
        point_share=point_share,
        kinds=_medians(errors, kinds),
        scenes=len(pool),
    )


def _answers(network: Network, pool: ScenePool) -> Iterator[Answered]:
    for start in range(0, len(pool), _BATCH):
        batch = pool.windows(torch.arange(start, min(start + _BATCH, len(pool))))
        yield Answered(batch, batch.mixture(network(*batch.network_input)), pool.cells)


def _peaks(answers: list[Answered], likelihood_share: float) -> list[Tensor]:
    return [answer.best(answer.hybrid(likelihood_share)) for answer in answers]


def _least(candidates: tuple[float, ...], cost: Callable[[float], float]) -> float:
    costs = [cost(candidate) for candidate in candidates]
    return candidates[int(np.argmin(costs))]


def _mean_loss(answers: list[Answered], share: float) -> float:
    losses = [-answer.hybrid(share).log_density(answer.batch.truth_core[:, None])[:, 0] for answer in answers]
    return float(torch.cat(losses).mean())


def _median_error(answers: list[Answered], peaks: list[Tensor], share: float) -> float:
    errors = [
        answer.error_m(joined_place(peak, share, answer.cells)) for answer, peak in zip(answers, peaks, strict=True)
    ]
    return float(torch.cat(errors).median())


def _errors(answers: list[Answered], peaks: list[Tensor], point_share: float) -> dict[str, NDArray[np.float32]]:
    """(scenes,) in m for each method. The likelihood's mode is the window's middle."""
    each = {
        LIKELIHOOD: [answer.error_m(torch.zeros_like(answer.batch.truth_core)) for answer in answers],
        NETWORK: [answer.error_m(answer.best(answer.mixture)) for answer in answers],
        HYBRID: [
            answer.error_m(joined_place(peak, point_share, answer.cells))
            for answer, peak in zip(answers, peaks, strict=True)
        ],
    }
    return {method: torch.cat(errors).cpu().numpy() for method, errors in each.items()}


def _regions(
    answers: list[Answered], kinds: list[str], mixture_of: Callable[[Answered], Mixture]
) -> dict[str, Regions]:
    """Of every kind with enough scenes for a 95 % quantile, and of all together."""
    ranks = torch.cat([answer.rank(mixture_of(answer)) for answer in answers]).cpu().numpy()
    return {
        kind: _conformal(ranks[mine]) for kind, mine in _groups(kinds).items() if kind == ALL or mine.sum() >= _LEAST
    }


def _conformal(ranks: NDArray[np.float32]) -> Regions:
    """Split conformal: the mass for probability p is the empirical p-quantile of the truths' ranks (Vovk et al. 2005)."""
    places = np.minimum(np.ceil(np.array(PROBABILITIES) * (len(ranks) + 1)).astype(int), len(ranks)) - 1
    return Regions(tuple(float(mass) for mass in np.sort(ranks)[places]))


def _groups(kinds: list[str]) -> dict[str, NDArray[np.bool_]]:
    """Which scenes are of each kind, and all of them."""
    names = np.array(kinds)
    return {kind: names == kind for kind in sorted(set(kinds))} | {ALL: np.ones(len(names), dtype=bool)}


def _kinds(pool: ScenePool) -> list[str]:
    return [
        kind_of(part.model, int(count), mapped=part.evidence.mapped is not None)
        for part in pool.parts
        for count in part.evidence.has_arrival.sum(dim=1).cpu()
    ]


def _medians(errors: dict[str, NDArray[np.float32]], kinds: list[str]) -> dict[str, dict[str, float]]:
    return {
        kind: {method: float(np.median(error[mine])) for method, error in errors.items()}
        | {"scenes": float(mine.sum())}
        for kind, mine in _groups(kinds).items()
    }


def scores_of(calibration: Calibration) -> dict[str, float]:
    """The figures by which models are compared: median errors in m and their ratio to the likelihood's, over all kinds."""
    everything = calibration.kinds.get(ALL, {})
    if not everything:
        return {}
    scores = {f"{method}_median_m": everything[method] for method in (LIKELIHOOD, NETWORK, HYBRID)}
    ratios = {f"{method}_ratio": everything[method] / everything[LIKELIHOOD] for method in (NETWORK, HYBRID)}
    return scores | ratios
