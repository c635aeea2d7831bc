"""Clocks by a reference held against clocks by GPS, on the same scenes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from heimdall.estimation.clocks.carried_clocks import carry_over
from heimdall.estimation.clocks.clock_reference import find_clocks
from heimdall.estimation.clocks.synchronise import Synchronised, synchronise
from heimdall.evaluation.comparison import Case, Comparison, Method, case_of, compare
from heimdall.evaluation.summaries import ratio_of_medians
from heimdall.locating.pipeline import locate_each
from heimdall.observation import Observation
from heimdall.simulation.dongles import apart, pair, station
from heimdall.simulation.observe import EPOCH, to_observation
from heimdall.simulation.scenarios import Scenario
from heimdall.transmitter import KnownTransmitter


@dataclass(frozen=True, eq=False)
class Heard:
    """One scene by both kinds of clocks, and its reference."""

    by_reference: Observation
    by_gps: Observation
    transmitter: KnownTransmitter
    before: Observation | None = None
    """The recording that has the reference, where it is another one by the same clocks."""


def hear(law: Scenario, seed: int, index: int, apart_s: float | None = None) -> Heard:
    """Scene `index` of a seed; with `apart_s` its reference is in a recording that was begun so many seconds before."""
    if apart_s is None:
        heard, by_gps = pair(law, seed, index)
        return Heard(to_observation(heard, 0), to_observation(by_gps, 0), station(heard, 0))
    heard, by_gps, told = apart(law, seed, index, apart_s)
    before = to_observation(told, 0, time_utc=EPOCH - timedelta(seconds=apart_s))
    return Heard(to_observation(heard, 0), to_observation(by_gps, 0), station(told, 0), before)


@dataclass(frozen=True)
class ClockScore:
    """Errors of positions in m, and shares of truths in the regions."""

    scenes: int
    median_m: float
    gps_median_m: float
    ratio: tuple[float, float, float]
    """Ratio of the medians, with its 95 % interval by paired bootstrap."""
    coverage_68: float
    coverage_95: float
    gps_coverage_68: float
    gps_coverage_95: float
    clock_sigma_s: float
    """Median of what is claimed."""
    synchronised: float
    """Share of the receivers that have a clock from the reference."""


def score(heard: Iterable[Heard]) -> ClockScore:
    """Locate each scene both ways, one in memory at a time."""
    parts: list[tuple[Comparison, Comparison]] = []
    sigmas: list[float] = []
    given = receivers = 0
    for each in heard:
        found = _synchronised(each)
        sigmas += [report.clock_sigma_s for report in found.clocks.reports if report.clock_sigma_s is not None]
        given, receivers = given + found.count, receivers + len(found.clocks.reports)
        parts.append((_located(case_of(found.observation)), _located(case_of(each.by_gps))))
    mine, gps = ([part[way].answers["likelihood"][0] for part in parts] for way in (0, 1))
    error_m, gps_m = (np.array([answer.error_m for answer in answers]) for answers in (mine, gps))
    return ClockScore(
        len(parts),
        float(np.median(error_m)),
        float(np.median(gps_m)),
        ratio_of_medians(error_m, gps_m, np.random.default_rng(0)),
        float(np.mean([answer.covered[1] for answer in mine])),
        float(np.mean([answer.covered[2] for answer in mine])),
        float(np.mean([answer.covered[1] for answer in gps])),
        float(np.mean([answer.covered[2] for answer in gps])),
        float(np.median(sigmas)) if sigmas else math.inf,
        given / max(receivers, 1),
    )


def _synchronised(heard: Heard) -> Synchronised:
    if heard.before is None:
        return synchronise(heard.by_reference, heard.transmitter)
    return carry_over(find_clocks(heard.before, heard.transmitter), heard.before, heard.by_reference)


def _located(case: Case) -> Comparison:
    return compare([case], [Method("likelihood", locate_each)])
