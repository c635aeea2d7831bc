"""Arrival times of waves that come by the ionosphere, each link by a mode of its own, layer heights integrated out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heimdall.arrays import Array, ArrayNamespace, array_namespace
from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.model import HopEcho, PropagationModel, SkyWave
from heimdall.evidence.batch import EvidenceBatch
from heimdall.geometry import hop_path, longest_hop_m
from heimdall.ionosphere import ABSORPTION_FREQUENCY_HZ, ground_wave_level_db

if TYPE_CHECKING:
    from jaxtyping import Float, Shaped

_REFERENCES = 2
"""Receivers whose own times, by each mode, are tried as the emission time."""
_ROUNDS = 2
_STEEPEST_SECANT = 5.0
_LEAST_RISE = 0.03
"""Sine of the lowest elevation that antennas and hills let through."""
_GROUND_REACH_M = 100e3
"""How far a ground wave is ever to be reckoned with above 3 MHz, over sea perhaps."""
_LEAST_LEVEL_DB = -200.0
"""Of the ground wave, so that its odds stay a number."""
_LEAST_LOG = -1e9
MODES = ("ground wave", "E", "F", "F")
"""The ways of a link: along the ground, one hop by the E layer, and by the F layer the fewest hops that the earth's curve allows
and one more. Two hops by the E layer, or still more by the F layer, are hardly ever the strongest."""


@dataclass(frozen=True, eq=False)
class Explained:
    """The most likely account of the arrival times at each place."""

    late_s: Float[Array, "B G N"]
    """How late, against the most likely mode of each link."""
    mode: Shaped[Array, "B G N"]
    """Index into `MODES`."""
    hops: Shaped[Array, "B G N"]
    """Of that mode; 0 for the ground wave."""


def sky_log_likelihood(
    distance_BGN: Array,
    variance_s2: Float[Array, " B #G N"],
    batch: EvidenceBatch,
    model: PropagationModel,
) -> Float[Array, "B G"]:
    """Log-likelihood of the arrival times, given the ground distances and what clocks, noise and blur add.

    log mean over layer heights of max over t0 of sum_i log[sum_m p_m(d_i) N(t_i - t0; P_m(d_i)/c, S_im^2) + floor]
    - 1/2 log(information of t0): for each height the links choose their modes independently.
    """
    xp = array_namespace(distance_BGN)
    total_BG: Array | None = None
    for mixture in _mixtures(distance_BGN, variance_s2, batch, model):
        _, log_density_BG, information_BG = mixture.emission_time()
        value_BG = log_density_BG - 0.5 * xp.log(information_BG)
        total_BG = value_BG if total_BG is None else xp.logaddexp(total_BG, value_BG)
    assert total_BG is not None
    assert model.sky_wave is not None
    return xp.astype(total_BG, distance_BGN.dtype) - math.log(len(model.sky_wave.f_heights_m))


def explain(
    distance_BGN: Array,
    variance_s2: Float[Array, " B #G N"],
    batch: EvidenceBatch,
    model: PropagationModel,
) -> Explained:
    """How each link's time is accounted for by the layer height that fits best."""
    xp = array_namespace(distance_BGN)
    best: tuple[Array, ...] | None = None
    for mixture in _mixtures(distance_BGN, variance_s2, batch, model):
        emission_BG, value_BG, _ = mixture.emission_time()
        account = mixture.most_likely(emission_BG)
        if best is None:
            best = value_BG, *account
            continue
        wins = value_BG > best[0]
        both = zip(account, best[1:], strict=True)
        best = xp.where(wins, value_BG, best[0]), *(xp.where(wins[..., None], a, b) for a, b in both)
    assert best is not None
    return Explained(xp.astype(best[1], distance_BGN.dtype), *best[2:])


def echo_variance_s2(
    xp: ArrayNamespace, distance_BGN: Array, bandwidth_hz_B: Array, echo: HopEcho
) -> Float[Array, "B G N"]:
    """Variance of a long wave's arrival time from the first sky wave inside its peak.

    A weak echo of amplitude a, delay d and any phase moves the peak of a signal too narrow to tell the two apart by
    a d cos(phase); a wider signal sees only what is within its resolution, as on land.
    """
    far_BGN = xp.clip(distance_BGN, 1e3, None)
    path_BGN, _, _ = hop_path(far_BGN, echo.height_m, 1)
    stronger = 10 ** (far_BGN * (echo.absorption_db_per_m / 20))
    share_BGN = far_BGN / path_BGN
    amplitude_BGN = xp.clip(echo.reflection * share_BGN * share_BGN * share_BGN * stronger, None, echo.most)
    moved_s = amplitude_BGN * (path_BGN - far_BGN) * (math.sqrt(0.5) / SPEED_OF_LIGHT_M_S)
    return (moved_s / (1 + moved_s * (bandwidth_hz_B / echo.cycles)[:, None, None])) ** 2


