"""What receivers add to times and levels by themselves, found with transmitters whose place is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from heimdall.constants import CAUCHY_TUNING
from heimdall.correction import Correction
from heimdall.errors import InputError
from heimdall.estimation.likelihood.arrival_times import arrival_residual_s, link_distance_m, link_sigma_s
from heimdall.estimation.model import model_of
from heimdall.estimation.whole_earth import recentred_on_place
from heimdall.evidence.collect import collect
from heimdall.observation import Observation

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

Values = NDArray[np.float64]
_ROUNDS = 10
_BOUND = 1.5
"""Standard deviations at which a residual is cut off before the scatter of all is measured."""
_BIAS_PRIOR_DB = 20.0
_BIAS_PRIOR_S = 1e-3
"""Wide enough to say nothing about a receiver that was heard, and to keep one that never was at zero."""
_WIDER_PRIOR = 3.0
"""How many times the biases' own size they are allowed to be in the end."""


@dataclass(frozen=True)
class Bias:
    """One receiver. A bias is against the mean of all: what they share, nobody can tell."""

    name: str
    value: float
    sigma: float
    """Against the mean of all."""
    residuals: tuple[float | None, ...]
    """What each observation that was used says alone, in their order; None where the receiver was not heard."""
    group: int = 0
    """Of receivers that were heard together, directly or through others."""
    sigma_in_group: float = 0.0
    """Against the mean of its group, which is smaller: what a group shares does not move a place."""


@dataclass(frozen=True)
class SiteBiases:
    """Biases of receivers, empty where no observation could tell."""

    delays_s: tuple[Bias, ...]
    levels_db: tuple[Bias, ...]
    observations: int
    ids: tuple[str, ...] = ()
    """Of the observations that were used, in the order of the residuals."""


@dataclass(frozen=True, eq=False)
class _Heard:
    """What one observation says of each of its receivers, at the known place of its transmitter."""

    names: tuple[str, ...]
    late_s: Values
    late_sigma_s: Values
    """Infinite without an arrival time."""
    level_db: Values
    """Less what distance explains by the model's exponent."""
    level_sigma_db: Values
    """Infinite without a level."""
    decades_db: Values
    """10 log10 of the distance: how the level changes with the exponent."""
    exponent_sigma: float


@dataclass(frozen=True, eq=False)
class _Table:
    """What J observations say of one kind of bias of N receivers."""

    value_JN: Values
    sigma_JN: Values
    """Standard deviations, infinite where there is no value."""
    slope_JN: Values
    """How the values change with what is common to all: the path-loss exponent; 0 for times."""
    slope_sigma: float = 1.0
    """What is known of it beforehand."""

    @property
    def heard(self) -> Bool[NDArray[np.bool_], "J N"]:
        return np.isfinite(self.sigma_JN)

    def of_receivers(self, chosen_N: NDArray[np.bool_]) -> _Table:
        value_JN, sigma_JN, slope_JN = (each[:, chosen_N] for each in (self.value_JN, self.sigma_JN, self.slope_JN))
        return _Table(value_JN, sigma_JN, slope_JN, self.slope_sigma)


def site_biases(observations: Sequence[Observation]) -> SiteBiases:
    """Delay and level bias of every receiver that was heard. Raises InputError where no transmitter is known.

    Each observation brings its own emission time and transmit power, which are taken off by weighted means; the path-loss
    exponent is common and known to the model's prior. Least squares with Cauchy's weights (Holland and Welsch 1977).
    """
    used = [(each.id, found) for each in observations if (found := _heard(each)) is not None]
    heard = [found for _, found in used]
    if not heard:
        raise InputError("no observation with a known transmitter and two receivers: say where the transmitter was")
    names = tuple(dict.fromkeys(name for each in heard for name in each.names))
    late_s = _by_receiver(heard, names, "late_s", 0.0)
    late = _Table(late_s, _by_receiver(heard, names, "late_sigma_s", np.inf), np.zeros_like(late_s))
    level = _Table(
        _by_receiver(heard, names, "level_db", 0.0),
        _by_receiver(heard, names, "level_sigma_db", np.inf),
        _by_receiver(heard, names, "decades_db", 0.0),
        float(np.mean([each.exponent_sigma for each in heard])),
    )
    return SiteBiases(
        _biases(names, late, _BIAS_PRIOR_S),
        _biases(names, level, _BIAS_PRIOR_DB),
        len(heard),
        tuple(name for name, _ in used),
    )


