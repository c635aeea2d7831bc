"""Clocks from a transmitter of known place that all receivers recorded: how cheap receivers come by arrival times."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from heimdall.errors import InputError
from heimdall.estimation.clocks.clock_fit import fit_clock
from heimdall.estimation.clocks.clock_path import MAST_ECHO_SIGMA_S, path_to
from heimdall.estimation.clocks.clock_report import Clock, ClockReport, Clocks
from heimdall.evidence.iq.reference_channel import Channel, Match, Stream, match
from heimdall.evidence.iq.reference_track import Track, signal_to_noise, track
from heimdall.observation import Observation, Reception
from heimdall.transmitter import KnownTransmitter

MOST_OFFSET_S = 0.5
"""Start times of recordings without GPS are trusted to this much: what networks and buffers leave."""
ANCHOR_SIGMA_S = 10e-6
"""A clock that claims to be this good keeps its own time, and the reference is held against it."""
LEAST_SNR = 2.0
"""Linear, in its channel: a hub hears the reference clearly."""
_CLEAR_SNR = 4.0
"""Who hears something this strong that nobody else hears, hears another station."""
_MOST_SIGMA_S = 10e-6
_HUBS = 3
_MISMATCH_SIGMAS = 5.0
_PRIOR_COUNT = 2.0
"""How many receivers' tilts the assumption about masts is worth."""


def channel_in(observation: Observation, transmitter: KnownTransmitter) -> Channel:
    """Where the reference lies in the recordings, cut to what all of them hold.

    Raises InputError where none of it is inside.
    """
    rates = [each.sample_rate_hz for each in observation.receptions if each.samples is not None and each.sample_rate_hz]
    room_hz = 0.5 * min(rates, default=0.0)
    offset_hz = transmitter.frequency_hz - observation.frequency_hz
    low, high = (offset_hz + side * 0.5 * transmitter.channel_hz for side in (-1, 1))
    low, high = max(low, -room_hz), min(high, room_hz)
    if high - low < 0.5 * transmitter.channel_hz:
        raise InputError(
            f"{transmitter.name} sends at {transmitter.frequency_hz / 1e6:.6g} MHz, which is not in the recordings "
            f"({(observation.frequency_hz - room_hz) / 1e6:.6g} to {(observation.frequency_hz + room_hz) / 1e6:.6g} MHz): "
            "record a band that holds it, or name another transmitter"
        )
    middle_hz = 0.5 * (low + high)
    return Channel(observation.frequency_hz + middle_hz, middle_hz, high - low)


def find_clocks(
    observation: Observation, transmitter: KnownTransmitter, most_offset_s: float = MOST_OFFSET_S
) -> Clocks:
    """The receivers' clocks by a reference in their recordings.

    Raises InputError where the reference is not in the recordings.
    """
    channel = channel_in(observation, transmitter)
    return _Search(observation, transmitter, channel, most_offset_s).clocks()


