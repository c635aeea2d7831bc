"""From a scenario to scenes: draws the parts, sends the waveform through them, and keeps the truth."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from heimdall.simulation.chance import Chance, stream
from heimdall.simulation.clock import Clocks, draw_clocks
from heimdall.simulation.fault import Faults, draw_faults
from heimdall.simulation.layout import Layout, place
from heimdall.simulation.propagation import Links, propagate
from heimdall.simulation.receiver import Receivers, detune, draw_receivers, noise, quantise, stretch
from heimdall.simulation.scenarios import Scenario
from heimdall.simulation.scene import SceneBatch
from heimdall.simulation.spectrum import buffer_length, paths_response
from heimdall.simulation.waveform import Channel, waveform_spectrum

SCENES_PER_DRAW = 16
"""Scenes of a draw share channel and number of receivers. This many keep a CPU's caches warm."""


def scenes(
    scenario: Scenario, seed: int, count: int, batch: int = SCENES_PER_DRAW, device: torch.device | str = "cpu"
) -> Iterator[SceneBatch]:
    """Scenes 0 ... count - 1 of a seed, at most `batch` at a time.

    Draw i holds scenes i batch ... (i + 1) batch - 1 and has a random stream of its own, `stream(seed, i)`. The last
    draw is cut after it was made, so scene k is the same whatever the count; it depends on `batch`.
    """
    for index in range(math.ceil(count / batch)):
        drawn = draw(scenario, batch, stream(seed, index, device=device), device)
        yield drawn.select(slice(0, min(batch, count - index * batch)))


def draw(scenario: Scenario, count: int, generator: torch.Generator, device: torch.device | str = "cpu") -> SceneBatch:
    """`count` scenes with one channel, one sample count and one number of receivers, on `device`."""
    chance = Chance(generator, device)
    channel = chance.pick(scenario.channels)
    receiver_count = int(chance.integers(*scenario.area.receivers))
    layout = place(scenario.area, count, receiver_count, chance)
    frequency_hz = chance.uniform(scenario.frequency_hz, count)
    clocks = draw_clocks(scenario.clocks, count, receiver_count, chance)
    receivers = draw_receivers(scenario.equipment, frequency_hz, receiver_count, chance)
    faults = draw_faults(scenario.faults, layout, channel.sample_count / channel.sample_rate_hz, chance)
    links = propagate(scenario.medium, layout, chance)
    return _record(scenario, channel, layout, frequency_hz, clocks, receivers, faults, links, chance)


def _record(
    scenario: Scenario,
    channel: Channel,
    layout: Layout,
    frequency_hz: Tensor,
    clocks: Clocks,
    receivers: Receivers,
    faults: Faults,
    links: Links,
    chance: Chance,
) -> SceneBatch:
    late_s = clocks.offset_s + faults.slip_s - receivers.start_s
    loss_db = receivers.loss_db + faults.loss_db
    signal, waveform = _heard(scenario, channel, links, late_s, loss_db, receivers, chance)
    samples, noise_power = noise(scenario.equipment, receivers, channel, chance)
    signal_power = torch.linalg.vector_norm(signal, dim=-1) ** 2 / channel.sample_count / receivers.gain**2
    samples.add_(signal)
    if scenario.second is not None:
        samples.add_(_interference(scenario, channel, layout, links, late_s, loss_db, receivers, chance))
    if scenario.equipment.quantisation_bits is not None:
        headroom_db = chance.uniform(scenario.equipment.headroom_db, *layout.present.shape)
        samples = quantise(samples, scenario.equipment.quantisation_bits, headroom_db)
    if scenario.area.missing_probability > 0:
        samples.masked_fill_(~layout.present[..., None], 0)
    return SceneBatch(
        receiver_enu_m=faults.claimed_enu_m,
        present=layout.present,
        transmitter_enu_m=layout.transmitter_enu_m,
        samples=samples,
        sample_rate_hz=channel.sample_rate_hz,
        bandwidth_hz=channel.bandwidth_hz,
        start_s=receivers.start_s,
        clock_sigma_s=clocks.claimed_sigma_s,
        level_sigma_db=torch.full_like(receivers.gain, scenario.equipment.level_sigma_db),
        half_width_m=scenario.area.reach * layout.half_width_m,
        frequency_hz=frequency_hz,
        curvature_per_m=layout.curvature_per_m,
        latitude_deg=layout.latitude_deg,
        longitude_deg=layout.longitude_deg,
        receiver_true_enu_m=layout.receiver_enu_m,
        transmitter_height_m=layout.transmitter_height_m,
        clock_offset_s=clocks.offset_s,
        excess_delay_s=links.excess_delay_s,
        delay_s=links.delay_s + clocks.offset_s + faults.slip_s,
        blocked=links.blocked,
        snr_db=10 * (signal_power / noise_power).log10(),
        gain=receivers.gain,
        fault=faults.kind,
        clock_class=clocks.clock_class,
        inside=layout.inside,
        path_loss_exponent=links.exponent,
        shadowing_sigma_db=links.shadowing_sigma_db,
        waveform=waveform,
    )


def _heard(
    scenario: Scenario,
    channel: Channel,
    links: Links,
    late_s: Tensor,
    loss_db: Tensor,
    receivers: Receivers,
    chance: Chance,
) -> tuple[Tensor, Tensor]:
    """A drawn waveform as each receiver samples it without noise, (B, N, T); and the kind of waveform, (B,).

    The waveform is periodic over a buffer that holds the recording and every delay of the batch, so any delay is an
    exact linear phase, and no two receivers see more of each other's recording than their delays leave. When the
    emission was is nobody's business: delays count from the first receiver's.
    """
    delay = (links.delay_s + late_s)[..., None] + links.path_delay_s
    delay = (delay - delay.amin(dim=(1, 2), keepdim=True)) * channel.sample_rate_hz
    length = buffer_length(channel.sample_count + int(delay.max()) + 1)
    spectrum, waveform = waveform_spectrum(scenario.modulation, channel, len(delay), length, chance)
    amplitude = receivers.gain * 10 ** ((links.level_db - loss_db) / 20)
    response = paths_response(delay, links.path_gain * amplitude[..., None], length)
    signal = torch.fft.ifft(response.mul_(spectrum[:, None]))
    if scenario.equipment.sample_rate_ppm > 0:
        signal = stretch(signal, receivers.sample_rate_error, channel.sample_count)
    return detune(signal[..., : channel.sample_count], receivers.carrier_offset_hz, channel.sample_rate_hz), waveform


def _interference(
    scenario: Scenario,
    channel: Channel,
    layout: Layout,
    links: Links,
    late_s: Tensor,
    loss_db: Tensor,
    receivers: Receivers,
    chance: Chance,
) -> Tensor:
    """The second transmitter as each receiver hears it, (B, N, T)."""
    assert scenario.second is not None
    scene_count, receiver_count = layout.present.shape
    elsewhere = place(scenario.area, scene_count, receiver_count, chance).transmitter_enu_m
    other = propagate(scenario.medium, replace(layout, transmitter_enu_m=elsewhere), chance)
    middle_db = links.level_db.median(1, keepdim=True).values - other.level_db.median(1, keepdim=True).values
    relative_db = middle_db + chance.uniform(scenario.second.level_db, scene_count, 1)
    return _heard(
        scenario, channel, replace(other, level_db=other.level_db + relative_db), late_s, loss_db, receivers, chance
    )[0]