def _mixtures(
    distance_BGN: Array, variance_s2: Float[Array, " B #G N"], batch: EvidenceBatch, model: PropagationModel
) -> list[_ModeMixture]:
    """The modes of all links, for each height of the F layer."""
    assert model.sky_wave is not None
    xp = array_namespace(distance_BGN)
    ways = _Ways(distance_BGN, variance_s2, model.sky_wave, model.refractive_index)
    low = [ways.ground(), ways.by_e()]
    mixtures = []
    for height_m in model.sky_wave.f_heights_m:
        fewest_BGN = xp.floor(distance_BGN / longest_hop_m(height_m)) + 1
        high = [ways.by_f(hops_BGN, height_m) for hops_BGN in (fewest_BGN, fewest_BGN + 1)]
        mixtures.append(_ModeMixture(xp, batch, model, low + high))
    return mixtures


@dataclass(frozen=True, eq=False)
class _Mode:
    """One way for every link, (B, G, N) each."""

    delay_s: Array
    precision: Array
    """One over the standard deviation."""
    odds: Array
    """Of being the strongest, not yet against those of the others."""
    hops: Array


@dataclass(frozen=True, eq=False)
class _Ways:
    """The ways that a wave may come to N receivers from G places at these distances."""

    distance_BGN: Array
    variance_s2: Float[Array, " B #G N"]
    """What clocks, noise and blur add to any way."""
    law: SkyWave
    refractive_index: float

    def ground(self) -> _Mode:
        """Along the ground."""
        xp, law, distance_BGN = array_namespace(self.distance_BGN), self.law, self.distance_BGN
        level_db = xp.clip(ground_wave_level_db(distance_BGN, law.frequency_hz), _LEAST_LEVEL_DB, None)
        delay_s = distance_BGN * (self.refractive_index / SPEED_OF_LIGHT_M_S)
        odds = 10 ** (level_db / law.odds_db) + law.least_odds * xp.exp(-distance_BGN / _GROUND_REACH_M)
        return _Mode(delay_s, 1 / xp.sqrt(self.variance_s2), odds, xp.zeros_like(distance_BGN))

    def by_e(self) -> _Mode:
        """One hop by the E layer."""
        once_BGN = array_namespace(self.distance_BGN).ones_like(self.distance_BGN)
        _, secant, _ = path = hop_path(self.distance_BGN, self.law.e_height_m, once_BGN)
        return self._mode(once_BGN, path, 0.0, self._e_reflects(secant))

    def by_f(self, hops_BGN: Array, height_m: float) -> _Mode:
        """The mode of `hops_BGN` hops by the F layer at that height."""
        _, secant, _ = path = hop_path(self.distance_BGN, height_m, hops_BGN)
        return self._mode(hops_BGN, path, self.law.f_step_m**2 / 12, self._f_reflects(secant, hops_BGN))

    def _mode(self, hops_BGN: Array, path: tuple[Array, Array, Array], off_step_m2: float, reflected: Array) -> _Mode:
        """The mode of a path as `hop_path` gives it.

        `off_step_m2` is the variance of the layer's height within its step, `reflected` the probability that the layer
        reflects the wave.
        """
        xp, law = array_namespace(self.distance_BGN), self.law
        path_m, secant, rise = path
        of_height_m2 = hops_BGN * (law.scatter_m**2 + hops_BGN * off_step_m2)
        variance = self.variance_s2 + of_height_m2 * (2 / (SPEED_OF_LIGHT_M_S * secant)) ** 2 + law.interference_s**2
        absorbed_db = min(law.absorption_db * (ABSORPTION_FREQUENCY_HZ / law.frequency_hz) ** 2, 6.0)
        lost_db = absorbed_db * xp.clip(secant, None, _STEEPEST_SECANT)
        level_db = -lost_db * hops_BGN - law.reflection_db * (hops_BGN - 1)
        odds = (path_m * 1e-6) ** (-20 / law.odds_db) * 10 ** (level_db / law.odds_db)
        odds = odds * reflected + law.least_odds
        heard = xp.clip(rise / _LEAST_RISE, 0.0, 1.0)
        return _Mode(path_m / SPEED_OF_LIGHT_M_S, 1 / xp.sqrt(variance), odds * heard, hops_BGN)

    def _f_reflects(self, secant: Array, hops_BGN: Array) -> Array:
        """Probability that the F layer reflects at that obliquity, and that the E layer does not before it."""
        xp, law = array_namespace(self.distance_BGN), self.law
        low = max(law.carrier_ratio[0], law.frequency_hz / law.f_critical_hz[1])
        high = max(min(law.carrier_ratio[1], law.frequency_hz / law.f_critical_hz[0]), low + 0.1)
        passed = 1 - self._e_reflects(hop_path(self.distance_BGN, law.e_height_m, hops_BGN)[1])
        return xp.clip((secant - low) / (high - low), 0.0, 1.0) * passed

    def _e_reflects(self, secant: Array) -> Array:
        """Probability that there is an E layer, and that it reflects at that obliquity."""
        xp, law = array_namespace(self.distance_BGN), self.law
        low, high = law.e_critical_hz
        critical_hz = law.frequency_hz / xp.clip(secant, None, 20.0)
        return law.day_probability * xp.clip((high - critical_hz) / (high - low), 0.0, 1.0)