def corrections_from(found: SiteBiases) -> dict[str, Correction]:
    """The correction of each receiver, by its name."""
    corrections: dict[str, Correction] = {}
    for bias in found.delays_s:
        corrections[bias.name] = Correction(
            bias.value, bias.sigma, bias.sigma_in_group, bias.group, observations=_count(bias)
        )
    for bias in found.levels_db:
        known = corrections.get(bias.name, Correction(observations=_count(bias)))
        corrections[bias.name] = replace(known, level_bias_db=bias.value, level_bias_sigma_db=bias.sigma)
    return corrections


def _count(bias: Bias) -> int:
    return sum(residual is not None for residual in bias.residuals)


def _heard(observation: Observation) -> _Heard | None:
    truth = observation.truth
    if truth is None:
        return None
    try:
        collected = collect(observation)
    except InputError:
        return None
    collected = recentred_on_place(collected, truth.latitude_deg, truth.longitude_deg)
    evidence, model = collected.evidence, model_of(collected)
    height_m = float(evidence.transmitter_height_m[0]) if truth.height_m is None else truth.height_m
    place = collected.frame.horizontal_m(truth.latitude_deg, truth.longitude_deg, height_m)[None, None]
    distance_m = np.maximum(link_distance_m(place, evidence, model)[0, 0], model.min_distance_m)
    decades_db = 10 * np.log10(distance_m)
    shadowing_db2 = model.shadowing_variance_db2
    names = tuple(each.name for each in observation.usable_receivers)
    return _Heard(
        names=names,
        late_s=arrival_residual_s(place, evidence, model)[0, 0],
        late_sigma_s=np.where(evidence.has_arrival[0], link_sigma_s(evidence, model)[0], np.inf),
        level_db=np.where(evidence.has_level[0], evidence.level_db[0] + model.exponent_mean * decades_db, 0.0),
        level_sigma_db=np.where(evidence.has_level[0], np.sqrt(shadowing_db2), np.inf),
        decades_db=decades_db,
        exponent_sigma=model.exponent_sigma,
    )


def _by_receiver(heard: Sequence[_Heard], names: Sequence[str], field: str, missing: float) -> Float[Values, "J N"]:
    """One field of all observations, with a column for each receiver."""
    index = {name: column for column, name in enumerate(names)}
    values = np.full((len(heard), len(names)), missing)
    for row, each in enumerate(heard):
        values[row, [index[name] for name in each.names]] = getattr(each, field)
    return values


def _biases(names: Sequence[str], table: _Table, prior: float) -> tuple[Bias, ...]:
    """Biases of the receivers that the table tells of; `prior` is the largest standard deviation of biases."""
    known_N: NDArray[np.bool_] = np.any(table.heard, axis=0, keepdims=True)[0]
    if np.sum(known_N) < 2:
        return ()
    table = table.of_receivers(known_N)
    bias_N, _, _ = _solve(table, prior)
    # Groups that were never heard together are only tied by how large biases are: the prior is what the biases say it is.
    prior = min(prior, _WIDER_PRIOR * _size(bias_N, table))
    bias_N, covariance_NN, slope = _solve(table, prior)
    residual_JN = _centred(table.value_JN - slope * table.slope_JN - bias_N, 1 / table.sigma_JN**2) + bias_N
    group_N = _groups(table.heard)
    gauge_NN = np.eye(len(group_N)) - _same(group_N)
    in_group_N = np.sqrt(np.maximum(np.diag(gauge_NN @ covariance_NN @ gauge_NN.T), 0.0))
    named = [name for name, known in zip(names, known_N, strict=True) if known]
    return tuple(
        Bias(
            name=name,
            value=float(bias_N[column]),
            sigma=float(np.sqrt(covariance_NN[column, column])),
            residuals=_where_heard(residual_JN[:, column], table.heard[:, column]),
            group=int(group_N[column]),
            sigma_in_group=float(in_group_N[column]),
        )
        for column, name in enumerate(named)
    )


