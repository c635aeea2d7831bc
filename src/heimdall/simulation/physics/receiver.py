"""What a receiver makes of the wave at its antenna: gain, noise, carrier and sampling errors, quantisation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from heimdall.simulation.physics.linear_phase import frequency_shift, mean_power
from heimdall.simulation.physics.waveform import Channel
from heimdall.simulation.random_streams import Chance, Range

_LAGRANGE_POINTS = 7
_FINE_POINTS = 15
_FINE_STEPS = 2048
"""Within -50 dB up to 0.35 of the rate, where seven points reach 0.2."""
_AT_ONCE = 1 << 12


@dataclass(frozen=True)
class Equipment:
    """The law that receivers are drawn from."""

    carrier_offset_hz: float = 20.0
    """Largest offset of a receiver's centre frequency, uniform to both sides."""
    carrier_offset_ppm: float = 0.0
    """Standard deviation of a further offset in proportion to the carrier."""
    sample_rate_ppm: float = 0.0
    """Standard deviation of the sample rate's error; the stamp of the first sample stays right."""
    oscillator_ppm: float = 0.0
    """Standard deviation of the error of one oscillator that both the tuning and the sample rate come from, beside those."""
    level_sigma_db: float = 2.0
    """Claimed standard deviation of the level's calibration."""
    gain_error_db: float = 2.0
    """True standard deviation of the same."""
    uncalibrated_probability: float = 0.0
    """All receivers of a scene are off by `uncalibrated_db` instead, and claim what they always claim."""
    uncalibrated_db: float = 10.0
    noise_figure_sigma_db: float = 0.0
    """Scatter of the receivers' noise floors."""
    interference_db: Range | None = None
    """Noise that only fills part of the channel, against the nominal noise in the whole channel."""
    weak_probability: float = 0.0
    weak_loss_db: Range = (10.0, 25.0)
    quantisation_bits: int | None = None
    headroom_db: Range = (6.0, 20.0)
    """Headroom from the root mean square of the samples to the converter's full scale."""
    delay_sigma_s: float = 0.0
    """Standard deviation of the receivers' own delays, which nobody knows."""
    start_spread_s: float = 0.0
    """Recordings start within this time, each at its own moment."""


@dataclass(frozen=True, eq=False)
class Receivers:
    """Drawn equipment, (B, N)."""

    gain: Tensor
    """Linear amplitude gain; its logarithm is the error of the level's calibration."""
    noise_db: Tensor
    """Noise floor in the channel, against the nominal one."""
    loss_db: Tensor
    """What a weak receiver loses before its noise is added."""
    carrier_offset_hz: Tensor
    sample_rate_error: Tensor
    """Relative: 1e-6 is one part in a million."""
    delay_s: Tensor
    """Between the antenna and the stamp."""
    start_s: Tensor
    """Stamp of the first sample, double precision."""


def draw_receivers(equipment: Equipment, frequency_hz: Tensor, receivers: int, chance: Chance) -> Receivers:
    """Receivers of B scenes at these carriers (B,); scatter in dB and ppm as the equipment has it."""
    shape = (len(frequency_hz), receivers)
    limit_hz = equipment.carrier_offset_hz
    drift = 1e-6 * equipment.carrier_offset_ppm * frequency_hz[:, None]
    weak = chance.happens(equipment.weak_probability, *shape)
    gain_error_db: Tensor | float = equipment.gain_error_db
    if equipment.uncalibrated_probability > 0:
        off = chance.happens(equipment.uncalibrated_probability, shape[0], 1)
        gain_error_db = torch.where(off, equipment.uncalibrated_db, equipment.gain_error_db)
    drawn = Receivers(
        gain=10 ** (gain_error_db * chance.normal(*shape) / 20),
        noise_db=equipment.noise_figure_sigma_db * chance.normal(*shape),
        loss_db=weak * chance.uniform(equipment.weak_loss_db, *shape),
        carrier_offset_hz=chance.uniform((-limit_hz, limit_hz), *shape) + drift * chance.normal(*shape),
        sample_rate_error=1e-6 * equipment.sample_rate_ppm * chance.normal(*shape),
        delay_s=_delay_s(equipment, shape, chance),
        start_s=equipment.start_spread_s * chance.uniform((-0.5, 0.5), *shape).double(),
    )
    return drawn if equipment.oscillator_ppm == 0 else _one_oscillator(drawn, equipment, frequency_hz, chance)


def _one_oscillator(drawn: Receivers, equipment: Equipment, frequency_hz: Tensor, chance: Chance) -> Receivers:
    """A fast oscillator tunes too high, so that what is received appears too low, and samples too often."""
    error = 1e-6 * equipment.oscillator_ppm * chance.normal(*drawn.gain.shape).double()
    return replace(
        drawn,
        carrier_offset_hz=drawn.carrier_offset_hz - error * frequency_hz[:, None],
        sample_rate_error=drawn.sample_rate_error + error,
    )


