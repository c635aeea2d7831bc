"""From a scenario to scenes: draw the cast, record it, keep the truth."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch

from heimdall.simulation.physics.clock import draw_clocks
from heimdall.simulation.physics.fault import draw_faults
from heimdall.simulation.physics.propagation import propagate
from heimdall.simulation.physics.receiver import draw_receivers
from heimdall.simulation.physics.reference import draw_reference
from heimdall.simulation.physics.scene_layout import place
from heimdall.simulation.random_streams import Chance, stream
from heimdall.simulation.recording import Cast, Recording, record
from heimdall.simulation.scenarios import Scenario
from heimdall.simulation.scene import SceneBatch

SCENES_PER_DRAW = 16
"""Scenes of a draw share channel and number of receivers. This many keep a CPU's caches warm."""


def scenes(
    scenario: Scenario,
    seed: int,
    count: int,
    batch: int = SCENES_PER_DRAW,
    device: torch.device | str = "cpu",
    first_draw: int = 0,
) -> Iterator[SceneBatch]:
    """Scenes 0 ... count - 1 of a seed, at most `batch` at a time, from the given draw on.

    Draw i holds scenes i batch ... (i + 1) batch - 1 and has a random stream of its own, `stream(seed, i)`. The last
    draw is cut after it was made, so scene k is the same whatever the count; it depends on `batch`.
    """
    for index in range(first_draw, math.ceil(count / batch)):
        drawn = draw(scenario, batch, stream(seed, index, device=device), device)
        yield drawn.select(slice(0, min(batch, count - index * batch)))


def draw(scenario: Scenario, count: int, generator: torch.Generator, device: torch.device | str = "cpu") -> SceneBatch:
    """`count` scenes with one channel, one sample count and one number of receivers, on `device`."""
    chance = Chance(generator, device)
    cast = draw_cast(scenario, count, chance)
    return batch_of(cast, record(cast, chance))


def draw_cast(scenario: Scenario, count: int, chance: Chance) -> Cast:
    """Everything of `count` scenes but the samples. All share a channel and a number of receivers."""
    channel = chance.pick(scenario.channels)
    receivers = int(chance.integers(*scenario.area.receivers))
    layout = place(scenario.area, count, receivers, chance)
    frequency_hz = chance.uniform(scenario.frequency_hz, count)
    cast = Cast(
        scenario=scenario,
        channel=channel,
        layout=layout,
        frequency_hz=frequency_hz,
        clocks=draw_clocks(scenario.clocks, count, receivers, chance),
        receivers=draw_receivers(scenario.equipment, frequency_hz, receivers, chance),
        faults=draw_faults(scenario.faults, layout, channel.sample_count / channel.sample_rate_hz, chance),
        links=propagate(scenario.medium, layout, frequency_hz, chance),
    )
    if scenario.reference is None:
        return cast
    return replace(cast, reference=draw_reference(scenario.reference, scenario.area, layout, frequency_hz, chance))


def batch_of(cast: Cast, recording: Recording) -> SceneBatch:
    """What receivers claim and record, with the truth beside it."""
    layout, equipment = cast.layout, cast.scenario.equipment
    return SceneBatch(
        receiver_enu_m=cast.faults.claimed_enu_m,
        present=layout.present,
        transmitter_enu_m=layout.transmitter_enu_m,
        samples=recording.samples,
        sample_rate_hz=cast.channel.sample_rate_hz,
        bandwidth_hz=cast.channel.bandwidth_hz,
        start_s=cast.receivers.start_s,
        clock_sigma_s=cast.clocks.claimed_sigma_s,
        level_sigma_db=torch.full_like(cast.receivers.gain, equipment.level_sigma_db),
        half_width_m=cast.scenario.area.reach * layout.half_width_m,
        frequency_hz=cast.frequency_hz,
        curvature_per_m=layout.curvature_per_m,
        latitude_deg=layout.latitude_deg,
        longitude_deg=layout.longitude_deg,
        receiver_true_enu_m=layout.receiver_enu_m,
        transmitter_height_m=layout.transmitter_height_m,
        clock_offset_s=cast.clocks.offset_s,
        excess_delay_s=cast.links.excess_delay_s,
        delay_s=cast.delay_s,
        blocked=cast.links.blocked,
        snr_db=recording.snr_db,
        gain=cast.receivers.gain,
        fault=cast.faults.kind,
        clock_class=cast.clocks.clock_class,
        inside=layout.inside,
        path_loss_exponent=cast.links.exponent,
        shadowing_sigma_db=cast.links.shadowing_sigma_db,
        waveform=recording.waveform,
        reference_enu_m=None if cast.reference is None else cast.reference.place_enu_m,
        reference_hz=None if cast.reference is None else cast.frequency_hz.double() + cast.reference.law.offset_hz,
        reference_width_hz=0.0 if cast.reference is None else cast.reference.law.bandwidth_hz,
    )
