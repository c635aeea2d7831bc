"""What is transmitted."""

import pytest
import torch

from heimdall.simulation.physics.linear_phase import mean_power
from heimdall.simulation.physics.waveform import FM_VOICE, NOISE, Channel, Modulation, waveform_spectrum
from heimdall.simulation.random_streams import Chance, stream

CHANNEL = Channel(12.5e3, 4096)
LENGTH = 4608


def _drawn(fm_probability: float, channel: Channel = CHANNEL) -> tuple[torch.Tensor, torch.Tensor]:
    law = Modulation(fm_probability=fm_probability)
    return waveform_spectrum(law, channel, 32, LENGTH, Chance(stream(0, 0), "cpu"))


def _frequency_hz(channel: Channel) -> torch.Tensor:
    return torch.fft.fftfreq(LENGTH, 1 / channel.sample_rate_hz)


@pytest.mark.parametrize("fm_probability", [0.0, 1.0])
def test_every_waveform_has_mean_power_one(fm_probability: float) -> None:
    spectrum, _ = _drawn(fm_probability)
    assert torch.allclose(mean_power(torch.fft.ifft(spectrum)), torch.ones(32), atol=1e-3)


def test_noise_stays_in_its_channel() -> None:
    spectrum, kind = _drawn(0.0)
    assert (kind == NOISE).all()
    assert (spectrum[:, _frequency_hz(CHANNEL).abs() > 0.5 * 0.95 * CHANNEL.bandwidth_hz] == 0).all()


def test_voice_has_a_constant_envelope_and_98_percent_of_its_power_in_the_channel() -> None:
    spectrum, kind = _drawn(1.0)
    assert (kind == FM_VOICE).all()
    assert torch.allclose(torch.fft.ifft(spectrum).abs(), torch.ones(()), atol=1e-3)
    power = spectrum.abs().square()
    inside = _frequency_hz(CHANNEL).abs() < 0.5 * CHANNEL.bandwidth_hz
    assert ((power * inside).sum(-1) / power.sum(-1)).min() > 0.98


def test_voice_on_a_channel_of_12_5_khz_has_an_rms_bandwidth_of_1_2_to_1_8_khz() -> None:
    """Value: the physics notes of this product, from a measured prototype."""
    spectrum, _ = _drawn(1.0)
    power = spectrum.abs().square()
    power = power / power.sum(-1, keepdim=True)
    frequency_hz = _frequency_hz(CHANNEL)
    mean_hz = (power * frequency_hz).sum(-1, keepdim=True)
    rms_hz = (power * (frequency_hz - mean_hz).square()).sum(-1).sqrt()
    assert 1200 < rms_hz.median() < 1800


def test_wide_channels_carry_no_voice() -> None:
    _, kind = _drawn(1.0, Channel(1e6, 4096))
    assert (kind == NOISE).all()


def test_the_sample_rate_is_the_bandwidth_times_the_oversampling() -> None:
    assert Channel(10e3, 64, 1.2).sample_rate_hz == pytest.approx(12e3)