def _delay_s(equipment: Equipment, shape: tuple[int, ...], chance: Chance) -> Tensor:
    if equipment.delay_sigma_s == 0:
        return torch.zeros(shape, dtype=torch.float64, device=chance.device)
    return equipment.delay_sigma_s * chance.normal(*shape).double()


def stretch(signal: Tensor, sample_rate_error: Tensor, count: int, *, fine: bool = False) -> Tensor:
    """The first `count` samples as a clock with the wrong rate takes them: (B, N, length) to (B, N, count).

    Lagrange's polynomial through the nearest samples of the periodic signal; sample n is taken at n / (1 + error). `fine`: of
    more of them, for signals that fill most of the rate.
    """
    position = torch.arange(count, device=signal.device) / (1 + sample_rate_error.double()[..., None])
    nearest = position.round()
    offset = (position - nearest).float()
    index = nearest.long()
    if fine:
        return _interpolated(signal, index, offset)
    half = _LAGRANGE_POINTS // 2
    out = torch.zeros_like(signal[..., :count])
    for point in range(-half, half + 1):
        weight = _weight(offset, point, half)
        out += weight * torch.gather(signal, -1, (index + point) % signal.shape[-1])
    return out


def _interpolated(signal: Tensor, index: Tensor, offset: Tensor) -> Tensor:
    """The same by weights worked out beforehand for offsets in steps; some thousand samples at a time stay in the cache."""
    half, length = _FINE_POINTS // 2, signal.shape[-1]
    steps = torch.linspace(-0.5, 0.5, _FINE_STEPS + 1, device=signal.device)
    weights_SP = torch.stack([_weight(steps, point, half) for point in range(-half, half + 1)], dim=-1)
    around = torch.cat([signal[..., length - half :], signal, signal[..., :half]], dim=-1).flatten(0, -2)
    step, place = ((offset + 0.5) * _FINE_STEPS).round().long().flatten(0, -2), (index % length).flatten(0, -2)
    out = torch.empty(place.shape, dtype=signal.dtype, device=signal.device)
    for row, around_L in enumerate(around):
        points_LP = around_L.unfold(0, _FINE_POINTS, 1)
        for begin in range(0, out.shape[-1], _AT_ONCE):
            some = slice(begin, begin + _AT_ONCE)
            taken_TP = points_LP.index_select(0, place[row, some]) * weights_SP.index_select(0, step[row, some])
            out[row, some] = taken_TP.sum(dim=-1)
    return out.reshape(index.shape)


def _weight(offset: Tensor, point: int, half: int) -> Tensor:
    """Lagrange's, of one of the points around."""
    weight = torch.ones_like(offset)
    for other in range(-half, half + 1):
        if other != point:
            weight = weight * (offset - other) / (point - other)
    return weight


def detune(signal: Tensor, carrier_offset_hz: Tensor, sample_rate_hz: float) -> Tensor:
    """Turn (B, N, T) by the receivers' carrier offsets, in place."""
    return signal.mul_(frequency_shift(carrier_offset_hz.double() / sample_rate_hz, signal.shape[-1]))


def noise(equipment: Equipment, receivers: Receivers, channel: Channel, chance: Chance) -> tuple[Tensor, Tensor]:
    """White noise (B, N, T), with what only fills part of the channel; and its power in the channel before gain, (B, N)."""
    shape = tuple(receivers.gain.shape)
    power = 10 ** (receivers.noise_db / 10)
    amplitude = receivers.gain[..., None] * (power * channel.oversampling).sqrt()[..., None]
    total = chance.complex_normal(*shape, channel.sample_count).mul_(amplitude)
    if equipment.interference_db is None:
        return total, power
    extra = 10 ** (chance.uniform(equipment.interference_db, *shape) / 10)
    return total + (receivers.gain * extra.sqrt())[..., None] * _partial_band(channel, shape, chance), power + extra


def _partial_band(channel: Channel, shape: tuple[int, ...], chance: Chance) -> Tensor:
    """Noise of power 1 in a piece of the channel, a tenth to a half of it wide."""
    frequency = torch.fft.fftfreq(channel.sample_count, 1 / channel.sample_rate_hz, device=chance.device)
    width = chance.uniform((0.1, 0.5), *shape, 1)
    middle = chance.uniform((-0.5, 0.5), *shape, 1) * (1 - width)
    inside = (frequency / channel.bandwidth_hz - middle).abs() < width / 2
    spectrum = chance.complex_normal(*shape, channel.sample_count) * inside
    power = mean_power(spectrum).clamp(min=1e-12)
    return torch.fft.ifft(spectrum * (channel.sample_count / power).sqrt()[..., None])


def quantise(samples: Tensor, bits: int, headroom_db: Tensor) -> Tensor:
    """Round and clip (B, N, T) to a converter of so many bits, whose full scale is (B, N) dB above the mean."""
    steps = 2 ** (bits - 1)
    step = mean_power(samples).sqrt() * 10 ** (headroom_db / 20) / steps
    step = step[..., None, None].clamp(min=1e-30)
    parts = torch.view_as_real(samples)
    return torch.view_as_complex((parts / step).round().clamp(-steps, steps - 1) * step)
