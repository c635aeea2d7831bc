"""Who hears a reference: what each receiver recorded of it, and the receiver that the others are held against."""

from __future__ import annotations

import math

from heimdall.estimation.clocks.clock_path import path_to
from heimdall.estimation.clocks.reference_channel import Channel, Match, Stream, match
from heimdall.estimation.clocks.reference_track import signal_to_noise
from heimdall.formats.wording import frequency_text
from heimdall.observation import Observation, Reception
from heimdall.transmitter import KnownTransmitter

ANCHOR_SIGMA_S = 10e-6
"""A clock that claims to be this good keeps its own time, and the reference is held against it."""
LEAST_SNR = 2.0
"""Linear, in its channel: a hub hears the reference clearly."""
_CLEAR_SNR = 4.0
"""Who hears something this strong that nobody else hears, hears another station."""
_HUBS = 3


class Hearing:
    """One observation and one reference; receivers are told by their index in the observation."""

    def __init__(
        self, observation: Observation, transmitter: KnownTransmitter, channel: Channel, most_offset_s: float
    ) -> None:
        self.receptions, self.transmitter, self.channel = observation.receptions, transmitter, channel
        self.most_offset_s = most_offset_s
        self.heard = [
            index for index, each in enumerate(self.receptions) if each.flaw is None and each.samples is not None
        ]
        self.streams = {index: _stream(self.receptions[index]) for index in self.heard}
        self.paths = {index: path_to(self.receptions[index].receiver, transmitter) for index in self.heard}
        self.snr = {index: signal_to_noise(self.streams[index], channel) for index in self.heard}
        self.anchors = [index for index in self.heard if _is_anchor(self.receptions[index])]

    @property
    def frequency(self) -> str:
        return frequency_text(self.transmitter.frequency_hz)

    def name(self, index: int) -> str:
        return self.receptions[index].receiver.name

    def own_sigma_s(self, index: int) -> float:
        return self.receptions[index].receiver.clock_sigma_s or 0.0

    def hub(self) -> tuple[int | None, dict[int, Match]]:
        """The receiver that all are held against, and those that hear the same: the nearest to the reference that hears it
        clearly, of those with a clock where there are any; another where hardly anybody agrees with it."""
        clear = [index for index in self.heard if self.snr[index] >= LEAST_SNR and self.paths[index].flaw is None]
        candidates = [index for index in clear if index in self.anchors] or clear
        candidates.sort(key=lambda index: self.paths[index].delay_s)
        best: tuple[int | None, dict[int, Match]] = (None, {})
        for hub in candidates[:_HUBS]:
            matches = self._matches(hub)
            if best[0] is None or len(matches) > len(best[1]):
                best = hub, matches
            if 2 * len(matches) >= len(clear) - 1:
                break
        return best

    def _matches(self, hub: int) -> dict[int, Match]:
        others = [index for index in self.heard if index != hub and self.paths[index].flaw is None]
        found = {
            index: match(self.streams[index], self.streams[hub], self.channel, self.most_offset_s) for index in others
        }
        return {index: each for index, each in found.items() if each is not None}

    def why_no_hub(self) -> str:
        """Why there is no receiver to hold the others against."""
        flaws = [path.flaw for path in self.paths.values()]
        if flaws and all(flaws):
            return f"no receiver has a path from {self.transmitter.name} whose delay is known: {flaws[0]}"
        return (
            f"no receiver hears {self.transmitter.name} clearly at {self.frequency}: it is too weak, or does not send"
        )

    def why_no_match(self, index: int, hub: int) -> str:
        """Why a receiver cannot be held against the hub; both by their indices."""
        if self.snr[index] >= _CLEAR_SNR:
            return (
                f"what it hears at {self.frequency} is not what {self.name(hub)} hears: another station than "
                f"{self.transmitter.name}, or its start time is more than {self.most_offset_s:g} s off"
            )
        return f"it hears {self.transmitter.name} too weakly ({decibels(self.snr[index]):.0f} dB)"


def _stream(reception: Reception) -> Stream:
    assert reception.samples is not None
    assert reception.sample_rate_hz is not None
    return Stream(reception.samples, reception.sample_rate_hz, reception.start_s)


def _is_anchor(reception: Reception) -> bool:
    sigma_s = reception.receiver.clock_sigma_s
    return sigma_s is not None and sigma_s <= ANCHOR_SIGMA_S


def decibels(ratio: float) -> float:
    return 10 * math.log10(max(ratio, 1e-6))
