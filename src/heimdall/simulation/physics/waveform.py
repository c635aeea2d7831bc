"""What is transmitted: band-limited noise and narrow-band FM voice, periodic over the buffer, unknown to estimators."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from heimdall.simulation.physics.linear_phase import mean_power
from heimdall.simulation.random_streams import Chance, Range

NOISE, FM_VOICE = 0, 1
"""Kinds of waveform."""
_VOICE_BAND_HZ = (250.0, 3400.0)
_VOICE_ROLL_OFF_HZ = 800.0
_SYLLABLE_HZ = 12.0


@dataclass(frozen=True)
class Channel:
    """The channel and how it is recorded."""

    bandwidth_hz: float
    sample_count: int
    oversampling: float = 2.0
    """Sample rate over bandwidth."""

    @property
    def sample_rate_hz(self) -> float:
        return self.bandwidth_hz * self.oversampling


@dataclass(frozen=True)
class Modulation:
    """The law that waveforms are drawn from."""

    fm_probability: float = 0.4
    """FM voice instead of noise, in channels up to `fm_channel_hz`."""
    fm_channel_hz: float = 60e3
    occupied: Range = (0.5, 0.95)
    """Share of the channel that noise fills."""
    deviation: Range = (0.10, 0.18)
    """RMS frequency deviation of FM voice, as a share of the channel."""


def waveform_spectrum(
    modulation: Modulation, channel: Channel, scenes: int, length: int, chance: Chance
) -> tuple[Tensor, Tensor]:
    """Spectra (B, length) of waveforms with mean power 1 and a period of `length` samples; and their kinds (B,)."""
    fm_probability = modulation.fm_probability if channel.bandwidth_hz <= modulation.fm_channel_hz else 0.0
    kind = chance.happens(fm_probability, scenes).long()
    spectrum = _noise(modulation, channel, scenes, length, chance)
    spoken = (kind == FM_VOICE).nonzero()[:, 0]
    if len(spoken):
        spectrum[spoken] = _fm_voice(modulation, channel, len(spoken), length, chance)
    return spectrum, kind


def _noise(modulation: Modulation, channel: Channel, scenes: int, length: int, chance: Chance) -> Tensor:
    frequency = torch.fft.fftfreq(length, 1 / channel.sample_rate_hz, device=chance.device).abs()
    edge_hz = 0.5 * channel.bandwidth_hz * chance.uniform(modulation.occupied, scenes, 1)
    spectrum = chance.complex_normal(scenes, length) * (frequency < edge_hz)
    # Parseval: samples of mean power 1 have a spectrum of mean power `length`.
    return spectrum * (length / mean_power(spectrum)[:, None]).sqrt()


def _fm_voice(modulation: Modulation, channel: Channel, scenes: int, length: int, chance: Chance) -> Tensor:
    """Noise with the spectrum and the syllables of speech, its integral as the phase of a carrier."""
    rate_hz = channel.sample_rate_hz
    frequency = torch.fft.rfftfreq(length, 1 / rate_hz, device=chance.device)
    voice_band = (frequency > _VOICE_BAND_HZ[0]) & (frequency < _VOICE_BAND_HZ[1])
    voice = _shaped_noise(voice_band / (1 + frequency / _VOICE_ROLL_OFF_HZ), scenes, length, chance)
    syllables = _shaped_noise(((frequency > 0) & (frequency < _SYLLABLE_HZ)).float(), scenes, length, chance)
    loudness = 0.35 + torch.sigmoid(1.5 * syllables)
    deviation_hz = channel.bandwidth_hz * chance.uniform(modulation.deviation, scenes, 1)
    speech = voice * loudness * deviation_hz
    # Without a mean the phase comes back to where it began, so the waveform is periodic over the buffer.
    phase = torch.cumsum(speech - speech.mean(-1, keepdim=True), dim=-1) * (2 * torch.pi / rate_hz)
    return torch.fft.fft(torch.polar(torch.ones_like(phase), phase))


def _shaped_noise(amplitude: Tensor, scenes: int, length: int, chance: Chance) -> Tensor:
    """Real noise (scenes, length) of unit variance with the given one-sided amplitude spectrum."""
    noise = torch.fft.irfft(chance.complex_normal(scenes, len(amplitude)) * amplitude, n=length)
    return noise / noise.std(-1, keepdim=True).clamp(min=1e-12)
