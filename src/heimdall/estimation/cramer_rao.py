"""Cramér-Rao bounds: the least covariance that an unbiased estimator can reach with what was measured, in line of sight.

Every bound here follows from the Fisher information of a Gaussian model (Kay 1993, Fundamentals of Statistical Signal
Processing, vol. I, eq. 3.31; for complex samples eq. 15.52) by projecting out what is unknown and unwanted;
docs/explanation/bound.md has the steps. A prior is not part of a bound, and neither are blocked links, echoes and wrong
clocks: these only take away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.model import PropagationModel
from heimdall.evidence.batch import EvidenceBatch
from heimdall.geometry import surface_up_m

if TYPE_CHECKING:
    from jaxtyping import Float

Values = NDArray[np.float64]

_DECIBEL = 10 / math.log(10)
_LEAST_RATIO = 1e-12
"""An information matrix whose eigenvalues differ by more than this knows nothing in one direction."""
_HEIGHT_SIGMA_M = 30e3


@dataclass(frozen=True, eq=False)
class MeasuredLinks:
    """What N receivers measured of a transmitter at a known place, for B scenes. An infinite variance is no measurement."""

    offset_m: Float[Values, "B N 3"]
    """From receiver to transmitter."""
    arrival_variance_s2: Float[Values, "B N"]
    """Of an arrival time: from noise and clock."""
    level_variance_db2: Float[Values, "B N"]
    """Of a received power: from shadowing, calibration and noise."""


def arrival_variance_s2(snr_N: Values, shape_T: Values, frequency_hz_T: Values) -> Float[Values, " N"]:
    """Variance of each receiver's arrival time from noise, for a Gaussian signal of unknown waveform.

    `shape_T` is the signal's power spectrum over the noise's at the frequencies of the record's DFT, with mean 1 over the
    channel in which `snr_N` is meant. The information about the delays is sum over f of 2 (2 pi (f - mean f))^2 A/(1+A)
    [diag(a) - a a'/A], with a(f) each receiver's ratio and A its sum (Hahn and Tretter 1973 for real signals; for two
    receivers and a flat spectrum it is Stein 1981). Carrier phases are unknown, which takes the mean frequency off.
    Independent errors of the variances returned, with the emission time unknown, carry the same information.
    """
    total_snr = float(np.sum(snr_N))
    density_T = total_snr * np.maximum(shape_T, 0.0)
    weight_T = 2 * density_T**2 / (1 + density_T)
    mean_hz = np.sum(weight_T * frequency_hz_T) / max(float(np.sum(weight_T)), 1e-300)
    information = np.sum(weight_T * (2 * np.pi * (frequency_hz_T - mean_hz)) ** 2)
    with np.errstate(divide="ignore"):
        return np.asarray(total_snr / (np.maximum(snr_N, 0.0) * information))


def stein_sigma_s(rms_bandwidth_hz: float, time_bandwidth: float, snr_a: float, snr_b: float) -> float:
    """Standard deviation of the delay between two receivers, flat spectrum (Stein 1981, Algorithms for Ambiguity Function
    Processing): 1 / (pi sqrt(8) B_rms sqrt(B T g)) with 1/g = 1/g_a + 1/g_b + 1/(g_a g_b)."""
    effective_snr = 1 / (1 / snr_a + 1 / snr_b + 1 / (snr_a * snr_b))
    return 1 / (math.pi * math.sqrt(8) * rms_bandwidth_hz * math.sqrt(time_bandwidth * effective_snr))


def arrival_information(links: MeasuredLinks, slowness_s_m: float) -> Float[Values, "B 3 3"]:
    """Information about the place in the arrival times, the emission time unknown.

    (n/c)^2 [sum w u u' - (sum w u)(sum w u)' / sum w] with u the unit vectors and w the inverse variances. The same as of
    the time differences with their full covariance (Kaune 2012, Accuracy Studies for TDOA and TOA Localization).
    """
    direction = links.offset_m / _distance_m(links)[..., None]
    weight = 1 / links.arrival_variance_s2
    return slowness_s_m**2 * _projected(direction, weight, np.ones_like(weight)[..., None], np.zeros(1))


def level_information(
    links: MeasuredLinks, exponent_B: Values, exponent_sigma: float = math.inf
) -> Float[Values, "B 3 3"]:
    """Information about the place in the received powers, transmit power unknown, exponent known to a prior.

    (10 n / ln 10)^2 sum w u u' / d^2 with w the inverse variances in dB (Patwari et al. 2003, Relative Location Estimation
    in Wireless Sensor Networks), less what transmit power and exponent take with them.
    """
    distance = _distance_m(links)
    gradient = -_DECIBEL * exponent_B[:, None, None] * links.offset_m / distance[..., None] ** 2
    unknown = np.stack([np.ones_like(distance), -_DECIBEL * np.log(distance)], axis=-1)
    return _projected(gradient, 1 / links.level_variance_db2, unknown, np.array([0.0, exponent_sigma**-2]))


def position_covariance(information_BKK: Values, tangent_BK2: Values | None = None) -> Float[Values, "B axes axes"]:
    """The bound on the covariance in m^2: of all K axes, or of east and north on a surface with these tangents.

    Infinite where the measurements leave a direction open.
    """
    information = information_BKK
    if tangent_BK2 is not None:
        information = np.swapaxes(tangent_BK2, -1, -2) @ information_BKK @ tangent_BK2
    eigenvalues = np.linalg.eigvalsh(information)
    known = eigenvalues[:, 0] > _LEAST_RATIO * np.maximum(eigenvalues[:, -1], 1e-300)
    identity = np.eye(information.shape[-1])
    covariance = np.linalg.inv(np.where(known[:, None, None], information, identity))
    return np.where(known[:, None, None], covariance, np.inf)


def surface_tangent(place_B2: Values, curvature_per_m_BK: Values) -> Float[Values, "B 3 2"]:
    """How east, north and up change as a place on the earth moves east and north."""
    step_m = 1.0
    curvature = list(curvature_per_m_BK.T)
    columns = []
    for axis in range(2):
        ahead, behind = place_B2 + step_m * np.eye(2)[axis], place_B2 - step_m * np.eye(2)[axis]
        rise = [surface_up_m(at[:, 0], at[:, 1], curvature, 0.0) for at in (ahead, behind)]
        slope = (rise[0] - rise[1]) / (2 * step_m)
        columns.append(np.stack([*np.broadcast_to(np.eye(2)[axis][:, None], (2, len(slope))), slope], axis=-1))
    return np.stack(columns, axis=-1)


def bound_at(
    place_B2: Values, batch: EvidenceBatch, model: PropagationModel, *, height_unknown: bool = False
) -> Float[Values, "B 2 2"]:
    """Covariance bound in m^2 of evidence (numpy) for transmitters at `place_B2`, by the model's own figures."""
    return position_covariance(ground_information_at(place_B2, batch, model, height_unknown=height_unknown))


