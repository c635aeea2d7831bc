"""Clocks from a transmitter of known place that all receivers recorded: how cheap receivers come by arrival times."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from heimdall.errors import InputError
from heimdall.estimation.clocks.clock_fit import fit_clock
from heimdall.estimation.clocks.clock_path import MAST_ECHO_SIGMA_S
from heimdall.estimation.clocks.clock_report import Clock, ClockReport, Clocks
from heimdall.estimation.clocks.reference_channel import Channel, Match
from heimdall.estimation.clocks.reference_hearing import Hearing, decibels
from heimdall.estimation.clocks.reference_track import Matched, Track, together, track
from heimdall.formats.wording import band_text, frequency_text
from heimdall.observation import Observation
from heimdall.transmitter import KnownTransmitter

MOST_OFFSET_S = 2.0
"""Start times of recordings without GPS are trusted to this much: what networks and buffers leave."""
MOST_SIGMA_S = 10e-6
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
            f"{transmitter.name} sends at {frequency_text(transmitter.frequency_hz)}, which is not in the recordings "
            f"({band_text(observation.frequency_hz - room_hz, observation.frequency_hz + room_hz)}): "
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
    return _Search(Hearing(observation, transmitter, channel, most_offset_s)).clocks()


class _Search:
    """The clocks of those that hear one reference."""

    def __init__(self, hearing: Hearing) -> None:
        self.hearing = hearing

    def clocks(self) -> Clocks:
        hub, matches = self.hearing.hub()
        if hub is None:
            return self._refused(self.hearing.why_no_hub())
        if not matches:
            return self._refused(
                f"no receiver hears what {self.hearing.name(hub)} hears at {self.hearing.frequency}: "
                f"{self.hearing.transmitter.name} is too weak, or their start times are further apart than is searched"
            )
        streams = [self.hearing.streams[index] for index in self.hearing.heard]
        matched = together(Matched(streams, *self._in_order(matches, hub), self.hearing.channel))
        if not matched.matches:
            return self._refused(f"no recording overlaps with {self.hearing.name(hub)}'s")
        apart = [index for index in matches if self.hearing.heard.index(index) not in matched.matches]
        matches = {index: each for index, each in matches.items() if index not in apart}
        found_track = track(matched)
        echo_s = self._echo_sigmas(found_track, {hub, *matches})
        found, reasons = self._fits(found_track, hub, matches, echo_s)
        reasons |= dict.fromkeys(apart, "hardly any of its recording was made at the same time as the others'")
        wrong = self._contradiction(hub, found, echo_s[hub])
        if wrong is not None:
            return self._refused(wrong)
        reports = [
            self._report(index, hub, found.get(index), reasons.get(index))
            for index in range(len(self.hearing.receptions))
        ]
        kept = {index: clock for index, clock in found.items() if not self._keeps_own(index, hub)}
        if not kept:
            return replace(
                self._refused("it gives no receiver a clock; each is listed with the reason"), reports=tuple(reports)
            )
        hub_sigma_s, start_s = self._hub_sigma_s(hub, echo_s[hub]), self.hearing.receptions[hub].start_s
        anchored = hub in self.hearing.anchors
        return Clocks(self.hearing.transmitter, hub, hub_sigma_s, kept, tuple(reports), start_s, anchored=anchored)

    def _keeps_own(self, index: int, hub: int) -> bool:
        """A clock of one's own is kept where the hub has one, too: both are the same time."""
        return {index, hub} <= set(self.hearing.anchors)

    def _in_order(self, matches: Mapping[int, Match], hub: int) -> tuple[dict[int, Match], int]:
        """The matches and the hub, numbered by their place among the receivers that were heard."""
        return {self.hearing.heard.index(index): each for index, each in matches.items()}, self.hearing.heard.index(hub)

    def _echo_sigmas(self, found: Track, members: set[int]) -> dict[int, float]:
        """What echoes do to each delay: by the band's model, or as the receivers' spectra tilt against each other.

        A receiver's own tilt and that of all weigh alike: an echo may tilt and not delay, or the other way round.
        """
        tilt_s = {index: float(found.tilt_s_N[self.hearing.heard.index(index)]) for index in members}
        total = sum(each**2 for each in tilt_s.values()) + _PRIOR_COUNT * MAST_ECHO_SIGMA_S**2
        common = total / (len(tilt_s) - 1 + _PRIOR_COUNT)
        measured = {index: math.sqrt(0.5 * (common + each**2)) for index, each in tilt_s.items()}
        return {index: self.hearing.paths[index].echo_sigma_s or measured[index] for index in members}

    def _fits(
        self, found: Track, hub: int, matches: Mapping[int, Match], echo_s: Mapping[int, float]
    ) -> tuple[dict[int, Clock], dict[int, str]]:
        clocks: dict[int, Clock] = {}
        reasons: dict[int, str] = {}
        for index, each in matches.items():
            place = self.hearing.heard.index(index)
            valid = found.valid_KN[:, place]
            fit = fit_clock(found.time_s_K[valid], found.late_s_KN[valid, place], found.sigma_s_KN[valid, place])
            if fit is None or 2 * fit.readings < len(found.time_s_K):
                reasons[index] = f"it hears {self.hearing.transmitter.name} too seldom to follow its clock"
                continue
            span = np.array([0.0, self.hearing.streams[index].duration_s]) * each.rate + each.offset_s
            sigma_s = math.hypot(
                fit.sigma_s(span), echo_s[index], self.hearing.paths[index].sigma_s, self._anchored_s(hub, echo_s)
            )
            if sigma_s > MOST_SIGMA_S:
                reasons[index] = (
                    f"it hears {self.hearing.transmitter.name} too weakly: its clock would be known to {sigma_s:.1g} s"
                )
                continue
            path_s = self.hearing.paths[index].delay_s - self.hearing.paths[hub].delay_s
            clocks[index] = Clock(each, fit, path_s, sigma_s)
        return clocks, reasons

    def _anchored_s(self, hub: int, echo_s: Mapping[int, float]) -> float:
        """What ties clocks to an anchor's is uncertain for all of them; among themselves it does not matter."""
        return self._hub_sigma_s(hub, echo_s[hub]) if hub in self.hearing.anchors else 0.0

    def _hub_sigma_s(self, hub: int, echo_s: float) -> float:
        own = self.hearing.receptions[hub].receiver.clock_sigma_s if hub in self.hearing.anchors else 0.0
        return math.hypot(own or 0.0, echo_s, self.hearing.paths[hub].sigma_s)

    def _contradiction(self, hub: int, found: Mapping[int, Clock], hub_echo_s: float) -> str | None:
        """Receivers with clocks of their own know how far apart the reference comes to them."""
        judged = [
            (index, self._miss_s(index, hub, clock)) for index, clock in found.items() if self._keeps_own(index, hub)
        ]
        hub_sigma_s = self._hub_sigma_s(hub, hub_echo_s)
        wrong = [
            (index, miss_s)
            for index, miss_s in judged
            if abs(miss_s)
            > _MISMATCH_SIGMAS * math.hypot(found[index].sigma_s, hub_sigma_s, self.hearing.own_sigma_s(index))
        ]
        if not judged or 2 * len(wrong) <= len(judged):
            return None
        index, miss_s = wrong[0]
        return (
            f"what is heard at {self.hearing.frequency} comes to {self.hearing.name(index)} and {self.hearing.name(hub)}, "
            f"which have clocks of their own, {abs(miss_s) * 1e6:.3g} us otherwise than from "
            f"{self.hearing.transmitter.name}: it is another station, or its place is wrong"
        )

    def _miss_s(self, index: int, hub: int, clock: Clock) -> float:
        """By how much a receiver's stamps differ from the hub's by the reference, in the middle of its recording."""
        middle_s = 0.5 * self.hearing.streams[index].duration_s
        by_hub_s = float(clock.hub_time_s(np.array([middle_s]))[0]) + self.hearing.streams[hub].start_s
        return self.hearing.streams[index].start_s + middle_s - by_hub_s

    def _report(self, index: int, hub: int, clock: Clock | None, reason: str | None) -> ClockReport:
        name = self.hearing.name(index)
        if index not in self.hearing.heard:
            return ClockReport(name, False, self.hearing.receptions[index].flaw or "it has no samples")
        known = ClockReport(name, False, snr_db=decibels(self.hearing.snr[index]), distance_m=self._distance_m(index))
        if index == hub:
            own = index in self.hearing.anchors
            reason = "by its own clock; the others are held against it" if own else "the others are held against it"
            return replace(known, synchronised=not own, reason=reason)
        if clock is None:
            return replace(
                known, reason=reason or self.hearing.paths[index].flaw or self.hearing.why_no_match(index, hub)
            )
        known = replace(
            known,
            synchronised=not self._keeps_own(index, hub),
            reason="it keeps its own clock" if self._keeps_own(index, hub) else None,
            offset_s=self._start_offset_s(index, hub, clock),
            drift_ppm=-_drift(clock) * 1e6,
            carrier_ppm=-clock.match.carrier_hz / self.hearing.channel.frequency_hz * 1e6,
            residual_s=clock.fit.residual_s,
            readings=clock.fit.readings,
            clock_sigma_s=clock.sigma_s,
        )
        return known

    def _distance_m(self, index: int) -> float:
        return self.hearing.paths[index].distance_m

    def _start_offset_s(self, index: int, hub: int, clock: Clock) -> float:
        by_hub_s = float(clock.hub_time_s(np.array([0.0]))[0]) + self.hearing.streams[hub].start_s
        return self.hearing.streams[index].start_s - by_hub_s

    def _refused(self, why: str) -> Clocks:
        reports = tuple(
            ClockReport(
                each.receiver.name,
                False,
                None,
                self._distance_m(index) if index in self.hearing.paths else None,
                decibels(self.hearing.snr[index]) if index in self.hearing.snr else None,
            )
            for index, each in enumerate(self.hearing.receptions)
        )
        return Clocks(self.hearing.transmitter, None, math.inf, {}, reports, refused=why)


def _drift(clock: Clock) -> float:
    """Rate of the hub's time over the receiver's, less one, in the middle of the readings."""
    times = clock.fit.middle_s + np.array([-0.5, 0.5]) * clock.fit.half_s
    slope = float(np.diff(clock.fit(times))[0]) / clock.fit.half_s
    return clock.match.rate * (1 - slope) - 1
