"""Fit a radio map to observations with known transmitters: receivers' levels, path-loss exponent, and kriged shadowing.

Shadowing is a Gaussian process over the transmitter's place with an exponential covariance (Gudmundson 1991), one for each
receiver; what is not a function of place is a nugget. Its mean and variance at a place are those of simple kriging.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.spatial.distance import cdist

from heimdall.estimation.likelihood.arrival_times import link_distance_m
from heimdall.estimation.model import model_of
from heimdall.evidence.collect import Collected
from heimdall.evidence.mapping import names_of, origin_in
from heimdall.evidence.radio_map import RadioMap
from heimdall.geometry import LocalFrame

Values = NDArray[np.float64]
_LEAST_ROWS = 30
"""A receiver that was heard from fewer places has no correction."""
_MOST_ROWS = 800
"""More are thinned evenly: kriging costs the cube, and walks are dense."""
_RASTER_CELLS = 5000
_LEAST_STEP_M = 10.0
_MARGIN_M = 300.0
_STILL_M = 30.0
"""A receiver that strays further is a vehicle."""
_EXPONENTS = (1.5, 5.0)
_LEAST_DISTANCE_M = 20.0
_LEAST_POWER_SIGMA_DB = 1.0
_STRANGER_SIGMA_DB = 15.0
"""Spread of the receivers' offsets where too few are known to tell."""
_RANGES_M = (50.0, 100.0, 200.0, 400.0, 800.0)
_NUGGETS = (0.1, 0.2, 0.35, 0.5, 0.7)
_ROWS_OF_SEARCH = 250


@dataclass(frozen=True)
class Shadowing:
    """What the covariance of the shadowing is: `variance_db2` (1 - nugget) exp(-d / range_m), and the nugget at the place."""

    variance_db2: float
    nugget: float
    """Share of the variance that is no function of place."""
    range_m: float

    def covariance(self, a_m: Values, b_m: Values) -> Values:
        return self.variance_db2 * (1 - self.nugget) * np.exp(-cdist(a_m, b_m) / self.range_m)


@dataclass(frozen=True, eq=False)
class Survey:
    """J observations of N receivers, from places that are known."""

    frame: LocalFrame
    names: tuple[str, ...]
    place_m: Values
    """(J, 2)"""
    level_db: Values
    """(J, N), NaN where a receiver heard nothing."""
    decades_db: Values
    """(J, N) 10 log10 of the distance."""
    receiver_m: Values
    """(J, N, 2)"""

    def select(self, index: NDArray[np.bool_]) -> Survey:
        arrays = (self.place_m[index], self.level_db[index], self.decades_db[index], self.receiver_m[index])
        return Survey(self.frame, self.names, *arrays)


def survey(known: Sequence[Collected]) -> Survey:
    """The levels of observations whose transmitter is known."""
    truths = [each.observation.truth for each in known]
    latitude, longitude = (np.array([getattr(t, name) for t in truths]) for name in ("latitude_deg", "longitude_deg"))
    frame = LocalFrame.around(latitude, longitude)
    place_m = frame.to_enu(latitude, longitude, np.zeros(len(known)))[:, :2]
    names = tuple(sorted({name for each in known for name in _heard_by(each)}))
    column = {name: index for index, name in enumerate(names)}
    shape = (len(known), len(names))
    level, decades, receiver_m = np.full(shape, np.nan), np.full(shape, np.nan), np.full((*shape, 2), np.nan)
    for row, each in enumerate(known):
        own = [index for index, name in enumerate(names_of(each)) if name in column]
        mine = [column[name] for name in names_of(each) if name in column]
        origin_m = origin_in(frame, each)
        evidence = each.evidence
        distance_m = link_distance_m((place_m[row] - origin_m)[None, None], evidence, model_of(each))[0, 0]
        level[row, mine] = np.where(evidence.has_level[0], evidence.level_db[0], np.nan)[own]
        decades[row, mine] = 10 * np.log10(np.maximum(distance_m, _LEAST_DISTANCE_M))[own]
        receiver_m[row, mine] = evidence.position_enu_m[0, own, :2] + origin_m
    return Survey(frame, names, place_m, level, decades, receiver_m)


def _heard_by(each: Collected) -> list[str]:
    """The receivers with a level: one that never had any in the survey is a stranger to the map, about which it knows nothing."""
    return [name for name, heard in zip(names_of(each), each.evidence.has_level[0], strict=True) if heard]


def fit_radio_map(survey: Survey, shadowing: Shadowing) -> RadioMap:
    """The map of the survey's site, with the shadowing that `shadowing_of` found there."""
    offset_db, exponent, residual_db = _explained(survey)
    west_m, south_m, step_m, cells_m, shape = _raster(survey.place_m)
    place_m = _standing_place_m(survey)
    still_db = math.sqrt(shadowing.variance_db2)
    correction = np.zeros((len(survey.names) + 1, len(cells_m)))
    sigma = np.full_like(correction, still_db)
    for index in np.flatnonzero(np.isfinite(place_m[:, 0])):
        rows = _thinned(np.flatnonzero(np.isfinite(residual_db[:, index])), _MOST_ROWS)
        if len(rows) >= _LEAST_ROWS:
            correction[index], sigma[index] = _kriged(
                survey.place_m[rows], residual_db[rows, index], cells_m, shadowing
            )
    spread_db = float(np.std(offset_db)) if len(offset_db) > 2 else _STRANGER_SIGMA_DB
    sigma[-1] = math.hypot(still_db, spread_db)
    return RadioMap(
        frame=survey.frame,
        west_m=west_m,
        south_m=south_m,
        step_m=step_m,
        receivers=survey.names,
        place_m=place_m,
        offset_db=np.append(offset_db, np.mean(offset_db)),
        exponent=exponent,
        power_sigma_db=max(float(np.nanstd(_row_mean(residual_db))), _LEAST_POWER_SIGMA_DB),
        correction_db=correction.reshape(-1, *shape),
        sigma_db=sigma.reshape(-1, *shape),
    )