def ground_information_at(
    place_B2: Values, batch: EvidenceBatch, model: PropagationModel, *, height_unknown: bool = False
) -> Float[Values, "B 2 2"]:
    """Information about the place on the earth, at the transmitter's height or along with it.

    An unknown height is projected out by the Schur complement. Nothing is known of it but that it is within `_HEIGHT_SIGMA_M`,
    so that a height which no arrival time depends on takes nothing away.
    """
    information = information_at(place_B2, batch, model)
    tangent = surface_tangent(place_B2, np.asarray(batch.curvature_per_m, dtype=float))
    known = np.swapaxes(tangent, -1, -2) @ information @ tangent
    if not height_unknown:
        return np.asarray(known)
    cross = np.swapaxes(tangent, -1, -2) @ information[..., 2:]
    return np.asarray(known - cross @ np.swapaxes(cross, -1, -2) / (information[..., 2:, 2:] + _HEIGHT_SIGMA_M**-2))


def information_at(place_B2: Values, batch: EvidenceBatch, model: PropagationModel) -> Float[Values, "B 3 3"]:
    """Information about the place in evidence, by the model's own figures."""
    curvature = np.asarray(batch.curvature_per_m, dtype=float)
    east, north = place_B2[:, 0], place_B2[:, 1]
    up = surface_up_m(east, north, list(curvature.T), batch.transmitter_height_m)
    shadowing_db2 = model.shadowing_variance_db2
    links = MeasuredLinks(
        offset_m=np.stack([east, north, up], axis=-1)[:, None] - batch.position_enu_m,
        arrival_variance_s2=np.where(batch.has_arrival, batch.clock_sigma_s**2 + batch.arrival_sigma_s**2, np.inf),
        level_variance_db2=np.where(batch.has_level, shadowing_db2 + batch.level_sigma_db**2, np.inf),
    )
    exponent_B = np.full(len(place_B2), model.exponent_mean)
    information = arrival_information(links, model.refractive_index / SPEED_OF_LIGHT_M_S)
    return information + level_information(links, exponent_B, model.exponent_sigma)


def _distance_m(links: MeasuredLinks) -> Values:
    return np.maximum(np.linalg.norm(links.offset_m, axis=-1), 1e-3)


def _projected(gradient_BN3: Values, weight_BN: Values, unknown_BNK: Values, prior_K: Values) -> Values:
    """Information about the place when the K quantities with gradients `unknown_BNK` are estimated along with it.

    The Schur complement of the joint information; `prior_K` is what is known of the unwanted ones beforehand.
    """
    weighted = weight_BN[..., None] * gradient_BN3
    place = np.swapaxes(gradient_BN3, -1, -2) @ weighted
    cross = np.swapaxes(unknown_BNK, -1, -2) @ weighted
    nuisance = np.swapaxes(unknown_BNK, -1, -2) @ (weight_BN[..., None] * unknown_BNK) + np.diag(prior_K)
    return place - np.swapaxes(cross, -1, -2) @ np.linalg.pinv(nuisance, hermitian=True) @ cross