def _where_heard(residual_J: Values, heard_J: NDArray[np.bool_]) -> tuple[float | None, ...]:
    return tuple(float(value) if heard else None for value, heard in zip(residual_J, heard_J, strict=True))


def _size(bias_N: Values, table: _Table) -> float:
    """Root mean square of the biases, each against the mean of those that it was heard together with, directly or through
    others; at least what one observation may be off."""
    centred_N = bias_N - _same(_groups(table.heard)) @ bias_N
    return float(np.hypot(np.sqrt(np.mean(centred_N**2)), np.median(table.sigma_JN[table.heard])))


def _groups(heard_JN: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(N,) the number of each receiver's group."""
    together_NN = heard_JN.T.astype(float) @ heard_JN.astype(float)
    return np.asarray(connected_components(together_NN > 0, directed=False)[1], dtype=np.int64)


def _same(group_N: NDArray[np.int64]) -> Float[Values, "N N"]:
    """The matrix that takes the mean of each receiver's group."""
    same_NN = group_N[:, None] == group_N
    return np.asarray(same_NN / same_NN.sum(axis=1, keepdims=True))


def _solve(table: _Table, prior: float) -> tuple[Values, Values, float]:
    """Biases with mean zero, their covariance, and the common slope, by reweighted least squares."""
    count = table.value_JN.shape[1]
    weight_JN = 1 / table.sigma_JN**2
    prior_information = np.diag([prior**-2] * count + [table.slope_sigma**-2])
    solution = np.zeros(count + 1)
    normal = prior_information
    for _ in range(_ROUNDS):
        normal, right = _normal_equations(table, weight_JN)
        normal = normal + prior_information
        solution = np.linalg.solve(normal, right)
        off_JN = table.value_JN - table.slope_JN * solution[-1] - solution[:-1]
        away_JN = _centred(off_JN, weight_JN) / table.sigma_JN
        weight_JN = 1 / (1 + (away_JN / CAUCHY_TUNING) ** 2) / table.sigma_JN**2
    spread = _spread(away_JN, table.heard, count)
    gauge = np.eye(count) - 1 / count
    covariance = gauge @ np.linalg.inv(normal)[:-1, :-1] @ gauge * spread
    return gauge @ solution[:-1], covariance, float(solution[-1])


def _normal_equations(table: _Table, weight_JN: Values) -> tuple[Values, Values]:
    """Normal matrix and right side for biases and slope, each observation's own offset eliminated."""
    count = table.value_JN.shape[1]
    normal, right = np.zeros((count + 1, count + 1)), np.zeros(count + 1)
    for value_N, slope_N, weight_N in zip(table.value_JN, table.slope_JN, weight_JN, strict=True):
        total = weight_N.sum()
        if np.count_nonzero(weight_N) < 2:
            continue
        design = np.column_stack([np.eye(count), slope_N])
        weighted = weight_N[:, None] * design
        normal += design.T @ weighted - np.outer(weighted.sum(axis=0), weighted.sum(axis=0)) / total
        right += weighted.T @ value_N - weighted.sum(axis=0) * float(weight_N @ value_N) / total
    return normal, right


def _centred(value_JN: Values, weight_JN: Values) -> Values:
    """Each observation less its weighted mean."""
    total_J1 = np.maximum(weight_JN.sum(axis=1, keepdims=True), 1e-300)
    return value_JN - np.sum(weight_JN * value_JN, axis=1, keepdims=True) / total_J1


def _spread(away_JN: Values, heard_JN: NDArray[np.bool_], count: int) -> float:
    """How much wider than stated the residuals are, as a factor of the variance, at least 1."""
    freedom = int(heard_JN.sum()) - len(heard_JN) - count + 1
    if freedom < 1:
        return 1.0
    bounded = np.clip(away_JN[heard_JN], -_BOUND, _BOUND)
    return max(1.0, float(np.sum(bounded**2)) / freedom)
