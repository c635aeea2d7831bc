"""The likelihood of arrival times for numpy, several times as fast as `arrival_times`, which is its reference.

Lateness is reckoned from the most precise receiver's own time and then held in single precision: a part in 10^7 of it, far
less than a clock's uncertainty where it matters, and an error of some 1e-5 in the log-likelihood. Receivers come first, the most
precise one before all others, and places last, so that every step runs over long rows, in blocks that stay in the cache and in
memory that is used again.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.likelihood.arrival_times import (
    EMISSION_CANDIDATES,
    EMISSION_ROUNDS,
    ERFCX_CONSTANT,
    LEAST_WEIGHT,
    link_sigma_s,
    precision_order,
)
from heimdall.estimation.likelihood.sky_wave import echo_variance_s2
from heimdall.estimation.model import PropagationModel
from heimdall.evidence.batch import EvidenceBatch

Single = NDArray[np.float32]
Double = NDArray[np.float64]
ArrivalDensity = Callable[[Double, Double | None], Double]
"""Distances (B, G, N) and the blur in m, of each scene or place or None, to the log-likelihood (B, G)."""

_BLOCK = 65_536
"""Figures of one temporary: half a dozen of them fit into the cache."""
_MOST_DIGITS = 37
"""Decimal digits that the exponent of single precision spans to either side."""
_LEAST_SIGMA_S = 4e-10
"""An arrival time better than 12 cm of its way is not one of a radio network."""
_DECIDES = np.float32(50.0)
"""How far below the best a log density matters, and what the best emission time adds to that of the best candidate."""
_FEW = 0.5
"""Share of the places up to which it pays to go on with those alone."""
_NEVER = np.float32(-1e9)
_TINY = np.float32(1e-20)


def arrival_density(batch: EvidenceBatch, model: PropagationModel) -> ArrivalDensity | None:
    """`arrival_log_likelihood` of one batch as a function; None for sky waves, which this module cannot do."""
    if model.sky_wave is not None:
        return None
    if not np.any(batch.has_arrival):
        return lambda distance_BGN, _: np.zeros(distance_BGN.shape[:2])
    has_two_B1 = np.sum(batch.has_arrival, axis=1, keepdims=True) >= 2
    terms = _Terms(batch, model)

    def density(distance_BGN: Double, blur_m: Double | None) -> Double:
        late_NBG, sigma_s = terms.late_and_sigma(np.swapaxes(distance_BGN, 1, 2), blur_m)
        receivers, scenes, places = late_NBG.shape
        value_BG = np.empty((scenes, places), dtype=np.float32)
        best_B1 = np.full((scenes, 1), _NEVER)
        for part in _blocks(scenes, places, _BLOCK // (receivers * min(receivers, EMISSION_CANDIDATES))):
            wrong_B1, used_NB1 = terms.wrong_per_s_B1[part[0]], terms.used_NB1[:, part[0]]
            links = _LinkDensities(late_NBG[:, *part], _part(sigma_s, part), used_NB1, wrong_B1, model)
            value_BG[part] = links.profile(best_B1[part[0]])
        return np.where(has_two_B1, value_BG.astype(np.float64), 0.0)

    return density


def _blocks(scenes: int, places: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Some scenes with all places, or some places of one scene: about `size` of them together."""
    together = max(1, size // max(1, places))
    step = math.ceil(places / max(1, math.ceil(places / max(1, size)))) or 1
    for scene in range(0, scenes, together):
        for place in range(0, places, step):
            yield slice(scene, scene + together), slice(place, place + step)


def _part(values_NBG: Single, part: tuple[slice, slice]) -> Single:
    """One figure may stand for all places of a scene."""
    return values_NBG[:, *part] if values_NBG.shape[2] > 1 else values_NBG[:, part[0]]


class _Terms:
    """Lateness and its standard deviation for any places, with what does not depend on the place computed once."""

    def __init__(self, batch: EvidenceBatch, model: PropagationModel) -> None:
        self.model, self.bandwidth_hz_B = model, batch.bandwidth_hz
        self.slowness = model.refractive_index / SPEED_OF_LIGHT_M_S
        self.order_NB = (np.arange(len(batch)), precision_order(batch, model).T)
        self.arrival_s_NB1 = self._ordered(batch.arrival_s)[..., None]
        self.variance_NB1 = (self._ordered(link_sigma_s(batch, model)) ** 2).astype(np.float32)[..., None]
        self.used_NB1 = self._ordered(batch.has_arrival)[..., None]
        self.wrong_per_s_B1 = model.fault_density_per_s(batch.half_width_m)[:, None]

    def _ordered(self, values: NDArray[Any]) -> NDArray[Any]:
        """(N, B, ...) of (B, N, ...), each scene's most precise receiver first."""
        return values[self.order_NB]

    def late_and_sigma(self, distance_BNG: Double, blur_m: Double | None) -> tuple[Single, Single]:
        """Lateness against that of the first receiver (N, B, G), and its standard deviation (N, B, G or 1)."""
        distance_NBG = self._ordered(distance_BNG)
        variance_NBG = self._variance(distance_NBG, blur_m)
        late_NBG = np.multiply(distance_NBG, -self.slowness, out=distance_NBG)
        late_NBG += self.arrival_s_NB1
        late_NBG = np.subtract(late_NBG, late_NBG[0], dtype=np.float64).astype(np.float32)
        return late_NBG, np.sqrt(np.maximum(variance_NBG, np.float32(_LEAST_SIGMA_S**2)))

    def _variance(self, distance_NBG: Double, blur_m: Double | None) -> Single:
        model, variance_NBG = self.model, self.variance_NB1
        if blur_m is not None:
            blur_BG = np.reshape(blur_m, (len(blur_m), -1)) * self.slowness
            variance_NBG = variance_NBG + (blur_BG * blur_BG).astype(np.float32)
        if model.ground_sigma_s_m or model.hop_echo is not None:
            far_NBG = distance_NBG.astype(np.float32)
            variance_NBG = variance_NBG + (far_NBG * np.float32(model.ground_sigma_s_m)) ** 2
            if model.hop_echo is not None:
                bandwidth_hz_B = self.bandwidth_hz_B.astype(np.float32)
                echo_BGN = echo_variance_s2(np, np.moveaxis(far_NBG, 0, -1), bandwidth_hz_B, model.hop_echo)
                variance_NBG = variance_NBG + np.moveaxis(echo_BGN, -1, 0)
        return variance_NBG


class _Scratch(threading.local):
    """Arrays of one thread that are used again: fresh ones would cost more than what is computed in them."""

    def __init__(self) -> None:
        self.arrays: list[Single] = []

    def take(self, count: int, shape: tuple[int, ...]) -> list[Single]:
        size = math.prod(shape)
        if len(self.arrays) < count or self.arrays[0].size < size:
            self.arrays = [np.empty(max(size, _BLOCK), dtype=np.float32) for _ in range(count)]
        return [array[:size].reshape(shape) for array in self.arrays[:count]]


_scratch = _Scratch()


class _LinkDensities:
    """Densities of the arrival times on N links to G places of each of B scenes.

    All densities are scaled to the geometric mean of the largest and the least that there are, so that many can be multiplied
    in single precision.
    """

    def __init__(
        self,
        late_NBG: Single,
        sigma_s: Single,
        used_NB1: NDArray[np.bool_],
        wrong_per_s_B1: Double,
        model: PropagationModel,
    ) -> None:
        self.late_NBG, self.used_NBG, self.model = late_NBG, used_NB1.astype(np.float32), model
        inverse_NBG: Single = np.reciprocal(sigma_s)
        self.precision_NBG = inverse_NBG * inverse_NBG * self.used_NBG
        least, most = float(np.min(wrong_per_s_B1)), 1 / _LEAST_SIGMA_S
        self.scale = 1 / math.sqrt(least * most)
        self.together = max(1, int(2 * _MOST_DIGITS / math.log10(most / least)))
        clear = (1 - model.blocked_probability - model.stray_probability) / math.sqrt(2 * math.pi)
        self.inverse_NBG = inverse_NBG * np.float32(math.sqrt(0.5))
        self.ratio_NBG = sigma_s * np.float32(math.sqrt(0.5) / model.excess_delay_s)
        # A link that is not in use has a density of 1, whatever the lateness.
        self.clear_scale_NBG: Single = inverse_NBG * (self.used_NBG * np.float32(self.scale * clear))
        blocked = self.scale * 0.5 * model.blocked_probability / model.excess_delay_s
        self.blocked_scale_NBG = self.used_NBG * np.float32(blocked)
        self.floor_NBG = np.where(used_NB1, (self.scale * wrong_per_s_B1).astype(np.float32), np.float32(1))

    def profile(self, best_B1: Single) -> Single:
        """(B, G) the log-likelihood at the best emission time, less half the log information about it.

        `best_B1` is the highest yet found in each scene, and is raised: places that are far below it, as most of a map are,
        stay with the best candidate for the emission time.
        """
        value_BG, clear_NBG = self._best_candidate()
        np.maximum(best_B1, np.max(value_BG, axis=1, keepdims=True), out=best_B1)
        near_BG = value_BG > best_B1 - _DECIDES
        if np.mean(near_BG) > _FEW:
            self._improve(value_BG, clear_NBG)
        else:
            some_1K, some_N1K = value_BG[near_BG][None], _at(clear_NBG, near_BG)
            self._near(near_BG)._improve(some_1K, some_N1K)
            value_BG[near_BG], clear_NBG[:, near_BG] = some_1K[0], some_N1K[:, 0]
        clear_NBG += np.float32(LEAST_WEIGHT)
        information_BG = np.add.reduce(np.multiply(clear_NBG, self.precision_NBG, out=clear_NBG), axis=0)
        return value_BG - np.float32(0.5) * np.log(np.maximum(information_BG, np.float32(1e-30)))

    def _near(self, near_BG: NDArray[np.bool_]) -> _LinkDensities:
        """The links to some of the places, as those of one scene."""
        some = copy(self)
        for name in _OF_PLACES:
            setattr(some, name, _at(getattr(self, name), near_BG))
        return some

    def _best_candidate(self) -> tuple[Single, Single]:
        """(B, G) the log-likelihood at the best of the first receivers' own times, and how clear each link (N, B, G) is then."""
        total_CNBG, clear_CNBG = self._density(self.late_NBG[:EMISSION_CANDIDATES, None])
        value_CBG = self._log_sum(total_CNBG) + (1 - self.used_NBG[:EMISSION_CANDIDATES]) * _NEVER
        value_BG = np.maximum.reduce(value_CBG, axis=0)
        # Of candidates that are as good as each other the first: one emission time, not the links of several.
        first_CBG = np.argmax(value_CBG, axis=0) == np.arange(len(value_CBG))[:, None, None]
        best_C1BG = first_CBG.astype(np.float32)[:, None]
        clear_NBG, total_NBG = (
            np.add.reduce(np.multiply(each, best_C1BG, out=each), axis=0) for each in (clear_CNBG, total_CNBG)
        )
        clear_NBG /= total_NBG
        return value_BG, clear_NBG

    def _improve(self, value_BG: Single, clear_NBG: Single) -> None:
        """Raise both to what they are at the best emission time."""
        for _ in range(EMISSION_ROUNDS):
            trust_NBG = clear_NBG * self.precision_NBG
            trust_NBG += np.float32(1e-6)
            weight_BG = np.add.reduce(trust_NBG, axis=0)
            trust_NBG *= self.late_NBG
            emission_BG = np.add.reduce(trust_NBG, axis=0) / weight_BG
            total_1NBG, new_1NBG = self._density(emission_BG[None, None])
            new_BG = self._log_sum(total_1NBG)[0]
            wins_BG = (new_BG > value_BG).astype(np.float32)
            np.maximum(value_BG, new_BG, out=value_BG)
            # A copy where it wins would take ten times as long.
            change_NBG = np.divide(new_1NBG[0], total_1NBG[0], out=new_1NBG[0])
            change_NBG -= clear_NBG
            change_NBG *= wins_BG
            clear_NBG += change_NBG

    def _log_sum(self, total_CNBG: Single) -> Single:
        """(C, B, G) sum of the logarithms over the links in use: a logarithm of products costs a seventh of its factors'."""
        links = total_CNBG.shape[1]
        parts = [
            np.log(np.multiply.reduce(total_CNBG[:, i : i + self.together], axis=1))
            for i in range(0, links, self.together)
        ]
        count_BG = np.add.reduce(self.used_NBG, axis=0)
        return sum(parts[1:], parts[0]) - count_BG * np.float32(math.log(self.scale))

    def _density(self, emission_C1BG: Single) -> tuple[Single, Single]:
        """(C, N, B, G) the density of each lateness, and the part of it in line of sight; see `arrival_times._LinkTerms`.

        Both are overwritten by the next call.
        """
        model = self.model
        shape = np.broadcast_shapes(emission_C1BG.shape, self.late_NBG.shape)
        late, clear, total, *others = _scratch.take(6, shape)
        np.subtract(self.late_NBG, emission_C1BG, out=late)
        total[...] = self.floor_NBG
        if model.stray_probability:
            total += _stray(late, model, self.scale, out=clear) * self.used_NBG
        late *= self.inverse_NBG
        np.multiply(late, late, out=clear)
        np.negative(clear, out=clear)
        np.exp(clear, out=clear)
        if model.blocked_probability:
            total += self._blocked(late, clear, *others)
        clear *= self.clear_scale_NBG
        total += clear
        return total, clear

    def _blocked(self, scaled: Single, bell: Single, z: Single, size: Single, root: Single) -> Single:
        """The exponentially modified Gaussian of lateness in units of sqrt(2) sigma; overwrites all but `bell`."""
        np.subtract(self.ratio_NBG, scaled, out=z)
        decay = np.subtract(z, scaled, out=scaled)
        decay *= self.ratio_NBG
        # It matters where z < 0 alone, and is below zero there.
        np.negative(np.abs(decay, out=decay), out=decay)
        np.exp(decay, out=decay)
        np.multiply(z, z, out=root)
        root *= np.float32(math.pi / ERFCX_CONSTANT**2)
        root += np.float32(1)
        np.sqrt(root, out=root)
        np.abs(z, out=size)
        size += _TINY
        sign = np.divide(z, size, out=z)
        size *= np.float32(math.sqrt(math.pi) * (1 - 1 / ERFCX_CONSTANT))
        root += size
        mirrored = np.divide(bell, root, out=root)
        mirrored *= sign
        # Twice where the sign is negative, not at all where it is positive.
        np.subtract(np.float32(1), sign, out=sign)
        decay *= sign
        mirrored += decay
        mirrored *= self.blocked_scale_NBG
        return mirrored


_OF_PLACES = (
    "late_NBG",
    "used_NBG",
    "precision_NBG",
    "inverse_NBG",
    "ratio_NBG",
    "clear_scale_NBG",
    "blocked_scale_NBG",
    "floor_NBG",
)


def _at(values_NBG: NDArray[Any], chosen_BG: NDArray[np.bool_]) -> NDArray[Any]:
    """(N, 1, K) of the chosen places; as it is where one figure stands for all."""
    if values_NBG.shape[1:] == (1, 1):
        return values_NBG
    return np.broadcast_to(values_NBG, (len(values_NBG), *chosen_BG.shape))[:, chosen_BG][:, None]


def _stray(late: Single, model: PropagationModel, scale: float, out: Single) -> Single:
    np.multiply(late, np.float32(1 / model.stray_width_s), out=out)
    out *= out
    out += np.float32(1)
    return np.divide(np.float32(scale * model.stray_probability / (math.pi * model.stray_width_s)), out, out=out)
