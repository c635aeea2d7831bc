"""The channel seen in frequency: noise floor, the spectrum that the receivers share, and the filter that uses it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from heimdall.arrays import Array, ArrayNamespace, array_namespace, device_of, fft_of

_EDGE_SHARE = 0.03
"""Part of a record over which it is faded in, and out. All receivers are cut at the same time: what a hard cut spreads of a
strong line would correlate at no delay, and the weight lifts it where the signal is weak."""
_CHANNEL_MARGIN = 1.05
"""The channel filter is this much wider than the channel, for carrier offsets."""
_NOISE_GUARD = 1.25
"""Noise is measured beyond this many half channels from the centre, where no signal leaks."""
_MIN_NOISE_BINS = 64
_SAMPLES_A_BIN = 24
"""Independent samples behind one bin of the smoothed spectrum."""
_MAX_BINS = 512
_MODEL_ERROR = 0.003
"""Part of the signal's power that no two receivers share: echoes, phase noise, filters. It keeps strong lines from ruling."""


@dataclass(frozen=True, eq=False)
class ChannelSpectrum:
    """The receivers' spectra inside the channel, and what they say about signal and noise.

    Frequencies follow the FFT's order. Power spectra are normalised so that a noise floor of 1 stands for noise alone.
    """

    filtered_BNT: Array
    """Spectra multiplied by the square root of the maximum-likelihood weight."""
    signal_to_noise_BT: Array
    """Sum over receivers of the signal-to-noise density, smoothed, a share of the signal counted as noise."""
    snr_BN: Array
    """Signal over noise power within the channel."""
    signal_power_BN: Array
    frequency_T: Array
    independent_samples_B: Array
    independent_share: float
    """Part of a record's samples that the taper leaves independent."""


def channel_spectrum(
    samples_BNT: Array, present_BN: Array, sample_rate_hz: float, bandwidth_hz: float
) -> ChannelSpectrum:
    """Filter to the channel and weight it as the maximum-likelihood delay estimator does.

    For a Gaussian signal of unknown waveform in independent noise every pair is weighted alike (Hannan and Thomson 1973,
    extended to an array): a strong flat spectrum evenly, and not at all where there is no signal. A share of the signal
    counts as noise, so that a carrier does not drown its sidebands.
    """
    xp = array_namespace(samples_BNT)
    count = samples_BNT.shape[-1]
    taper_T = _taper(xp, samples_BNT)
    spectrum_BNT = fft_of(xp).fft(samples_BNT * taper_T)
    frequency_T = xp.fft.fftfreq(count, d=1 / sample_rate_hz, device=device_of(samples_BNT))
    inside_T = xp.abs(frequency_T) < 0.5 * _CHANNEL_MARGIN * bandwidth_hz + _off_bin_hz(frequency_T)
    power_BNT = xp.real(spectrum_BNT) ** 2 + xp.imag(spectrum_BNT) ** 2
    noise_BN = _noise_floor(xp, power_BNT, frequency_T, inside_T, bandwidth_hz)
    excess_BN = xp.sum(power_BNT * inside_T, axis=-1) / xp.sum(xp.astype(inside_T, power_BNT.dtype)) - noise_BN
    signal_BN = xp.clip(excess_BN, 1e-4 * noise_BN, None)
    density_BT = _shared_density(xp, power_BNT / noise_BN[..., None], present_BN, inside_T)
    clean_BT, weight_BT = _maximum_likelihood_weight(xp, density_BT, present_BN)
    share = 1 / float(xp.mean(taper_T**4))
    effective = _effective_samples(xp, power_BNT, noise_BN, weight_BT, present_BN)
    scale = float(xp.sum(xp.astype(inside_T, power_BNT.dtype))) / count**2
    return ChannelSpectrum(
        filtered_BNT=spectrum_BNT * xp.sqrt(weight_BT)[:, None, :],
        signal_to_noise_BT=clean_BT,
        snr_BN=signal_BN / noise_BN * present_BN,
        signal_power_BN=signal_BN * scale,
        frequency_T=frequency_T,
        independent_samples_B=share * effective,
        independent_share=share,
    )


def _taper(xp: ArrayNamespace, samples_BNT: Array) -> Array:
    """(T,) a Tukey window with a mean square of 1."""
    count = samples_BNT.shape[-1]
    from_end_T = xp.arange(count, dtype=xp.real(samples_BNT).dtype, device=device_of(samples_BNT)) + 0.5
    from_end_T = xp.minimum(from_end_T, count - from_end_T)
    taper_T = 0.5 - 0.5 * xp.cos(math.pi * xp.clip(from_end_T / (_EDGE_SHARE * count), 0.0, 1.0))
    return taper_T / xp.sqrt(xp.mean(taper_T**2))