class _Search:
    """One observation and one reference."""

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

    def clocks(self) -> Clocks:
        hub, matches = self._hub()
        if hub is None:
            return self._refused(self._why_no_hub())
        if not matches:
            return self._refused(
                f"no receiver hears what {self._name(hub)} hears at {self._frequency}: {self.transmitter.name} is too weak, or "
                "their start times are further apart than is searched"
            )
        found_track = track([self.streams[index] for index in self.heard], *self._in_order(matches, hub), self.channel)
        echo_s = self._echo_sigmas(found_track, {hub, *matches})
        found, reasons = self._fits(found_track, hub, matches, echo_s)
        wrong = self._contradiction(hub, found, echo_s[hub])
        if wrong is not None:
            return self._refused(wrong)
        reports = [
            self._report(index, hub, found.get(index), reasons.get(index)) for index in range(len(self.receptions))
        ]
        kept = {index: clock for index, clock in found.items() if index not in self.anchors}
        if not kept:
            return replace(self._refused("it gives no receiver a clock, see receivers"), reports=tuple(reports))
        return Clocks(self.transmitter, hub, self._hub_sigma_s(hub, echo_s[hub]), kept, tuple(reports))

    @property
    def _frequency(self) -> str:
        return f"{self.transmitter.frequency_hz / 1e6:.6g} MHz"

    def _name(self, index: int) -> str:
        return self.receptions[index].receiver.name

    def _hub(self) -> tuple[int | None, dict[int, Match]]:
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

    def _in_order(self, matches: Mapping[int, Match], hub: int) -> tuple[dict[int, Match], int]:
        """By the place among those heard."""
        return {self.heard.index(index): each for index, each in matches.items()}, self.heard.index(hub)

    def _why_no_hub(self) -> str:
        flaws = [path.flaw for path in self.paths.values()]
        if flaws and all(flaws):
            return f"no receiver has a path from {self.transmitter.name} whose delay is known: {flaws[0]}"
        return (
            f"no receiver hears {self.transmitter.name} clearly at {self._frequency}: it is too weak, or does not send"
        )

    def _echo_sigmas(self, found: Track, members: set[int]) -> dict[int, float]:
        """What echoes do to each delay: by the band's model, or as the receivers' spectra tilt against each other.

        A receiver's own tilt and that of all weigh alike: an echo may tilt and not delay, or the other way round.
        """
        tilt_s = {index: float(found.tilt_s_N[self.heard.index(index)]) for index in members}
        total = sum(each**2 for each in tilt_s.values()) + _PRIOR_COUNT * MAST_ECHO_SIGMA_S**2
        common = total / (len(tilt_s) - 1 + _PRIOR_COUNT)
        measured = {index: math.sqrt(0.5 * (common + each**2)) for index, each in tilt_s.items()}
        return {index: self.paths[index].echo_sigma_s or measured[index] for index in members}

    def _fits(
        self, found: Track, hub: int, matches: Mapping[int, Match], echo_s: Mapping[int, float]
    ) -> tuple[dict[int, Clock], dict[int, str]]:
        clocks: dict[int, Clock] = {}
        reasons: dict[int, str] = {}
        for index, each in matches.items():
            place = self.heard.index(index)
            valid = found.valid_KN[:, place]
            fit = fit_clock(found.time_s_K[valid], found.late_s_KN[valid, place], found.sigma_s_KN[valid, place])
            if fit is None or 2 * fit.readings < len(found.time_s_K):
                reasons[index] = f"it hears {self.transmitter.name} too seldom to follow its clock"
                continue
            span = np.array([0.0, self.streams[index].duration_s]) * each.rate + each.offset_s
            sigma_s = math.hypot(
                fit.sigma_s(span), echo_s[index], self.paths[index].sigma_s, self._anchored_s(hub, echo_s)
            )
            if sigma_s > _MOST_SIGMA_S:
                reasons[index] = (
                    f"it hears {self.transmitter.name} too weakly: its clock would be known to {sigma_s:.1g} s"
                )
                continue
            path_s = self.paths[index].delay_s - self.paths[hub].delay_s
            clocks[index] = Clock(each, fit, path_s, sigma_s)
        return clocks, reasons

    def _anchored_s(self, hub: int, echo_s: Mapping[int, float]) -> float:
        """What ties clocks to an anchor's is uncertain for all of them; among themselves it does not matter."""
        return self._hub_sigma_s(hub, echo_s[hub]) if hub in self.anchors else 0.0

    def _hub_sigma_s(self, hub: int, echo_s: float) -> float:
        own = self.receptions[hub].receiver.clock_sigma_s if hub in self.anchors else 0.0
        return math.hypot(own or 0.0, echo_s, self.paths[hub].sigma_s)

    def _contradiction(self, hub: int, found: Mapping[int, Clock], hub_echo_s: float) -> str | None:
        """Receivers with clocks of their own know how far apart the reference comes to them."""
        judged = [(index, self._miss_s(index, hub, found[index])) for index in self.anchors if index in found]
        hub_sigma_s = self._hub_sigma_s(hub, hub_echo_s)
        wrong = [
            (index, miss_s)
            for index, miss_s in judged
            if abs(miss_s) > _MISMATCH_SIGMAS * math.hypot(found[index].sigma_s, hub_sigma_s, self._own_s(index))
        ]
        if not judged or 2 * len(wrong) <= len(judged):
            return None
        index, miss_s = wrong[0]
        return (
            f"what is heard at {self._frequency} comes to {self._name(index)} and {self._name(hub)}, which have clocks of their "
            f"own, {abs(miss_s) * 1e6:.3g} us otherwise than from {self.transmitter.name}: it is another station, or its "
            "place is wrong"
        )

    def _own_s(self, index: int) -> float:
        return self.receptions[index].receiver.clock_sigma_s or 0.0

    def _miss_s(self, index: int, hub: int, clock: Clock) -> float:
        """By how much a receiver's stamps differ from the hub's by the reference, in the middle of its recording."""
        middle_s = 0.5 * self.streams[index].duration_s
        by_hub_s = float(clock.hub_time_s(np.array([middle_s]))[0]) + self.streams[hub].start_s
        return self.streams[index].start_s + middle_s - by_hub_s

    def _report(self, index: int, hub: int, clock: Clock | None, reason: str | None) -> ClockReport:
        name = self._name(index)
        if index not in self.heard:
            return ClockReport(name, False, self.receptions[index].flaw or "it has no samples")
        known = ClockReport(name, False, snr_db=_decibels(self.snr[index]), distance_m=self._distance_m(index))
        if index == hub:
            own = index in self.anchors
            reason = "by its own clock; the others are held against it" if own else "the others are held against it"
            return replace(known, synchronised=not own, reason=reason)
        if clock is None:
            return replace(known, reason=reason or self.paths[index].flaw or self._why_no_match(index, hub))
        known = replace(
            known,
            synchronised=index not in self.anchors,
            reason=None if index not in self.anchors else "it keeps its own clock",
            offset_s=self._start_offset_s(index, hub, clock),
            drift_ppm=-_drift(clock) * 1e6,
            carrier_ppm=-clock.match.carrier_hz / self.channel.frequency_hz * 1e6,
            residual_s=clock.fit.residual_s,
            readings=clock.fit.readings,
            clock_sigma_s=clock.sigma_s,
        )
        return known

    def _distance_m(self, index: int) -> float:
        return self.paths[index].distance_m

    def _start_offset_s(self, index: int, hub: int, clock: Clock) -> float:
        by_hub_s = float(clock.hub_time_s(np.array([0.0]))[0]) + self.streams[hub].start_s
        return self.streams[index].start_s - by_hub_s

    def _why_no_match(self, index: int, hub: int) -> str:
        if self.snr[index] >= _CLEAR_SNR:
            return (
                f"what it hears at {self._frequency} is not what {self._name(hub)} hears: another station than "
                f"{self.transmitter.name}, or its start time is more than {self.most_offset_s:g} s off"
            )
        return f"it hears {self.transmitter.name} too weakly ({_decibels(self.snr[index]):.0f} dB)"

    def _refused(self, why: str) -> Clocks:
        reports = tuple(
            ClockReport(
                each.receiver.name,
                False,
                None,
                self._distance_m(index) if index in self.paths else None,
                _decibels(self.snr[index]) if index in self.snr else None,
            )
            for index, each in enumerate(self.receptions)
        )
        return Clocks(self.transmitter, None, math.inf, {}, reports, why)


def _stream(reception: Reception) -> Stream:
    assert reception.samples is not None
    assert reception.sample_rate_hz is not None
    return Stream(reception.samples, reception.sample_rate_hz, reception.start_s)


def _is_anchor(reception: Reception) -> bool:
    sigma_s = reception.receiver.clock_sigma_s
    return sigma_s is not None and sigma_s <= ANCHOR_SIGMA_S


def _drift(clock: Clock) -> float:
    """Rate of the hub's time over the receiver's, less one, in the middle of the readings."""
    times = clock.fit.middle_s + np.array([-0.5, 0.5]) * clock.fit.half_s
    slope = float(np.diff(clock.fit(times))[0]) / clock.fit.half_s
    return clock.match.rate * (1 - slope) - 1


def _decibels(ratio: float) -> float:
    return 10 * math.log10(max(ratio, 1e-6))
