"""Laws that the recorded samples obey, whatever way they were made."""

import math
from dataclasses import replace

import pytest
import torch

from heimdall.constants import REFRACTIVE_INDEX_AIR, SPEED_OF_LIGHT_M_S
from heimdall.estimation.model import TERRESTRIAL
from heimdall.simulation import Scenario, SceneBatch, draw, scenario, stream
from heimdall.simulation.physics.clock import CLOCK_CLASSES, ClockLaw
from heimdall.simulation.physics.propagation import Echoes, _echoes
from heimdall.simulation.physics.waveform import Channel
from heimdall.simulation.random_streams import Chance

CHANNELS = (Channel(12.5e3, 4096), Channel(10e3, 4096, 1.28), Channel(1e6, 32768), Channel(2e6, 65536, 1.6))


def _quiet(channel: Channel, clock: str = "30 ns", snr_db: float = 120.0) -> Scenario:
    """Line of sight, no echo, no tuning error, far more signal than noise."""
    law = scenario("matched")
    return replace(
        law,
        channels=(channel,),
        medium=replace(
            law.medium, blocked_probability=0.0, echoes=None, median_snr_db=(snr_db,) * 2, snr_limits_db=(snr_db,) * 2
        ),
        modulation=replace(law.modulation, fm_probability=0.0),
        clocks=ClockLaw(classes=tuple(float(name == clock) for name in CLOCK_CLASSES)),
        equipment=replace(law.equipment, carrier_offset_hz=0.0, start_spread_s=20 / channel.bandwidth_hz),
    )


def _measured_delay_samples(late: torch.Tensor, early: torch.Tensor) -> float:
    """Whole samples from the peak of the correlation, the rest from the slope of the phase over the overlap."""
    count = len(late)
    padded = torch.fft.fft(torch.stack([late, early]).to(torch.complex128), n=2 * count)
    lag = int(torch.fft.ifft(padded[0] * padded[1].conj()).abs().argmax())
    lag = lag - 2 * count if lag > count else lag
    overlap = count - abs(lag)
    window = torch.hann_window(overlap, dtype=torch.float64)
    pair = torch.stack([late[max(lag, 0) :][:overlap], early[max(-lag, 0) :][:overlap]]) * window
    spectrum = torch.fft.fft(pair)
    cross = spectrum[0] * spectrum[1].conj()
    angular = 2 * math.pi * torch.fft.fftfreq(overlap, dtype=torch.float64)
    weight, phase = cross.abs(), (cross * cross.sum().conj()).angle()
    centred = angular - (weight * angular).sum() / weight.sum()
    return lag - float((weight * centred * phase).sum() / (weight * centred**2).sum())


def _delay_errors_samples(batch: SceneBatch, expected_s: torch.Tensor) -> list[float]:
    expected = (expected_s - batch.start_s) * batch.sample_rate_hz
    return [
        _measured_delay_samples(batch.samples[scene, other], batch.samples[scene, 0])
        - float(expected[scene, other] - expected[scene, 0])
        for scene in range(len(batch))
        for other in range(1, batch.samples.shape[1])
    ]


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("clock", ["30 ns", "1 ms"])
def test_the_delay_of_an_arrival_is_distance_over_the_speed_of_light_plus_clock(channel: Channel, clock: str) -> None:
    batch = draw(_quiet(channel, clock), 4, stream(1, 0))
    distance_m = (batch.receiver_enu_m.double() - batch.transmitter_enu_m[:, None].double()).norm(dim=-1)
    expected_s = distance_m * REFRACTIVE_INDEX_AIR / SPEED_OF_LIGHT_M_S + batch.clock_offset_s
    assert max(map(abs, _delay_errors_samples(batch, expected_s))) < 0.01


def test_excess_delays_and_slips_are_in_the_samples_too() -> None:
    law = _quiet(Channel(100e3, 4096))
    law = replace(
        law,
        medium=replace(law.medium, blocked_probability=0.5, mean_excess_delay_s=30e-6),
        faults=scenario("faulty-receiver").faults,
    )
    batch = draw(law, 6, stream(2, 0))
    assert batch.faulty.any()
    hears = batch.snr_db.amin(1) > 0  # a deaf receiver has no delay to measure
    batch = batch.select(hears)
    assert max(map(abs, _delay_errors_samples(batch, batch.delay_s))) < 0.01


