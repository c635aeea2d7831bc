"""From drawn places, links and receivers to the samples that are recorded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from heimdall.simulation.physics.clock import Clocks
from heimdall.simulation.physics.fault import Faults
from heimdall.simulation.physics.linear_phase import buffer_length, mean_power, paths_response
from heimdall.simulation.physics.propagation import Links, propagate
from heimdall.simulation.physics.receiver import Receivers, detune, noise, quantise, stretch
from heimdall.simulation.physics.reference import Reference
from heimdall.simulation.physics.scene_layout import Layout, place
from heimdall.simulation.physics.waveform import Channel, waveform_spectrum
from heimdall.simulation.random_streams import Chance
from heimdall.simulation.scenarios import Scenario, SecondTransmitter

if TYPE_CHECKING:
    from jaxtyping import Complex, Float, Int


@dataclass(frozen=True, eq=False)
class Cast:
    """Everything that a batch of scenes consists of, before anything is sent."""

    scenario: Scenario
    channel: Channel
    layout: Layout
    frequency_hz: Float[Tensor, " B"]
    clocks: Clocks
    receivers: Receivers
    faults: Faults
    links: Links
    reference: Reference | None = None

    @property
    def delay_s(self) -> Float[Tensor, "B N"]:
        """Time from emission to the stamp of the first path's arrival."""
        return self.links.delay_s + self.receivers.delay_s + self.clocks.offset_s + self.faults.slip_s


@dataclass(frozen=True, eq=False)
class Recording:
    """What N receivers of B scenes recorded: T samples each."""

    samples: Complex[Tensor, "B N T"]
    """Samples in single precision."""
    snr_db: Float[Tensor, "B N"]
    """SNR of the transmitter alone, in the channel, over the recording."""
    waveform: Int[Tensor, " B"]
    """One of the kinds in `heimdall.simulation.physics.waveform`."""


def record(cast: Cast, chance: Chance) -> Recording:
    """The samples of the cast: its signal, noise, a second transmitter and a reference where the scenario has them."""
    signal, waveform = _heard(cast, chance)
    samples, noise_power = noise(cast.scenario.equipment, cast.receivers, cast.channel, chance)
    snr = mean_power(signal) / (cast.receivers.gain**2 * noise_power)
    samples.add_(signal)
    if cast.scenario.second is not None:
        samples.add_(_heard(_second(cast.scenario.second, cast, chance), chance)[0])
    if cast.reference is not None:
        samples.add_(_heard_reference(cast, cast.reference, chance))
    return Recording(_digitise(samples, cast, chance), 10 * snr.log10(), waveform)


def _heard_reference(cast: Cast, reference: Reference, chance: Chance) -> Float[Tensor, "B N T"]:
    """Samples of the reference alone."""
    law = reference.law
    rate_hz, count = cast.channel.sample_rate_hz, cast.channel.sample_count
    channel = Channel(law.bandwidth_hz, count, rate_hz / law.bandwidth_hz)
    return _heard(replace(cast, channel=channel, links=reference.links), chance, law.offset_hz)[0]


def _heard(cast: Cast, chance: Chance, offset_hz: float = 0.0) -> tuple[Tensor, Tensor]:
    """A drawn waveform as each receiver samples it without noise, (B, N, T); and the kind of waveform, (B,).

    The waveform is periodic over a buffer that holds the recording and the largest difference of delays, so every
    delay is an exact linear phase and none wraps round. The moment of the emission is free: the first arrival is at 0.
    """
    rate_hz, count = cast.channel.sample_rate_hz, cast.channel.sample_count
    delay = (cast.delay_s - cast.receivers.start_s)[..., None] + cast.links.path_delay_s
    delay = (delay - delay.amin(dim=(1, 2), keepdim=True)) * rate_hz
    length = buffer_length(count + int(delay.max()) + 1)
    spectrum, waveform = waveform_spectrum(cast.scenario.modulation, cast.channel, len(delay), length, chance)
    if offset_hz:
        spectrum = spectrum.roll(round(offset_hz * length / rate_hz), dims=-1)
    level_db = cast.links.level_db - cast.receivers.loss_db - cast.faults.loss_db
    amplitude = cast.receivers.gain * 10 ** (level_db / 20)
    response = paths_response(delay, cast.links.path_gain * amplitude[..., None], length)
    signal = torch.fft.ifft(response.mul_(spectrum[:, None]))
    equipment = cast.scenario.equipment
    if equipment.sample_rate_ppm > 0 or equipment.oscillator_ppm > 0:
        signal = stretch(signal, cast.receivers.sample_rate_error, count, fine=equipment.oscillator_ppm > 0)
    return detune(signal[..., :count], cast.receivers.carrier_offset_hz, rate_hz), waveform


def _second(law: SecondTransmitter, cast: Cast, chance: Chance) -> Cast:
    """The same receivers with a second transmitter at another place."""
    scenes, receivers = cast.layout.present.shape
    elsewhere = place(cast.scenario.area, scenes, receivers, chance).transmitter_enu_m
    links = propagate(
        cast.scenario.medium, replace(cast.layout, transmitter_enu_m=elsewhere), cast.frequency_hz, chance
    )
    middle_db = (cast.links.level_db.median(1).values - links.level_db.median(1).values)[:, None]
    level_db = links.level_db + middle_db + chance.uniform(law.level_db, scenes, 1)
    return replace(cast, links=replace(links, level_db=level_db))


def _digitise(samples: Tensor, cast: Cast, chance: Chance) -> Tensor:
    """What leaves the receivers: quantised where they have few bits, nothing from those that are missing."""
    equipment = cast.scenario.equipment
    if equipment.quantisation_bits is not None:
        headroom_db = chance.uniform(equipment.headroom_db, *cast.layout.present.shape)
        samples = quantise(samples, equipment.quantisation_bits, headroom_db)
    if cast.scenario.area.missing_probability > 0:
        samples = samples.masked_fill_(~cast.layout.present[..., None], 0)
    return samples
