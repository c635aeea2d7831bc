"""The table of a comparison: error quantiles, ratio to the bound and to a reference method, coverage, time; by kind of case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heimdall.evaluation.comparison import PROBABILITIES, Comparison, Label, ScoredFix
from heimdall.fix import Status

Values = NDArray[np.float64]
Chosen = NDArray[np.bool_]

QUANTILES = (0.5, 0.68, 0.9)
_RESAMPLES = 1000
_INTERVAL = (0.025, 0.975)
_BOUND_DRAWS = 64
_FEWEST = 8
"""Cases below which a group says nothing."""
_RECEIVER_GROUPS = ((2, 3), (4, 5), (6, 8), (9, 99))
_BLOCKED_GROUPS = (("none", 0.0, 0.0), ("up to a third", 1e-9, 1 / 3), ("more", 1 / 3 + 1e-9, 1.0))


@dataclass(frozen=True)
class Score:
    """How one method, or the bound, did on one group of cases."""

    quantiles_m: tuple[float, ...]
    """Quantiles of the error, at `QUANTILES`."""
    bound_ratio: float | None = None
    """Ratio of the median error to that of an estimator that reaches the bound; only if every case has a bound."""
    reference_ratio: tuple[float, float, float] | None = None
    """Ratio of medians to the reference method, and its 95 % interval by paired bootstrap."""
    coverage: tuple[float, ...] = ()
    """Share of truths in the regions of `PROBABILITIES`."""
    ms_per_fix: float | None = None
    statuses: dict[str, float] = field(default_factory=dict)
    """Share of the answers that have each status, the most frequent first."""
    ok_coverage_95: float | None = None
    """Share of truths in the 95 % regions of the answers that are `ok`."""
    protected: float | None = None
    """Share of truths within the protection level, of the answers that have one."""


@dataclass(frozen=True)
class Group:
    """Cases that are alike in one respect."""

    by: str
    name: str
    count: int
    scores: dict[str, Score]
    bound: Score | None
    """What an efficient estimator would do; None where not every case has a bound."""


def summarise(comparison: Comparison, reference: str, seed: int = 0) -> list[Group]:
    """Every group that has enough cases, all of them first; ratios are to the method `reference`."""
    labels = comparison.labels
    error_m = {name: np.array([answer.error_m for answer in each]) for name, each in comparison.answers.items()}
    ideal_m = _ideal_errors(labels, np.random.default_rng(seed))
    groups = []
    for by, name, chosen in _groups(labels):
        if by != "all" and np.sum(chosen) < _FEWEST:
            continue
        rng = np.random.default_rng(seed)
        bound = _bound_score(ideal_m[chosen])
        scores = {
            method: _score(
                error_m[method][chosen],
                error_m[reference][chosen] if method != reference else None,
                [answer for answer, picked in zip(answers, chosen, strict=True) if picked],
                bound,
                rng,
            )
            for method, answers in comparison.answers.items()
        }
        groups.append(Group(by, name, int(np.sum(chosen)), scores, bound))
    return groups


def _groups(labels: list[Label]) -> Iterator[tuple[str, str, Chosen]]:
    clock = np.array([label.clock for label in labels])
    inside = np.array([label.inside for label in labels])
    blocked = np.array([label.blocked_share for label in labels])
    receivers = np.array([label.receivers for label in labels])
    yield "all", "all", np.ones(len(labels), dtype=bool)
    for name in dict.fromkeys(clock[np.argsort(clock, kind="stable")].tolist()):
        yield "clock", name, clock == name
    yield "place", "inside", inside
    yield "place", "outside", ~inside
    for name, low, high in _BLOCKED_GROUPS:
        yield "links blocked", name, (blocked >= low) & (blocked <= high)
    for fewest, most in _RECEIVER_GROUPS:
        name = f"{fewest} to {most}" if most < 99 else f"{fewest} and more"
        yield "receivers", name, (receivers >= fewest) & (receivers <= most)


def _ideal_errors(labels: list[Label], rng: np.random.Generator) -> Values:
    """(n, draws) errors of an estimator that is normal with the bound's covariance; infinite where there is no bound."""
    draws = rng.standard_normal((len(labels), _BOUND_DRAWS, 2))
    errors = np.full((len(labels), _BOUND_DRAWS), np.inf)
    for index, label in enumerate(labels):
        if np.all(np.isfinite(label.bound_m2)):
            root = np.linalg.cholesky(label.bound_m2)
            errors[index] = np.linalg.norm(draws[index] @ root.T, axis=-1)
    return errors


