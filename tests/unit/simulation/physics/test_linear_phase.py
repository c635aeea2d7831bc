"""Linear phases against the slow formula."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from heimdall.simulation.physics.linear_phase import COLUMNS, buffer_length, frequency_shift, mean_power, paths_response


@given(st.integers(1, 200_000))
def test_a_buffer_is_long_enough_not_wasteful_and_even_in_rows(at_least: int) -> None:
    length = buffer_length(at_least)
    assert length >= at_least
    assert length <= 1.35 * at_least + 2 * COLUMNS
    assert length % (2 * COLUMNS) == 0


def test_the_response_is_the_sum_over_paths_of_gain_and_linear_phase() -> None:
    length = 640
    delay = torch.tensor([[0.0, 3.25, 812.7], [-5.5, 100_000.1, 0.3]], dtype=torch.float64)
    gain = torch.tensor([[1, 0.5j, -0.2], [1j, 0.1, 0.3 + 0.3j]], dtype=torch.complex64)
    bin_frequency = torch.fft.fftfreq(length, dtype=torch.float64)
    slow = sum(
        gain[:, path, None].to(torch.complex128) * torch.exp(-2j * math.pi * bin_frequency * delay[:, path, None])
        for path in range(3)
    )
    assert (paths_response(delay, gain, length) - slow).abs().max() < 1e-5


def test_a_delay_of_whole_samples_is_a_roll() -> None:
    samples = torch.randn(768, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    response = paths_response(torch.tensor([[700.0]]).double(), torch.ones(1, 1, dtype=torch.complex64), 768)[0]
    assert (torch.fft.ifft(torch.fft.fft(samples) * response) - samples.roll(700)).abs().max() < 1e-4


def test_a_frequency_shift_turns_evenly_from_the_first_sample_on() -> None:
    shift = torch.tensor([0.0123, -0.25], dtype=torch.float64)
    time = torch.arange(4096, dtype=torch.float64)
    slow = torch.exp(2j * math.pi * shift[:, None] * time)
    assert (frequency_shift(shift, 4096) - slow).abs().max() < 1e-5


def test_mean_power_is_the_mean_squared_magnitude() -> None:
    samples = torch.tensor([[3 + 4j, 0, 0, 0], [1, 1, 1j, -1]], dtype=torch.complex64)
    assert torch.allclose(mean_power(samples), torch.tensor([6.25, 1.0]))
