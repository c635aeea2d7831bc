"""Scenes heard twice: by dongles without clocks, beside a station of known place, and by the same receivers with GPS."""

from __future__ import annotations

from dataclasses import replace

import torch

from heimdall.geometry import LocalFrame
from heimdall.simulation.drawing import batch_of, draw_cast
from heimdall.simulation.physics.clock import CLOCK_CLASSES, ClockLaw, draw_clocks
from heimdall.simulation.physics.receiver import Equipment
from heimdall.simulation.physics.reference import ReferenceLaw
from heimdall.simulation.physics.scene_layout import Area
from heimdall.simulation.physics.waveform import Channel
from heimdall.simulation.random_streams import Chance, stream
from heimdall.simulation.recording import Cast, record
from heimdall.simulation.scenarios import SCENARIOS, Scenario
from heimdall.simulation.scene import SceneBatch
from heimdall.transmitter import Kind, KnownTransmitter

OSCILLATOR_PPM = 2.0
WANDER = 2e-9
"""Standard deviation of what an oscillator's frequency has moved by when it is heard again: some times what data sheets of
temperature-compensated ones give for a second."""
_RATE_HZ = 2.4e6
"""The most that dongles give without loss."""


def dongles(base: str = "wideband-1mhz", duration_s: float = 0.2) -> Scenario:
    """A scenario's signals and ways, heard by dongles: 8 bits, one oscillator off by 2 ppm, stamps of a network's quality."""
    law = SCENARIOS[base]
    bandwidth_hz = law.channels[0].bandwidth_hz
    return replace(
        law,
        name=f"dongles-{base}",
        channels=(Channel(bandwidth_hz, round(duration_s * _RATE_HZ), _RATE_HZ / bandwidth_hz),),
        area=Area(receivers=(5, 8)),
        clocks=_only("none"),
        equipment=Equipment(
            carrier_offset_hz=0.0, oscillator_ppm=OSCILLATOR_PPM, quantisation_bits=8, headroom_db=(10.0, 16.0)
        ),
        reference=ReferenceLaw(),
    )


def pair(scenario: Scenario, seed: int, index: int) -> tuple[SceneBatch, SceneBatch]:
    """Scene `index` of a seed as the dongles record it, and as they would by GPS (30 ns) with true oscillators: the same
    places, ways, waveforms and noise."""
    generator = stream(seed, index, "dongles")
    chance = Chance(generator, "cpu")
    cast = draw_cast(scenario, 1, chance)
    return _both(cast, _by_gps(cast, chance), generator, chance)


def apart(scenario: Scenario, seed: int, index: int, gap_s: float) -> tuple[SceneBatch, SceneBatch, SceneBatch]:
    """As `pair`, without the reference in the recordings; the third is what the same dongles, their clocks running on, recorded
    of the reference `gap_s` before."""
    generator = stream(seed, index, "dongles")
    chance = Chance(generator, "cpu")
    cast = draw_cast(scenario, 1, chance)
    before = batch_of(cast, record(cast, chance))
    error = cast.receivers.sample_rate_error + WANDER * chance.normal(*cast.layout.present.shape)
    moved = replace(cast.clocks, offset_s=cast.clocks.offset_s + (error * gap_s).double())
    later = replace(cast, clocks=moved, reference=None)
    return *_both(later, _by_gps(later, chance), generator, chance), before


def _by_gps(cast: Cast, chance: Chance) -> Cast:
    scenes, receivers = cast.layout.present.shape
    clocks = draw_clocks(_only("30 ns"), scenes, receivers, chance)
    still = torch.zeros_like(cast.receivers.sample_rate_error)
    true = replace(cast.receivers, sample_rate_error=still, carrier_offset_hz=still)
    return replace(cast, clocks=clocks, receivers=true)


def _both(cast: Cast, by_gps: Cast, generator: torch.Generator, chance: Chance) -> tuple[SceneBatch, SceneBatch]:
    """Recorded with the same waveforms and noise."""
    state = generator.get_state()
    heard = batch_of(cast, record(cast, chance))
    generator.set_state(state)
    return heard, batch_of(by_gps, record(by_gps, chance))


def station(batch: SceneBatch, index: int) -> KnownTransmitter:
    """The reference of scene `index` as the operator would list it."""
    assert batch.reference_enu_m is not None
    assert batch.reference_hz is not None
    frame = LocalFrame(float(batch.latitude_deg[index]), float(batch.longitude_deg[index]))
    latitude_deg, longitude_deg, height_m = frame.to_geodetic(batch.reference_enu_m[index].double().numpy())
    return KnownTransmitter(
        name="reference",
        latitude_deg=float(latitude_deg),
        longitude_deg=float(longitude_deg),
        height_m=float(height_m),
        frequency_hz=float(batch.reference_hz[index]),
        kind=Kind.FM,
        bandwidth_hz=batch.reference_width_hz,
        position_sigma_m=5.0,
        source="simulated",
    )


def _only(name: str) -> ClockLaw:
    return ClockLaw(classes=tuple(float(each == name) for each in CLOCK_CLASSES))