def _bound_score(ideal_m: Values) -> Score | None:
    if not np.all(np.isfinite(ideal_m)):
        return None
    return Score(_quantiles(ideal_m.ravel()))


def _score(
    error_m: Values, reference_m: Values | None, answers: list[ScoredFix], bound: Score | None, rng: np.random.Generator
) -> Score:
    quantiles = _quantiles(error_m)
    return Score(
        quantiles_m=quantiles,
        bound_ratio=None if bound is None else quantiles[0] / bound.quantiles_m[0],
        reference_ratio=None if reference_m is None else ratio_of_medians(error_m, reference_m, rng),
        coverage=tuple(np.mean([answer.covered for answer in answers], axis=0).tolist()),
        ms_per_fix=float(np.median([answer.elapsed_ms for answer in answers])),
        statuses=_statuses(answers),
        ok_coverage_95=_share([answer.covered[-1] for answer in answers if answer.status == Status.OK]),
        protected=_share([answer.protected for answer in answers if answer.protected is not None]),
    )


def _share(true: Sequence[bool]) -> float | None:
    return float(np.mean(true)) if true else None


def _statuses(answers: list[ScoredFix]) -> dict[str, float]:
    counted = Counter(answer.status for answer in answers if answer.status)
    return {status: count / len(answers) for status, count in counted.most_common()}


def _quantiles(error_m: Values) -> tuple[float, ...]:
    """The value that the given share of the errors does not exceed; a failed fix counts as infinitely far off."""
    return tuple(float(value) for value in np.quantile(error_m, QUANTILES, method="higher"))


def ratio_of_medians(error_m: Values, reference_m: Values, rng: np.random.Generator) -> tuple[float, float, float]:
    """Ratio of the medians of two methods on the same cases, and its 95 % interval: cases are drawn again in pairs."""
    index = rng.integers(0, len(error_m), (_RESAMPLES, len(error_m)))
    with np.errstate(invalid="ignore"):
        ratios = np.median(error_m[index], axis=1) / np.median(reference_m[index], axis=1)
        middle = float(np.median(error_m) / np.median(reference_m))
    low, high = np.quantile(ratios, _INTERVAL, method="nearest")
    return middle, float(low), float(high)


def to_json(groups: list[Group], reference: str) -> dict[str, Any]:
    """The table as one JSON document; null stands for what does not exist or is infinite."""
    return {
        "reference": reference,
        "groups": [
            {
                "by": group.by,
                "name": group.name,
                "count": group.count,
                "bound": None if group.bound is None else _error_json(group.bound),
                "methods": {name: _score_json(score) for name, score in group.scores.items()},
            }
            for group in groups
        ],
    }


def _error_json(score: Score) -> dict[str, Any]:
    names = ("median_m", "q68_m", "q90_m")
    return dict(zip(names, map(_finite, score.quantiles_m), strict=True))


def _score_json(score: Score) -> dict[str, Any]:
    ratio = score.reference_ratio
    return {
        **_error_json(score),
        "bound_ratio": _finite(score.bound_ratio),
        "reference_ratio": None
        if ratio is None
        else dict(zip(("value", "low", "high"), map(_finite, ratio), strict=True)),
        "coverage": {f"{100 * p:.0f}": share for p, share in zip(PROBABILITIES, score.coverage, strict=True)},
        "ms_per_fix": _finite(score.ms_per_fix),
        "statuses": score.statuses,
        "ok_coverage_95": score.ok_coverage_95,
        "protected": score.protected,
    }


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