def _off_bin_hz(frequency_T: Array) -> float:
    """Edges that fall on a frequency would be decided by rounding: they are moved by an odd part of a bin."""
    return 0.37 * float(frequency_T[1] - frequency_T[0])


def _maximum_likelihood_weight(xp: ArrayNamespace, density_BT: Array, present_BN: Array) -> tuple[Array, Array]:
    """The receivers' sum A of S / (N + e S), and the weight S / ((N + e S)^2 (1 + A)) of a cross spectrum.

    The weight is flat for a flat spectrum and falls as 1/S where S is strong.
    """
    receivers_B1 = xp.clip(xp.sum(xp.astype(present_BN, density_BT.dtype), axis=1)[:, None], 1, None)
    each_BT = density_BT / receivers_B1
    noise_BT = 1 + _MODEL_ERROR * each_BT
    clean_BT = density_BT / noise_BT
    return clean_BT, each_BT / (noise_BT**2 * (1 + clean_BT))


def _noise_floor(
    xp: ArrayNamespace, power_BNT: Array, frequency_T: Array, inside_T: Array, bandwidth_hz: float
) -> Array:
    """Mean noise power a bin, from beside the channel where the recording is wide enough, else from its quietest parts."""
    outside_T = xp.abs(frequency_T) > 0.5 * _NOISE_GUARD * bandwidth_hz - _off_bin_hz(frequency_T)
    if int(xp.sum(xp.astype(outside_T, xp.int64))) >= _MIN_NOISE_BINS:
        beside = power_BNT[..., xp.nonzero(outside_T)[0]]
        floor = _median(xp, beside) / math.log(2)
    else:
        channel = power_BNT[..., xp.nonzero(inside_T)[0]]
        width = max(1, channel.shape[-1] // 32)
        usable = channel[..., : width * (channel.shape[-1] // width)]
        parts = xp.mean(xp.reshape(usable, (*usable.shape[:-1], -1, width)), axis=-1)
        floor = xp.sort(parts, axis=-1)[..., 2]
    tiny = xp.max(power_BNT, axis=-1)
    return xp.clip(floor, 1e-12 * tiny + 1e-30, None)


def _median(xp: ArrayNamespace, values: Array) -> Array:
    return xp.sort(values, axis=-1)[..., values.shape[-1] // 2]


def _shared_density(xp: ArrayNamespace, relative_BNT: Array, present_BN: Array, inside_T: Array) -> Array:
    """Signal-to-noise density summed over the receivers, in bins wide enough to be steady; 0 outside the channel."""
    order = xp.nonzero(xp.astype(inside_T, xp.int64))[0]
    width = max(1, int(order.shape[0]) // _bin_count(int(order.shape[0])))
    # FFT order has the negative half last; roll it to the front so that neighbours are neighbours.
    half = int(xp.sum(xp.astype(inside_T[: inside_T.shape[0] // 2], xp.int64)))
    order = xp.roll(order, int(order.shape[0]) - half)
    total_BT = xp.sum((relative_BNT[..., order] - 1) * present_BN[..., None], axis=1)
    smooth_BT = _moving_average(xp, total_BT, width)
    receivers_B1 = xp.sum(xp.astype(present_BN, smooth_BT.dtype), axis=1)[:, None]
    floor_B1 = xp.sqrt(receivers_B1 / width)
    smooth_BT = xp.clip(smooth_BT - floor_B1, 0.02 * floor_B1, None)
    density = xp.zeros((smooth_BT.shape[0], inside_T.shape[0]), dtype=smooth_BT.dtype, device=device_of(smooth_BT))
    density[:, order] = smooth_BT
    return density


def _bin_count(samples: int) -> int:
    return max(4, min(_MAX_BINS, samples // _SAMPLES_A_BIN))


def _moving_average(xp: ArrayNamespace, values_BT: Array, width: int) -> Array:
    """Centred mean over `width` neighbours; fewer at the ends."""
    if width < 2:
        return values_BT
    device = device_of(values_BT)
    total = xp.cumulative_sum(values_BT, axis=-1, include_initial=True)
    count = values_BT.shape[-1]
    index = xp.arange(count, device=device)
    low = xp.clip(index - width // 2, 0, count)
    high = xp.clip(index + (width + 1) // 2, 0, count)
    return (total[:, high] - total[:, low]) / xp.astype(high - low, values_BT.dtype)


def _effective_samples(
    xp: ArrayNamespace, power_BNT: Array, noise_BN: Array, weight_BT: Array, present_BN: Array
) -> Array:
    """How many independent samples the weighted channel holds: (sum P)^2 / sum P^2 of its power spectrum."""
    shared_BT = weight_BT * xp.sum(power_BNT / noise_BN[..., None] * present_BN[..., None], axis=1)
    return xp.sum(shared_BT, axis=-1) ** 2 / xp.clip(xp.sum(shared_BT**2, axis=-1), 1e-30, None)
