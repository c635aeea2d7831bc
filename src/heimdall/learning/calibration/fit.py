"""Fit what the regions mean, and how network and likelihood are joined, on scenes held out for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from heimdall.inference.answer import SMOOTHING, best_place, joined_place, smoothing_core
from heimdall.inference.calibration import (
    ALL,
    HYBRID,
    LIKELIHOOD,
    NETWORK,
    PROBABILITIES,
    Blend,
    Calibration,
    Regions,
    kind_of,
    pooled,
)
from heimdall.inference.mixture import Mixture
from heimdall.inference.posterior import posterior_of
from heimdall.inference.window import LOG_MASS, LOG_MASS_SCALE
from heimdall.learning.data.pools import ScenePool, TrainingBatch

_BATCH = 64
_RANKED_AT_ONCE = 4
_LEAST = 150
_STRATA = 5
_SHARES = tuple((step / 10,) for step in range(11))
_BLURS = (0.5, 1.0, 2.0, 3.0)
_PLACES = tuple((blur, share) for blur in _BLURS for (share,) in _SHARES)

Network = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
Candidates = Sequence[tuple[float, ...]]
Chosen = NDArray[np.bool_]
"""(scenes,)"""


@dataclass(frozen=True, eq=False)
class Answered:
    """A held-out batch with the network's answer."""

    batch: TrainingBatch
    mixture: Mixture
    cells: int

    @property
    def likelihood_log_mass(self) -> Tensor:
        return self.batch.window.maps[:, LOG_MASS].flatten(1) * LOG_MASS_SCALE

    def hybrid(self, likelihood_share: Tensor | float) -> Mixture:
        return pooled(self.mixture, self.likelihood_log_mass, likelihood_share)

    def best(self, mixture: Mixture, blur: Tensor | float = SMOOTHING) -> Tensor:
        return best_place(mixture, smoothing_core(self.cells, blur))

    def error_m(self, place_core: Tensor) -> Tensor:
        return (place_core - self.batch.truth_core).norm(dim=1) * self.batch.window.frame.core_m

    def rank(self, mixture: Mixture) -> Tensor:
        """(B,) see `WindowPosterior.rank`; a few scenes at a time stay in the cache."""
        parts = [slice(start, start + _RANKED_AT_ONCE) for start in range(0, len(self.batch), _RANKED_AT_ONCE)]
        frame, truth_m = self.batch.window.frame, self.batch.truth_m
        return torch.cat([posterior_of(mixture.select(p), frame.select(p), self.cells).rank(truth_m[p]) for p in parts])


class _Counted:
    """Counts the batches that pass by in the three rounds that take the time: the answers, and two sets of regions."""

    def __init__(self, report: Callable[[float], None], batches: int) -> None:
        self._report, self._all, self._done = report, 3 * batches, 0

    def __call__(self, answers: Iterable[Answered]) -> Iterator[Answered]:
        for answer in answers:
            yield answer
            self._done += 1
            self._report(self._done / self._all)


