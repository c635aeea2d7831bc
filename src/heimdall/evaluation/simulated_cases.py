"""Simulated scenes as cases to compare methods on, each with its labels and its bound."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import REFRACTIVE_INDEX_AIR, SPEED_OF_LIGHT_M_S
from heimdall.estimation.cramer_rao import (
    MeasuredLinks,
    arrival_information,
    arrival_variance_s2,
    level_information,
    position_covariance,
    surface_tangent,
)
from heimdall.evaluation.comparison import Case, Label, truth_inside
from heimdall.simulation import SCENES_PER_DRAW, Scenario, SceneBatch, scenes, to_observation
from heimdall.simulation.physics.clock import CLOCK_CLASSES

Values = NDArray[np.float64]
_SMOOTHING_BINS = 24
"""Bins of a spectrum that are averaged: enough to be steady, few enough to follow the signal's edges."""


def simulated_cases(law: Scenario, count: int, seed: int, first_draw: int = 0) -> Iterator[Case]:
    """Scenes up to count - 1 of a scenario and seed, the same that `heimdall simulate` writes, from the given draw on."""
    number = first_draw * SCENES_PER_DRAW
    for batch in scenes(law, seed, count, first_draw=first_draw):
        bound_m2 = scene_bounds(batch)
        for index in range(len(batch)):
            observation = to_observation(batch, index, f"{law.name}-{seed}-{number:05d}")
            present = batch.present[index]
            label = Label(
                clock=CLOCK_CLASSES[int(batch.clock_class[index])],
                inside=truth_inside(observation),
                receivers=len(observation.receptions),
                blocked_share=float(batch.blocked[index][present].float().mean()),
                bound_m2=bound_m2[index],
            )
            yield Case(observation, label)
            number += 1


def scene_bounds(batch: SceneBatch) -> Values:
    """(B, 2, 2) in m^2: the bound of arrival times and powers with all that the simulator knows, in line of sight.

    Signal-to-noise ratios are the true ones, clocks are what they claim to be, exponent and shadowing are known, receivers
    stand where they really stand and are sound, the transmitter's height is known. No prior. The spectrum's shape is
    measured, since a waveform is only ever drawn.
    """
    place = _double(batch.transmitter_enu_m)
    present = batch.present.cpu().numpy()
    clock_s2 = _double(batch.clock_sigma_s) ** 2
    level_db2 = _double(batch.shadowing_sigma_db)[:, None] ** 2 + _double(batch.level_sigma_db) ** 2
    links = MeasuredLinks(
        offset_m=place[:, None] - _double(batch.receiver_true_enu_m),
        arrival_variance_s2=np.where(present, _noise_variance_s2(batch) + clock_s2, np.inf),
        level_variance_db2=np.where(present, level_db2, np.inf),
    )
    information = arrival_information(links, REFRACTIVE_INDEX_AIR / SPEED_OF_LIGHT_M_S)
    information = information + level_information(links, _double(batch.path_loss_exponent), exponent_sigma=1e-6)
    return position_covariance(information, surface_tangent(place[:, :2], _double(batch.curvature_per_m)))


def _noise_variance_s2(batch: SceneBatch) -> Values:
    """(B, N) of the arrival times, from the true signal-to-noise ratios and the shape of the spectrum."""
    snr = 10 ** (_double(batch.snr_db) / 10) * batch.present.cpu().numpy()
    frequency_hz = np.fft.fftfreq(batch.samples.shape[-1], 1 / batch.sample_rate_hz)
    inside = np.abs(frequency_hz) <= 0.5 * batch.bandwidth_hz
    order = np.argsort(frequency_hz[inside])
    power = np.abs(np.fft.fft(batch.samples.cpu().numpy(), axis=-1)[..., inside][..., order]) ** 2
    variances = [
        arrival_variance_s2(ratio, _signal_shape(each, ratio), frequency_hz[inside][order])
        for each, ratio in zip(power, snr, strict=True)
    ]
    return np.array(variances)


def _signal_shape(power_NF: Values, snr_N: Values) -> Values:
    """(F,) the signal's power spectrum with mean 1 over the channel, from what all receivers heard of it."""
    total = power_NF.sum(axis=-1)
    heard = total > 0
    # In units in which each receiver's noise has mean 1 over the channel.
    relative = power_NF[heard] / (total[heard] / (1 + snr_N[heard]) / power_NF.shape[-1])[:, None]
    signal = np.mean(relative - 1, axis=0)
    kernel = np.ones(_SMOOTHING_BINS) / _SMOOTHING_BINS
    smooth = np.maximum(np.convolve(signal, kernel, mode="same"), 0.0)
    return np.asarray(smooth / max(float(smooth.mean()), 1e-12))


def _double(tensor: object) -> Values:
    return np.asarray(tensor.cpu().numpy(), dtype=np.float64)  # type: ignore[attr-defined]
