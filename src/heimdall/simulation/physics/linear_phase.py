"""Delays and frequency shifts as linear phases, made cheaply from short factors, without loss of accuracy."""

from __future__ import annotations

import torch
from torch import Tensor

COLUMNS = 64
"""Length of the fine factor; lengths handled here are multiples of it."""


def buffer_length(at_least: int) -> int:
    """The next length whose transform is fast and factors into an even number of rows of `COLUMNS`."""
    rows = -(-at_least // (2 * COLUMNS))
    while not _is_smooth(rows):
        rows += 1
    return 2 * COLUMNS * rows


def _is_smooth(number: int) -> bool:
    for prime in (2, 3, 5):
        while number % prime == 0:
            number //= prime
    return number == 1


def paths_response(delay_samples: Tensor, gain: Tensor, length: int) -> Tensor:
    """Transfer function sum over paths of gain exp(-2 pi i k delay / length), k in the order of an FFT.

    `delay_samples` (..., paths) float64, any size and fraction; `gain` (..., paths) complex64; returns
    (..., length) complex64. The phase is split into a row's and a column's, so that only rows + columns sines are
    taken, in double precision, and the sum over paths is a matrix product.
    """
    rows = length // COLUMNS
    row = _signed(rows, delay_samples.device)
    row_cycles = -delay_samples[..., None, :] * (row * COLUMNS / length)[:, None]
    column = torch.arange(COLUMNS, dtype=torch.float64, device=delay_samples.device)
    column_cycles = -delay_samples[..., None] * (column / length)
    response = (unit_phasor(row_cycles) * gain[..., None, :]) @ unit_phasor(column_cycles)
    return response.flatten(-2)


def _signed(rows: int, device: torch.device) -> Tensor:
    index = torch.arange(rows, dtype=torch.float64, device=device)
    return torch.where(index < rows // 2, index, index - rows)


def frequency_shift(cycles_per_sample: Tensor, length: int) -> Tensor:
    """exp(2 pi i n cycles_per_sample) for n = 0 ... length - 1: (...,) float64 to (..., length) complex64."""
    rows = torch.arange(0, length, COLUMNS, dtype=torch.float64, device=cycles_per_sample.device)
    columns = torch.arange(COLUMNS, dtype=torch.float64, device=cycles_per_sample.device)
    coarse = unit_phasor(cycles_per_sample[..., None] * rows)
    fine = unit_phasor(cycles_per_sample[..., None] * columns)
    return (coarse[..., :, None] * fine[..., None, :]).flatten(-2)


def unit_phasor(cycles: Tensor) -> Tensor:
    """exp(2 pi i cycles) in complex64; whole turns are taken off in double precision first."""
    angle = (2 * torch.pi * (cycles - cycles.round())).float()
    return torch.polar(torch.ones_like(angle), angle)


def mean_power(samples: Tensor) -> Tensor:
    """Mean squared magnitude along the last axis; over the real parts, for which torch has fast code."""
    return torch.linalg.vector_norm(torch.view_as_real(samples).flatten(-2), dim=-1) ** 2 / samples.shape[-1]
