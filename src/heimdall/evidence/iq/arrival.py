"""One arrival time a receiver, reconciled from the pairs, with what noise leaves uncertain."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heimdall.arrays import Array, ArrayNamespace, array_namespace, device_of
from heimdall.evidence.iq.channel_spectrum import ChannelSpectrum
from heimdall.evidence.iq.correlation import PairPeaks

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

_ROUNDS = 8
_OUTLIER_SIGMAS = 4.0
_MIN_WEIGHT = 0.2
"""A pair that kept less than this of its weight is not believed."""
_MODEL_ERROR_CYCLES = 0.01
"""What echoes and interpolation leave in a pair's delay, in cycles of the bandwidth: no pair is believed to be better."""


@dataclass(frozen=True, eq=False)
class Arrivals:
    """Arrival times of the receivers of B scenes, each by its own record's start; common origin arbitrary."""

    arrival_s_BN: Array
    sigma_s_BN: Array
    valid_BN: Array


def reconcile(
    peaks: PairPeaks, spectrum: ChannelSpectrum, present_BN: Array, sample_rate_hz: float, bandwidth_hz: float
) -> Arrivals:
    """Weighted least squares over the pairs' delays, reweighted so that pairs which contradict the others lose their say.

    Receivers that no believed chain of pairs connects to the strongest receiver have no arrival time.
    """
    xp = array_namespace(present_BN)
    variance_BP = _pair_variance(xp, peaks, spectrum) + (_MODEL_ERROR_CYCLES / bandwidth_hz) ** 2
    weight_BP = xp.where(peaks.detected_BP, 1 / variance_BP, xp.zeros_like(variance_BP))
    incidence_PN = _incidence(xp, peaks, present_BN)
    delay_BP = peaks.delay_s_BPK[..., 0]
    robust_BP = xp.ones_like(weight_BP)
    for _ in range(_ROUNDS):
        arrival_BN = _solve(xp, incidence_PN, weight_BP * robust_BP, delay_BP)
        miss_BP = delay_BP - xp.matmul(arrival_BN, incidence_PN.T)
        robust_BP = 1 / (1 + miss_BP**2 / (variance_BP * _OUTLIER_SIGMAS**2)) ** 2
    believed_BP = peaks.detected_BP & (robust_BP > _MIN_WEIGHT)
    valid_BN = _connected(xp, believed_BP, xp.abs(incidence_PN), weight_BP)
    return Arrivals(arrival_BN, _noise_sigma(xp, spectrum, valid_BN, sample_rate_hz), valid_BN)


def _pair_variance(xp: ArrayNamespace, peaks: PairPeaks, spectrum: ChannelSpectrum) -> Array:
    """(1 - coherence) / (M curvature): the inverse curvature of the log-likelihood at its peak."""
    samples_B1 = spectrum.independent_samples_B[:, None]
    return (1 - peaks.coherence_BPK[..., 0]) / (samples_B1 * peaks.curvature_BPK[..., 0])


def _incidence(xp: ArrayNamespace, peaks: PairPeaks, present_BN: Array) -> Float[Array, "P N"]:
    """+1 for a pair's first receiver, -1 for its second."""
    receiver_N = xp.arange(present_BN.shape[1], device=device_of(present_BN))
    dtype = peaks.delay_s_BPK.dtype
    return xp.astype(peaks.first_P[:, None] == receiver_N, dtype) - xp.astype(
        peaks.second_P[:, None] == receiver_N, dtype
    )


def _solve(xp: ArrayNamespace, incidence_PN: Array, weight_BP: Array, delay_BP: Array) -> Array:
    """Arrival times (B, N) of least squares; a light ridge sets the free origin and holds unconnected receivers."""
    scale_B1 = xp.clip(xp.max(weight_BP, axis=-1), 1e-30, None)[:, None]
    weighted_BP = weight_BP / scale_B1
    normal_BNN = xp.matmul(incidence_PN.T * weighted_BP[:, None, :], incidence_PN)
    right_BN = xp.matmul(weighted_BP * delay_BP, incidence_PN)
    ridge = 1e-5 * xp.eye(incidence_PN.shape[1], dtype=normal_BNN.dtype, device=device_of(normal_BNN))
    return xp.linalg.solve(normal_BNN + ridge, right_BN[..., None])[..., 0]


def _connected(xp: ArrayNamespace, believed_BP: Array, touches_PN: Array, weight_BP: Array) -> Bool[Array, "B N"]:
    """Whether each receiver is reached from the receiver with the most weight through believed pairs."""
    believed = xp.astype(believed_BP, touches_PN.dtype)
    strength_BN = xp.matmul(weight_BP * believed, touches_PN)
    receiver_N = xp.arange(touches_PN.shape[1], device=device_of(touches_PN))
    reached_BN = xp.astype(receiver_N == xp.argmax(strength_BN, axis=-1)[:, None], touches_PN.dtype)
    for _ in range(touches_PN.shape[1]):
        active_BP = believed * xp.matmul(reached_BN, touches_PN.T)
        reached_BN = xp.clip(reached_BN + xp.matmul(active_BP, touches_PN), 0, 1)
    return (reached_BN > 0.5) & (xp.sum(believed, axis=-1) > 0)[:, None]


def _noise_sigma(xp: ArrayNamespace, spectrum: ChannelSpectrum, valid_BN: Array, sample_rate_hz: float) -> Array:
    """Standard deviation of an arrival time against the waveform that the other receivers share.

    For an unknown Gaussian waveform the information is that of a known one, 2 T (2 pi)^2 integral of f^2 snr(f) df about
    the mean frequency, times A/(1+A) with A the sum of the receivers' snr (Stein 1981 extended to an array).
    """
    share_BN = xp.where(valid_BN, spectrum.snr_BN, xp.zeros_like(spectrum.snr_BN))
    share_BN = share_BN / xp.clip(xp.sum(spectrum.snr_BN, axis=-1), 1e-12, None)[:, None]
    density_BT = spectrum.signal_to_noise_BT**2 / (1 + spectrum.signal_to_noise_BT)
    total_B1 = xp.clip(xp.sum(density_BT, axis=-1), 1e-12, None)[:, None]
    frequency_T = spectrum.frequency_T
    mean_B1 = xp.sum(density_BT * frequency_T, axis=-1)[:, None] / total_B1
    second_B1 = xp.sum(density_BT * (frequency_T - mean_B1) ** 2, axis=-1)[:, None]
    information_BN = 2 * (2 * math.pi) ** 2 * spectrum.independent_share * second_B1 * share_BN
    return 1 / xp.sqrt(xp.clip(information_BN, sample_rate_hz**2 * 1e-8, None))