def shadowing_of(survey: Survey) -> Shadowing:
    """The candidate with the highest marginal likelihood, over all receivers that stand."""
    _, _, residual_db = _explained(survey)
    variance_db2 = float(np.nanvar(residual_db))
    candidates = [Shadowing(variance_db2, nugget, range_m) for nugget in _NUGGETS for range_m in _RANGES_M]
    samples = list(_samples(survey, residual_db))
    if not samples:
        return Shadowing(variance_db2, 1.0, _RANGES_M[0])
    return max(candidates, key=lambda one: sum(_log_evidence(place_m, value, one) for place_m, value in samples))


def _explained(survey: Survey) -> tuple[Values, float, Values]:
    """Offsets, exponent, and (J, N) what they leave of the levels."""
    offset_db, exponent = _offsets(survey)
    return offset_db, exponent, survey.level_db - offset_db + exponent * survey.decades_db


def _offsets(survey: Survey) -> tuple[Values, float]:
    """(N,) level of each receiver at a metre, and the exponent common to all, by least squares."""
    heard = np.isfinite(survey.level_db)
    count = np.maximum(heard.sum(axis=0), 1)
    level, decades = (np.where(heard, values, 0.0) for values in (survey.level_db, survey.decades_db))
    mean_level, mean_decades = level.sum(axis=0) / count, decades.sum(axis=0) / count
    x, y = (decades - mean_decades)[heard], (level - mean_level)[heard]
    exponent = float(np.clip(-(x @ y) / max(float(x @ x), 1e-9), *_EXPONENTS))
    return mean_level + exponent * mean_decades, exponent


def _row_mean(values_JN: Values) -> Values:
    heard = np.isfinite(values_JN)
    return np.where(heard, values_JN, 0.0).sum(axis=1) / np.maximum(heard.sum(axis=1), 1)


def _standing_place_m(survey: Survey) -> Values:
    """(N, 2) where each receiver stands; NaN for one that moves."""
    place_m = np.nanmedian(survey.receiver_m, axis=0)
    strays_m = np.nanmax(np.linalg.norm(survey.receiver_m - place_m, axis=-1), axis=0)
    return np.where(strays_m[:, None] < _STILL_M, place_m, np.nan)


def _samples(survey: Survey, residual_JN: Values) -> Iterator[tuple[Values, Values]]:
    for index in np.flatnonzero(np.isfinite(_standing_place_m(survey)[:, 0])):
        rows = np.flatnonzero(np.isfinite(residual_JN[:, index]))
        if len(rows) >= _LEAST_ROWS:
            rows = _thinned(rows, _ROWS_OF_SEARCH)
            yield survey.place_m[rows], residual_JN[rows, index]


def _thinned(rows: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)]


def _factor(place_m: Values, shadowing: Shadowing) -> Values:
    """Lower Cholesky factor of the observations' covariance."""
    covariance = shadowing.covariance(place_m, place_m)
    covariance[np.diag_indices_from(covariance)] = shadowing.variance_db2
    return np.asarray(cholesky(covariance + 1e-6 * np.eye(len(place_m)), lower=True))


def _log_evidence(place_m: Values, value: Values, shadowing: Shadowing) -> float:
    factor = _factor(place_m, shadowing)
    white = solve_triangular(factor, value, lower=True)
    return float(-0.5 * white @ white - np.log(np.diag(factor)).sum())


def _kriged(place_m: Values, value: Values, cells_m: Values, shadowing: Shadowing) -> tuple[Values, Values]:
    """Mean and standard deviation of a further observation at each cell."""
    factor = _factor(place_m, shadowing)
    towards = solve_triangular(factor, shadowing.covariance(place_m, cells_m), lower=True)
    mean = towards.T @ solve_triangular(factor, value, lower=True)
    variance = shadowing.variance_db2 - np.einsum("jg,jg->g", towards, towards)
    return mean, np.sqrt(np.maximum(variance, 0.01 * shadowing.variance_db2))


def _raster(place_m: Values) -> tuple[float, float, float, Values, tuple[int, int]]:
    """West, south, step, the cells' middles (Y X, 2) and (Y, X) of a raster over the places and a margin."""
    low, high = place_m.min(axis=0) - _MARGIN_M, place_m.max(axis=0) + _MARGIN_M
    step_m = max(math.sqrt(float(np.prod(high - low)) / _RASTER_CELLS), _LEAST_STEP_M)
    east, north = (np.arange(low[axis], high[axis] + step_m, step_m) for axis in range(2))
    cells = np.stack(np.meshgrid(east, north), axis=-1)
    return float(low[0]), float(low[1]), step_m, cells.reshape(-1, 2), (len(north), len(east))
