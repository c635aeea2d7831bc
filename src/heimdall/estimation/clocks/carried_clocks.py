"""Clocks found in one recording and carried over to another, which the same clocks went on to stamp."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from heimdall.errors import InputError
from heimdall.estimation.clocks.clock_reference import MOST_SIGMA_S
from heimdall.estimation.clocks.clock_report import Clock, ClockReport, Clocks
from heimdall.estimation.clocks.synchronise import Band, Synchronised, applied
from heimdall.evidence.iq.carrier import OSCILLATORS
from heimdall.observation import Observation, Reception

_WARM_UP_S = 1200.0
"""Within which an oscillator that was switched on moves through what its class may be off by: receivers warm up in some twenty
minutes, and are carried over as if they still did."""


def carry_over(
    clocks: Clocks, source: Observation, observation: Observation, located: Band | None = None
) -> Synchronised:
    """The observation by the clocks that a reference gave the same receivers in `source`.

    Nothing in the recordings tells whether a clock ran on from one to the other: whoever calls says so, and a note repeats it.
    Raises InputError where one of the two does not say when it was.
    """
    for each in (observation, source):
        if each.time_utc is None:
            raise InputError(f"{each.id} does not say when it was recorded: its clocks cannot be carried over")
    return applied(observation, _Carried(clocks, source, observation).clocks(), located)


@dataclass(frozen=True)
class _Carried:
    found: Clocks
    source: Observation
    target: Observation

    def clocks(self) -> Clocks:
        index_of = {each.receiver.name: index for index, each in enumerate(self.source.receptions)}
        clocks: dict[int, Clock] = {}
        reports: list[ClockReport] = []
        hub = None
        for index, each in enumerate(self.target.receptions):
            given = index_of.get(each.receiver.name)
            if given is not None and given == self.found.hub:
                hub = index
            clock, report = self._one(each, given)
            reports.append(report)
            if clock is not None:
                clocks[index] = clock
        refused = self.found.refused or (
            None if clocks else "it gives no receiver a clock; each is listed with the reason"
        )
        if refused:
            hub, clocks, reports = None, {}, [replace(each, synchronised=False) for each in reports]
        return replace(
            self.found,
            hub=hub,
            found=clocks,
            reports=tuple(reports),
            hub_start_s=0.0,
            source=f" in {self.source.id}, recorded {self._when()}, if their clocks ran on from one to the other",
            refused=refused,
        )

    def _one(self, reception: Reception, given: int | None) -> tuple[Clock | None, ClockReport]:
        if given is None:
            return None, ClockReport(reception.receiver.name, False, f"it is not in {self.source.id}")
        report = self.found.reports[given]
        clock = self.found.found.get(given)
        if clock is None or reception.samples is None or reception.flaw is not None:
            return None, report if clock is None else replace(report, synchronised=False)
        carried = self._moved(clock, reception, given)
        if carried.sigma_s > MOST_SIGMA_S:
            reason = f"the reference was recorded {self._when()}: its clock would be known to {carried.sigma_s:.1g} s"
            return None, replace(report, synchronised=False, reason=reason, clock_sigma_s=None)
        start_s = float(carried.hub_time_s(np.array([0.0]))[0])
        return carried, replace(report, offset_s=reception.start_s - start_s, clock_sigma_s=carried.sigma_s)

    def _moved(self, clock: Clock, reception: Reception, index: int) -> Clock:
        """Its hub's time is counted from the target's `time_utc` on."""
        given = self.source.receptions[index]
        gap_s = self._apart_s + reception.start_s - given.start_s
        shift_s = self.found.hub_start_s - self._apart_s
        match, fit = clock.match, clock.fit
        frequency_hz = self.found.transmitter.frequency_hz
        moved = replace(
            match,
            offset_s=match.offset_s + match.rate * gap_s + shift_s,
            carrier_hz=match.carrier_hz * self.target.frequency_hz / frequency_hz,
        )
        later = replace(clock, match=moved, fit=replace(fit, middle_s=fit.middle_s + shift_s))
        return replace(later, sigma_s=self._sigma_s(clock, later, given, reception))

    def _sigma_s(self, clock: Clock, later: Clock, given: Reception, reception: Reception) -> float:
        """The law's where it is used now, with what the oscillators may have moved since; the rest is as it was.

        A match has the drift of the carrier, the law what readings add to it: with one oscillator for both, that is error.
        """
        was, now = _span(clock, given), _span(later, reception)
        rest_s2 = max(0.0, clock.sigma_s**2 - clock.fit.sigma_s(was) ** 2)
        beyond_s = float(np.max(later.fit.beyond_s(now)))
        warmed_s = 0.5 * OSCILLATORS[clock.match.oscillator] / _WARM_UP_S * beyond_s**2
        added_s = float(np.abs(np.diff(later.fit(now))[0] / np.diff(now)[0])) * beyond_s
        return math.hypot(math.sqrt(rest_s2), later.fit.sigma_s(now), warmed_s, added_s)

    @property
    def _apart_s(self) -> float:
        assert self.target.time_utc is not None
        assert self.source.time_utc is not None
        return (self.target.time_utc - self.source.time_utc).total_seconds()

    def _when(self) -> str:
        return f"{abs(self._apart_s):.3g} s {'before' if self._apart_s >= 0 else 'after'}"


def _span(clock: Clock, reception: Reception) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """When a recording begins and ends (2,), by the hub's time in s."""
    assert reception.samples is not None
    assert reception.sample_rate_hz is not None
    ends_s = np.array([0.0, len(reception.samples) / reception.sample_rate_hz])
    return ends_s * clock.match.rate + clock.match.offset_s