@torch.no_grad()
def calibrate(
    network: Network,
    simulated: ScenePool,
    recorded: ScenePool | None = None,
    trained: ScenePool | None = None,
    report: Callable[[float], None] = lambda share: None,
) -> Calibration:
    """Three fits, one after the other, each for every kind of session with enough scenes and for all together: the share of
    the likelihood by the score of the truth, blur and share of the place by the median error, and the masses of the regions
    by counting how often they hold the truth.

    The blend of a kind of which there are recorded scenes is fitted on those: they are what the network is for. Recorded
    scenes count for the regions as `_representative` says, where those that the network has `trained` on are given too.
    `report` hears what share is done.
    """
    pool = simulated if recorded is None else ScenePool([*simulated.parts, *recorded.parts], simulated.cells)
    counted = _Counted(report, -(-len(pool) // _BATCH))
    answers = list(counted(_answers(network, pool)))
    weight = np.ones(len(pool))
    if recorded is not None and trained is not None:
        weight[len(simulated) :] = _representative(recorded, trained)
    kinds = _kinds(pool)
    every_kind = _groups(kinds)
    groups = {kind: mine for kind, mine in every_kind.items() if kind == ALL or mine.sum() >= _LEAST}
    joined = _join(answers, kinds, {kind: _recorded_first(mine, len(simulated)) for kind, mine in groups.items()})
    return Calibration(
        regions={
            NETWORK: _regions(counted(answers), [answer.mixture for answer in answers], groups, weight),
            HYBRID: _regions(counted(answers), joined.mixtures, groups, weight),
        },
        blends=joined.blends,
        kinds=_medians(_errors(answers, joined.places), every_kind),
        scenes=len(pool),
    )


@dataclass(frozen=True, eq=False)
class _Joined:
    """Network and likelihood as one: by which shares, and what they say of each batch."""

    blends: dict[str, Blend]
    mixtures: list[Mixture]
    places: list[Tensor]


def _join(answers: list[Answered], kinds: list[str], groups: dict[str, Chosen]) -> _Joined:
    """`kinds` of all scenes, in their order; `groups`: those on which the blend of a kind is fitted."""
    likelihood_share = _fitted(_SHARES, _losses(answers), np.mean, groups)
    mixtures = [a.hybrid(share) for a, share in zip(answers, _of_each(kinds, likelihood_share, answers), strict=True)]
    place = _fitted(_PLACES, _place_errors(answers, mixtures), np.median, groups)
    places = [
        joined_place(a.best(mixture, each[:, 0]), each[:, 1:], a.cells)
        for a, mixture, each in zip(answers, mixtures, _of_each(kinds, place, answers), strict=True)
    ]
    return _Joined({kind: Blend(*likelihood_share[kind], *place[kind]) for kind in groups}, mixtures, places)


def _answers(network: Network, pool: ScenePool) -> Iterator[Answered]:
    for start in range(0, len(pool), _BATCH):
        batch = pool.windows(torch.arange(start, min(start + _BATCH, len(pool))))
        yield Answered(batch, batch.mixture(network(*batch.network_input)), pool.cells)


def _recorded_first(mine: Chosen, simulated: int) -> Chosen:
    """The recorded ones of the chosen scenes, which follow the simulated ones; all if none was recorded."""
    recorded = mine & (np.arange(len(mine)) >= simulated)
    return recorded if recorded.any() else mine


def _fitted(
    candidates: Candidates,
    costs: NDArray[np.float32],
    average: Callable[..., NDArray[np.float32]],
    groups: dict[str, Chosen],
) -> dict[str, tuple[float, ...]]:
    """The candidate with the least average cost in each group; costs are (candidates, scenes)."""
    return {kind: candidates[int(np.argmin(average(costs[:, mine], axis=1)))] for kind, mine in groups.items()}


def _of_each(kinds: list[str], fitted: dict[str, tuple[float, ...]], answers: list[Answered]) -> Iterator[Tensor]:
    """(B, values of a candidate) for each batch: what was fitted for each scene's kind."""
    every = torch.tensor([fitted.get(kind, fitted[ALL]) for kind in kinds])
    for answer, values in zip(answers, torch.split(every, _BATCH), strict=True):
        yield values.to(answer.batch.truth_m.device)


def _losses(answers: list[Answered]) -> NDArray[np.float32]:
    """(shares, scenes) minus the log density of the truth."""
    return np.stack(
        [
            _concatenated(-a.hybrid(share).log_density(a.batch.truth_core[:, None])[:, 0] for a in answers)
            for (share,) in _SHARES
        ]
    )


def _place_errors(answers: list[Answered], mixtures: list[Mixture]) -> NDArray[np.float32]:
    """(places, scenes) in m."""
    peaks = {blur: [a.best(mixture, blur) for a, mixture in zip(answers, mixtures, strict=True)] for blur in _BLURS}
    return np.stack(
        [
            _concatenated(
                a.error_m(joined_place(peak, share, a.cells)) for a, peak in zip(answers, peaks[blur], strict=True)
            )
            for blur, share in _PLACES
        ]
    )


def _errors(answers: list[Answered], joined: list[Tensor]) -> dict[str, NDArray[np.float32]]:
    """(scenes,) in m for each method. The likelihood's mode is the window's middle."""
    each = {
        LIKELIHOOD: [answer.error_m(torch.zeros_like(answer.batch.truth_core)) for answer in answers],
        NETWORK: [answer.error_m(answer.best(answer.mixture)) for answer in answers],
        HYBRID: [answer.error_m(place) for answer, place in zip(answers, joined, strict=True)],
    }
    return {method: _concatenated(errors) for method, errors in each.items()}


def _representative(held_out: ScenePool, trained: ScenePool) -> NDArray[np.float64]:
    """(held-out scenes,) weights, 1 on average over each kind of session, with which the likelihood misses the truth among the
    scenes held out as it does among all that were recorded: post-stratification by fifths of that distance.

    Recordings of one block are alike, so a fifth of the places is few independent samples and may be harder than the rest.
    How hard a place is for the likelihood, which no network has learned by heart, is known for all.
    """
    kinds, kinds_of_trained = np.array(_kinds(held_out)), np.array(_kinds(trained))
    missed, missed_of_trained = _missed(held_out), _missed(trained)
    weight = np.ones(len(held_out))
    for kind in np.unique(kinds):
        mine = kinds == kind
        everywhere = np.concatenate([missed[mine], missed_of_trained[kinds_of_trained == kind]])
        edges = np.quantile(everywhere, np.arange(1, _STRATA) / _STRATA)
        stratum = np.digitize(missed[mine], edges)
        expected = np.bincount(np.digitize(everywhere, edges), minlength=_STRATA)
        each = (expected / np.maximum(np.bincount(stratum, minlength=_STRATA), 1))[stratum]
        weight[mine] = each / each.mean()
    return weight


def _missed(pool: ScenePool) -> NDArray[np.float32]:
    return _concatenated(part.missed_cells for part in pool.parts)


def _regions(
    answers: Iterable[Answered], mixtures: list[Mixture], groups: dict[str, Chosen], weight: NDArray[np.float64]
) -> dict[str, Regions]:
    ranks = _concatenated(answer.rank(mixture) for answer, mixture in zip(answers, mixtures, strict=True))
    return {kind: _conformal(ranks[mine], weight[mine]) for kind, mine in groups.items()}


def _conformal(ranks: NDArray[np.float32], weight: NDArray[np.float64]) -> Regions:
    """Split conformal: the mass for probability p is the empirical p-quantile of the truths' ranks (Vovk et al. 2005), each
    counted by its weight (Tibshirani et al. 2019)."""
    reached = np.minimum(np.array(PROBABILITIES) * (len(ranks) + 1) / len(ranks), 1.0)
    return Regions(tuple(np.quantile(ranks, reached, weights=weight, method="inverted_cdf").tolist()))


def _concatenated(batches: Iterable[Tensor]) -> NDArray[np.float32]:
    return torch.cat(list(batches)).cpu().numpy()


def _groups(kinds: list[str]) -> dict[str, Chosen]:
    """Which scenes are of each kind, and all of them."""
    names = np.array(kinds)
    return {kind: names == kind for kind in sorted(set(kinds))} | {ALL: np.ones(len(names), dtype=bool)}


def _kinds(pool: ScenePool) -> list[str]:
    return [
        kind_of(part.model, int(count), mapped=part.evidence.mapped is not None)
        for part in pool.parts
        for count in part.evidence.has_arrival.sum(dim=1).cpu()
    ]


def _medians(errors: dict[str, NDArray[np.float32]], groups: dict[str, Chosen]) -> dict[str, dict[str, float]]:
    return {
        kind: {method: float(np.median(error[mine])) for method, error in errors.items()}
        | {"scenes": float(mine.sum())}
        for kind, mine in groups.items()
    }


def scores_of(calibration: Calibration) -> dict[str, float]:
    """The figures by which models are compared: median errors in m and their ratio to the likelihood's, over all kinds."""
    everything = calibration.kinds.get(ALL, {})
    if not everything:
        return {}
    scores = {f"{method}_median_m": everything[method] for method in (LIKELIHOOD, NETWORK, HYBRID)}
    ratios = {f"{method}_ratio": everything[method] / everything[LIKELIHOOD] for method in (NETWORK, HYBRID)}
    return scores | ratios
