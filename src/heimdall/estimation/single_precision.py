"""The likelihood of arrival times for numpy, several times as fast as `likelihood` has it, which is its reference.

Lateness is reckoned from the most precise receiver's own time and then held in single precision: a part in 10^7 of it, far
less than a clock's uncertainty where it matters, and an error of some 1e-5 in the log-likelihood. Places lie in the last axis, so
that every step runs over long rows, in blocks that stay in the cache and without new arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.likelihood import (
    EMISSION_CANDIDATES,
    EMISSION_ROUNDS,
    LEAST_WEIGHT,
    REN,
    link_sigma_s,
    precision_order,
)
from heimdall.estimation.model import PropagationModel
from heimdall.estimation.sky_wave import echo_variance_s2
from heimdall.evidence.batch import EvidenceBatch

Single = NDArray[np.float32]
Double = NDArray[np.float64]
ArrivalDensity = Callable[[Double, Double | None], Double]
"""Distances (B, G, N) and the blur in m, of each scene or place or None, to the log-likelihood (B, G)."""

_BLOCK = 32_768
"""Figures of one temporary: half a dozen of them fit into the cache of one core."""
_MOST_DIGITS = 37
"""Decimal digits that the exponent of single precision spans to either side."""
_LEAST_SIGMA_S = 4e-10
"""An arrival time better than 12 cm of its way is not one of a radio network."""
_NEVER = np.float32(-1e9)


def arrival_density(batch: EvidenceBatch, model: PropagationModel) -> ArrivalDensity | None:
    """The same as `likelihood.arrival_log_likelihood` for one batch; None where this way is not made for its waves."""
    if model.sky_wave is not None:
        return None
    if not np.any(batch.has_arrival):
        return lambda distance_BGN, _: np.zeros(distance_BGN.shape[:2])
    order_BC = precision_order(batch, model)[:, :EMISSION_CANDIDATES]
    usable_BC = np.take_along_axis(batch.has_arrival, order_BC, axis=1)
    has_two_B1 = np.sum(batch.has_arrival, axis=1, keepdims=True) >= 2

    terms = _Terms(batch, model, order_BC[:, :1])

    def density(distance_BGN: Double, blur_m: Double | None) -> Double:
        scenes, places, receivers = distance_BGN.shape
        late_NM, sigma_NM = terms.rows(np.swapaxes(distance_BGN, 1, 2), blur_m)
        scene_M = np.repeat(np.arange(scenes), places)
        value_M = np.empty(scenes * places, dtype=np.float32)
        step = max(1, _BLOCK // (receivers * order_BC.shape[1]))
        for start in range(0, len(value_M), step):
            part = slice(start, start + step)
            of_M = scene_M[part]
            links = _Links(late_NM[:, part], sigma_NM[:, part], terms.used_NB[:, of_M], model)
            value_M[part] = links.profile(order_BC[of_M].T, usable_BC[of_M].T)
        return np.where(has_two_B1, value_M.reshape(scenes, places).astype(np.float64), 0.0)

    return density


class _Terms:
    """Lateness and its standard deviation for any places, with what does not depend on the place computed once."""

    def __init__(self, batch: EvidenceBatch, model: PropagationModel, first_B1: NDArray[np.int64]) -> None:
        self.model, self.bandwidth_hz_B = model, batch.bandwidth_hz
        self.slowness = model.refractive_index / SPEED_OF_LIGHT_M_S
        self.arrival_s_BN1, self.first_B11 = batch.arrival_s[..., None], first_B1[..., None]
        self.variance_BN1 = (link_sigma_s(batch, model) ** 2).astype(np.float32)[..., None]
        self.used_NB = batch.has_arrival.T.astype(np.float32)

    def rows(self, distance_BNG: Double, blur_m: Double | None) -> tuple[Single, Single]:
        """Both (N, B G), the lateness against that of the first receiver."""
        late_BNG = distance_BNG * -self.slowness
        late_BNG += self.arrival_s_BN1
        late_BNG -= np.take_along_axis(late_BNG, self.first_B11, axis=1)
        return _rows(late_BNG), _rows(np.sqrt(np.maximum(self._variance(distance_BNG, blur_m), _LEAST_SIGMA_S**2)))

    def _variance(self, distance_BNG: Double, blur_m: Double | None) -> Single:
        model, variance_BNG = self.model, np.broadcast_to(self.variance_BN1, distance_BNG.shape)
        if blur_m is not None:
            blur_BG = np.reshape(blur_m, (len(blur_m), 1, -1)) * self.slowness
            variance_BNG = variance_BNG + (blur_BG * blur_BG).astype(np.float32)
        if model.ground_sigma_s_m or model.hop_echo is not None:
            far_BNG = distance_BNG.astype(np.float32)
            variance_BNG = variance_BNG + (far_BNG * np.float32(model.ground_sigma_s_m)) ** 2
            if model.hop_echo is not None:
                bandwidth_hz_B = self.bandwidth_hz_B.astype(np.float32)
                variance_BNG = variance_BNG + echo_variance_s2(np, far_BNG, bandwidth_hz_B, model.hop_echo)
        return variance_BNG


def _rows(values_BNG: NDArray[np.floating]) -> Single:
    """(N, B G) in single precision."""
    return np.swapaxes(values_BNG, 0, 1).astype(np.float32, order="C").reshape(values_BNG.shape[1], -1)


class _Links:
    """N links to each of M places."""

    def __init__(self, late_NM: Single, sigma_NM: Single, weight_NM: Single, model: PropagationModel) -> None:
        self.late_NM, self.weight_NM, self.model = late_NM, weight_NM, model
        self.inverse_NM: Single = np.reciprocal(sigma_NM)
        ratio_NM = sigma_NM * np.float32(1 / model.excess_delay_s)
        clear = (1 - model.blocked_probability - model.stray_probability) / math.sqrt(2 * math.pi)
        self.clear_scale_NM: Single = self.inverse_NM * np.float32(clear)
        self.root_NM = ratio_NM * np.float32(math.sqrt(math.pi / 2))
        self.decay_NM = np.float32(0.5) * ratio_NM * ratio_NM
        self.all_used = bool(np.all(weight_NM == 1))
        # Densities lie between these two; scaled to their geometric mean, so many can be multiplied in single precision.
        least, most = model.outlier_density_per_s, 1 / _LEAST_SIGMA_S
        self.scale = 1 / math.sqrt(least * most)
        self.together = max(1, int(2 * _MOST_DIGITS / math.log10(most / least)))

    def profile(self, order_CM: NDArray[np.int64], usable_CM: NDArray[np.bool_]) -> Single:
        """(M,) the log-likelihood at the best time of emission, less half the log information about it."""
        emission_CM = np.take_along_axis(self.late_NM, order_CM, axis=0)
        total_CNM, clear_CNM = self._density(emission_CM)
        value_CM = np.where(usable_CM, self._log_sum(total_CNM), _NEVER)
        best_1M = np.argmax(value_CM, axis=0)[None]
        value_M = np.take_along_axis(value_CM, best_1M, axis=0)[0]
        total_NM, clear_NM = (np.take_along_axis(each, best_1M[:, None], axis=0)[0] for each in (total_CNM, clear_CNM))
        clear_NM = clear_NM / total_NM
        precision_NM = self.weight_NM * self.inverse_NM * self.inverse_NM
        for _ in range(EMISSION_ROUNDS):
            trust_NM = clear_NM * precision_NM + np.float32(1e-6)
            emission_M = np.sum(trust_NM * self.late_NM, axis=0) / np.sum(trust_NM, axis=0)
            total_1NM, new_1NM = self._density(emission_M[None])
            new_NM = new_1NM[0] / total_1NM[0]
            new_M = self._log_sum(total_1NM)[0]
            wins_M = new_M > value_M
            value_M = np.where(wins_M, new_M, value_M)
            np.copyto(clear_NM, new_NM, where=wins_M)
        information_M = np.sum((clear_NM + np.float32(LEAST_WEIGHT)) * precision_NM, axis=0)
        return value_M - np.float32(0.5) * np.log(np.maximum(information_M, np.float32(1e-30)))

    def _log_sum(self, total_CNM: Single) -> Single:
        """(C, M) sum of the logarithms over the links in use: a logarithm of products costs a seventh of its factors'."""
        scaled_CNM = total_CNM * np.float32(self.scale)
        if not self.all_used:
            np.copyto(scaled_CNM, np.float32(1), where=self.weight_NM == 0)
        links = scaled_CNM.shape[1]
        parts = [
            np.multiply.reduce(scaled_CNM[:, i : i + self.together], axis=1) for i in range(0, links, self.together)
        ]
        used_M = np.sum(self.weight_NM, axis=0) * np.float32(math.log(self.scale))
        return sum((np.log(part) for part in parts[1:]), np.log(parts[0])) - used_M

    def _density(self, emission_CM: Single) -> tuple[Single, Single]:
        """(C, N, M) the density of each lateness, and the part of it in clear sight; see `likelihood._LinkTerms`."""
        model = self.model
        late: Single = self.late_NM - emission_CM[:, None]
        scaled: Single = late * self.inverse_NM
        bell: Single = scaled * scaled
        bell *= np.float32(-0.5)
        np.exp(bell, out=bell)
        clear: Single = bell * self.clear_scale_NM
        total: Single = clear + np.float32(model.outlier_density_per_s)
        if model.stray_probability:
            total += _stray(late, model)
        if model.blocked_probability:
            total += self._blocked(late, scaled, bell)
        return total, clear

    def _blocked(self, late: Single, scaled: Single, bell: Single) -> Single:
        """The exponentially modified Gaussian; overwrites what it is given."""
        peak = 0.5 * self.model.blocked_probability / self.model.excess_delay_s
        root = np.multiply(scaled, np.float32(-math.sqrt(math.pi / 2)), out=scaled)
        root += self.root_NM
        sign = np.copysign(np.float32(1), root)
        np.abs(root, out=root)
        square = root * root
        square += np.float32(REN**2)
        np.sqrt(square, out=square)
        root *= np.float32(REN - 1)
        square += root
        mirrored = np.divide(bell, square, out=square)
        mirrored *= sign
        mirrored *= np.float32(REN * peak)
        late *= np.float32(-1 / self.model.excess_delay_s)
        late += self.decay_NM
        np.minimum(late, np.float32(0), out=late)
        np.exp(late, out=late)
        # Twice where the sign is negative, not at all where it is positive.
        np.subtract(np.float32(1), sign, out=sign)
        sign *= np.float32(peak)
        late *= sign
        mirrored += late
        return mirrored


def _stray(late: Single, model: PropagationModel) -> Single:
    stray = late * np.float32(1 / model.stray_width_s)
    stray *= stray
    stray += np.float32(1)
    return np.divide(np.float32(model.stray_probability / (math.pi * model.stray_width_s)), stray, out=stray)
