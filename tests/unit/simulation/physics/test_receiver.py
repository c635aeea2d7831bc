"""What a receiver adds to the wave."""

import pytest
import torch

from heimdall.simulation.physics.linear_phase import mean_power
from heimdall.simulation.physics.receiver import Equipment, Receivers, detune, draw_receivers, noise, quantise, stretch
from heimdall.simulation.physics.waveform import Channel
from heimdall.simulation.random_streams import Chance, stream

CHANNEL = Channel(12.5e3, 8192, 3.2)


def _drawn(equipment: Equipment, scenes: int = 50) -> tuple[Receivers, Chance]:
    chance = Chance(stream(0, 0), "cpu")
    return draw_receivers(equipment, torch.full((scenes,), 200e6), 6, chance), chance


def _in_channel(samples: torch.Tensor) -> torch.Tensor:
    frequency_hz = torch.fft.fftfreq(CHANNEL.sample_count, 1 / CHANNEL.sample_rate_hz)
    inside = frequency_hz.abs() < CHANNEL.bandwidth_hz / 2
    return mean_power(torch.fft.ifft(torch.fft.fft(samples) * inside))


def test_noise_power_in_the_channel_is_the_floor_times_the_gain() -> None:
    equipment = Equipment(gain_error_db=3.0, noise_figure_sigma_db=4.0)
    receivers, chance = _drawn(equipment)
    samples, power = noise(equipment, receivers, CHANNEL, chance)
    assert torch.allclose(power, 10 ** (receivers.noise_db / 10))
    ratio = _in_channel(samples) / (receivers.gain**2 * power)
    assert (ratio - 1).abs().max() < 0.15
    assert ratio.mean() == pytest.approx(1.0, abs=0.01)


def test_interference_raises_the_noise_in_the_channel_by_what_it_says_and_nothing_outside() -> None:
    equipment = Equipment(interference_db=(3.0, 12.0))
    receivers, chance = _drawn(equipment)
    samples, power = noise(equipment, receivers, CHANNEL, chance)
    assert (10 * (power - 1).log10() > 2.99).all()
    ratio = _in_channel(samples) / (receivers.gain**2 * power)
    assert ratio.mean() == pytest.approx(1.0, abs=0.01)
    outside = mean_power(samples) - _in_channel(samples)
    assert (outside / receivers.gain**2).mean() == pytest.approx(CHANNEL.oversampling - 1, rel=0.02)


def test_the_gain_is_the_error_of_the_level() -> None:
    receivers, _ = _drawn(Equipment(gain_error_db=10.0), scenes=500)
    assert (20 * receivers.gain.log10()).std() == pytest.approx(10.0, rel=0.04)


def test_carrier_offsets_are_uniform_and_grow_with_the_carrier() -> None:
    plain, _ = _drawn(Equipment(carrier_offset_hz=20.0), scenes=300)
    assert plain.carrier_offset_hz.abs().max() <= 20
    assert plain.carrier_offset_hz.std() == pytest.approx(20 / 3**0.5, rel=0.05)
    drifting, _ = _drawn(Equipment(carrier_offset_hz=0.0, carrier_offset_ppm=0.1), scenes=300)
    assert drifting.carrier_offset_hz.std() == pytest.approx(20.0, rel=0.05)


def test_only_weak_receivers_lose_signal() -> None:
    receivers, _ = _drawn(Equipment(weak_probability=0.25, weak_loss_db=(10.0, 25.0)), scenes=500)
    weak = receivers.loss_db > 0
    assert weak.float().mean() == pytest.approx(0.25, abs=0.03)
    assert receivers.loss_db[weak].min() >= 10


def test_detuning_moves_the_spectrum_by_the_offset() -> None:
    rate_hz, offset_hz = 25e3, 25e3 * 37 / 4096
    tuned = detune(torch.ones(1, 1, 4096, dtype=torch.complex64), torch.tensor([[offset_hz]]), rate_hz)
    assert torch.fft.fft(tuned)[0, 0].abs().argmax() == 37


def test_a_fast_sampler_takes_each_sample_earlier_and_earlier() -> None:
    """Against the sinusoids that the signal is made of, evaluated at the true moments."""
    length, count, error = 5120, 4096, 5e-5
    bins = torch.tensor([-1200, -31, 7, 1100])
    time = torch.arange(length, dtype=torch.float64)
    moment = time[:count] / (1 + error)
    wave = torch.exp(2j * torch.pi * bins[:, None] * time / length).sum(0)
    expected = torch.exp(2j * torch.pi * bins[:, None] * moment / length).sum(0)
    out = stretch(wave.to(torch.complex64)[None, None], torch.tensor([[error]]), count)[0, 0]
    assert (out - expected).abs().max() < 0.03
    assert (wave[:count] - expected).abs().max() > 0.3


def test_quantising_rounds_to_steps_with_the_error_of_a_uniform_step() -> None:
    samples = Chance(stream(0, 0), "cpu").complex_normal(2, 3, 8192)
    headroom_db = torch.full((2, 3), 12.0)
    coarse = quantise(samples, 8, headroom_db)
    step = mean_power(samples).sqrt() * 10 ** (12 / 20) / 128
    whole = torch.view_as_real(coarse) / step[..., None, None]
    assert (whole - whole.round()).abs().max() < 1e-3
    assert (mean_power(coarse - samples) / (step**2 / 6)).mean() == pytest.approx(1.0, rel=0.05)


def test_a_converter_without_headroom_clips() -> None:
    samples = Chance(stream(0, 0), "cpu").complex_normal(1, 1, 4096)
    clipped = quantise(samples, 8, torch.zeros(1, 1))
    assert torch.view_as_real(clipped).abs().max() <= 1.001 * mean_power(samples).sqrt()


def test_a_silent_receiver_survives_quantising() -> None:
    silent = torch.zeros(1, 1, 64, dtype=torch.complex64)
    assert torch.equal(quantise(silent, 8, torch.zeros(1, 1)), silent)