def test_received_power_follows_the_path_loss_exponent() -> None:
    law = _quiet(Channel(12.5e3, 4096))
    medium = replace(
        law.medium,
        exponent=(3.5, 3.5),
        shadowing_db=(0.0, 0.0),
        median_snr_db=(90.0, 90.0),
        snr_limits_db=(30.0, 200.0),
    )
    law = replace(law, medium=medium, equipment=replace(law.equipment, gain_error_db=0.0))
    batch = draw(law, 16, stream(3, 0))
    power_db = 10 * batch.samples.abs().square().mean(-1).log10()
    far = (batch.receiver_enu_m - batch.transmitter_enu_m[:, None]).norm(dim=-1).log10()
    far, power_db = far - far.mean(1, keepdim=True), power_db - power_db.mean(1, keepdim=True)
    exponent = -(far * power_db).sum() / (far**2).sum() / 10
    assert exponent == pytest.approx(3.5, abs=0.05)


@pytest.mark.parametrize("name", ["matched", "wideband-1mhz", "unknown-noise", "continental"])
def test_the_snr_measured_in_the_channel_is_the_label(name: str) -> None:
    """Measured as (power in the channel - noise) / noise, where the noise is drawn again without any signal."""
    law = replace(scenario(name), channels=tuple(replace(c, sample_count=16384) for c in scenario(name).channels))
    law = replace(law, modulation=replace(law.modulation, fm_probability=0.0))
    silent = replace(law, medium=replace(law.medium, snr_limits_db=(-200.0, -199.0)))
    batch, noise = draw(law, 8, stream(4, 0)), draw(silent, 8, stream(4, 0))
    frequency_hz = torch.fft.fftfreq(16384, 1 / batch.sample_rate_hz)
    inside = frequency_hz.abs() < batch.bandwidth_hz / 2 + 20
    total = (torch.fft.fft(batch.samples).abs().square() * inside).sum(-1)
    floor = (torch.fft.fft(noise.samples).abs().square() * inside).sum(-1)
    measured_db = 10 * (total / floor - 1).clamp(min=1e-3).log10()
    loud = batch.snr_db > 0
    assert loud.sum() > 10
    assert (measured_db - batch.snr_db)[loud].abs().max() < 0.6
    assert (measured_db - batch.snr_db)[loud].mean().abs() < 0.1


def test_noise_of_different_receivers_is_independent() -> None:
    law = scenario("matched")
    silent = replace(law, medium=replace(law.medium, snr_limits_db=(-200.0, -199.0)))
    samples = draw(silent, 4, stream(5, 0)).samples
    unit = samples / samples.norm(dim=-1, keepdim=True)
    coherence = (unit @ unit.mH).abs() - torch.eye(samples.shape[1])
    assert coherence.max() < 5 / math.sqrt(samples.shape[-1])


def test_receivers_of_one_scene_hear_the_same_waveform_and_those_of_another_do_not() -> None:
    law = replace(_quiet(Channel(12.5e3, 2048)), area=replace(scenario("matched").area, half_width_m=(10.0, 10.0)))
    law = replace(law, equipment=replace(law.equipment, start_spread_s=0.0))
    samples = draw(law, 2, stream(6, 0)).samples
    unit = samples / samples.norm(dim=-1, keepdim=True)
    assert (unit[0] @ unit[0].mH).abs().min() > 0.99
    assert (unit[0] @ unit[1].mH).abs().max() < 0.3


def test_a_longer_delay_than_the_record_leaves_nothing_in_common() -> None:
    """No arrival wraps round: clocks that differ by more than the record show unrelated pieces of the waveform."""
    law = _quiet(Channel(1e6, 1024), "none")
    batch = draw(law, 8, stream(7, 0))
    spectrum = torch.fft.fft(batch.samples, n=2048)
    cross = torch.fft.ifft(spectrum * spectrum[:, :1].conj()).abs().amax(-1)
    power = batch.samples.abs().square().sum(-1)
    coherence = (cross / (power * power[:, :1]).sqrt())[:, 1:]
    apart = (batch.delay_s - batch.start_s) * batch.sample_rate_hz
    apart = (apart - apart[:, :1]).abs()[:, 1:]
    assert (apart > 1024).sum() > 10
    assert coherence[apart > 1024].max() < 0.3


def test_echoes_are_as_large_as_the_likelihood_takes_them_for() -> None:
    """To first order an echo moves the peak of a narrow signal by the real part of its gain times its delay."""
    delay_s, gain = _echoes(Echoes(), (100_000,), Chance(stream(3, 0), "cpu"))
    shift_s = (gain.real * delay_s).sum(dim=-1)
    assert float(shift_s.square().mean().sqrt()) == pytest.approx(TERRESTRIAL.multipath_sigma_s, rel=0.05)