class _ModeMixture:
    """The density of arrival times for one height of the layers, as a mixture over the modes of each link.

    In single precision, which is a nanosecond here where a hop is uncertain by tens of microseconds: twice as fast.
    """

    def __init__(self, xp: ArrayNamespace, batch: EvidenceBatch, model: PropagationModel, modes: list[_Mode]) -> None:
        self.xp, self.floor = xp, xp.astype(model.fault_density_per_s(batch.half_width_m), xp.float32)[:, None, None]
        self.weight_B1N = xp.astype(batch.has_arrival, xp.float32)[:, None]
        all_odds = sum((mode.odds for mode in modes[1:]), modes[0].odds)
        share = 1 / (math.sqrt(2 * math.pi) * all_odds)
        self.order_BN = xp.argsort(
            xp.where(batch.has_arrival, batch.arrival_sigma_s + batch.clock_sigma_s, 1e6 + 0 * batch.arrival_s), axis=-1
        )
        first_B1 = xp.take_along_axis(batch.arrival_s, self.order_BN[:, :1], axis=-1)
        arrival_B1N = xp.where(batch.has_arrival, batch.arrival_s - first_B1, 0 * batch.arrival_s)[:, None]
        self.own_s = [xp.astype(arrival_B1N - mode.delay_s, xp.float32) for mode in modes]
        self.precision = [xp.astype(mode.precision, xp.float32) for mode in modes]
        self.scale = [xp.astype(mode.odds * mode.precision * share, xp.float32) for mode in modes]
        self.hops = [mode.hops for mode in modes]

    def log_density(self, emission_BG: Array) -> Float[Array, "B G"]:
        """Log density of all arrival times."""
        xp = self.xp
        total = self.floor
        for own_s, precision, scale in zip(self.own_s, self.precision, self.scale, strict=True):
            late = (own_s - emission_BG[..., None]) * precision
            total = total + scale * xp.exp(-0.5 * late * late)
        return xp.sum(xp.log(total) * self.weight_B1N, axis=-1)

    def emission_time(self) -> tuple[Array, Array, Array]:
        """(B, G) the most likely emission time, the log density and the information about it there."""
        xp = self.xp
        best: tuple[Array, Array] | None = None
        for rank in range(min(_REFERENCES, self.order_BN.shape[1])):
            index_B1 = self.order_BN[:, rank][:, None]
            usable_B1 = xp.take_along_axis(self.weight_B1N[:, 0], index_B1, axis=-1) > 0
            index_BG1 = xp.broadcast_to(index_B1[..., None], (*self.own_s[0].shape[:2], 1))
            for own_s in self.own_s:
                emission_BG = xp.take_along_axis(own_s, index_BG1, axis=-1)[..., 0]
                value_BG = xp.where(usable_B1, self.log_density(emission_BG), _LEAST_LOG + 0 * emission_BG)
                best = (emission_BG, value_BG) if best is None else self._better(best, emission_BG, value_BG)
        assert best is not None
        emission_BG = best[0]
        for _ in range(_ROUNDS):
            improved_BG, value_BG, information_BG = self._improved(emission_BG)
            result = emission_BG, value_BG, information_BG
            emission_BG = improved_BG
        return result

    def _improved(self, emission_BG: Array) -> tuple[Array, Array, Array]:
        """(B, G) the mean of all links' own times by how likely each mode is, as expectation maximisation has it; and the
        log density and the information at the time given."""
        xp = self.xp
        total, weight, moment = self.floor, 0.0, 0.0
        for own_s, precision, scale in zip(self.own_s, self.precision, self.scale, strict=True):
            after_s = own_s - emission_BG[..., None]
            late = after_s * precision
            density = scale * xp.exp(-0.5 * late * late)
            total = total + density
            trust = density * precision * precision
            weight, moment = weight + trust, moment + trust * after_s
        share = self.weight_B1N / total
        information_BG = xp.sum(weight * share, axis=-1) + 1.0
        value_BG = xp.sum(xp.log(total) * self.weight_B1N, axis=-1)
        return emission_BG + xp.sum(moment * share, axis=-1) / information_BG, value_BG, information_BG

    def most_likely(self, emission_BG: Array) -> tuple[Array, Array, Array]:
        """(B, G, N) lateness against the most likely mode of each link, its index and its hops."""
        xp = self.xp
        late_s = [own_s - emission_BG[..., None] for own_s in self.own_s]
        log_density = xp.stack(
            [
                xp.log(scale + 1e-30) - 0.5 * (late * precision) ** 2
                for late, precision, scale in zip(late_s, self.precision, self.scale, strict=True)
            ],
            axis=-1,
        )
        mode = xp.argmax(log_density, axis=-1)
        late_BGN, hops_BGN = (
            xp.take_along_axis(xp.stack(each, axis=-1), mode[..., None], axis=-1)[..., 0]
            for each in (late_s, self.hops)
        )
        return late_BGN, mode, hops_BGN

    def _better(self, best: tuple[Array, Array], emission_BG: Array, value_BG: Array) -> tuple[Array, Array]:
        wins = value_BG > best[1]
        return self.xp.where(wins, emission_BG, best[0]), self.xp.where(wins, value_BG, best[1])
