"""Receivers that give numbers beside receivers that give IQ: one scale of time, and one of power.

A correlation's arrival times have an origin of their own, and a recording's level has the scale of its receiver: a receiver
that gives both ties them to the numbers of the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from heimdall.evidence.batch import EvidenceBatch
from heimdall.observation import Reception

TABLE_ARRIVAL_SIGMA_S = 10e-9
"""An arrival time that comes as a number is at best as good as this."""
_UNKNOWN_GAIN_SIGMA_DB = 20.0
"""What separates a recording's scale of power from decibels over a milliwatt where no receiver gives both: gains of
software-defined radios span some 80 dB."""
_TIMES_APART = "its arrival time has another origin than the recordings': give toa_s of a receiver with IQ, too"
_RECORDINGS_APART = "its recording's arrival time has another origin than toa_s of the others: give its toa_s, too"
_POWERS_APART = (
    "its power has another scale than the others' and counts little: give rssi_dbm of a receiver with IQ, too"
)

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]
Reasons = dict[int, str]


def with_numbers(
    evidence: EvidenceBatch, receptions: Sequence[Reception], timed_N: Mask
) -> tuple[EvidenceBatch, Reasons]:
    """The evidence of the recordings (a batch of one) with the numbers of the other receivers, and what to say of each.

    `timed_N`: whose clock carries an arrival time.
    """
    evidence, time_reasons = _with_times(evidence, receptions, timed_N)
    evidence, power_reasons = _with_powers(evidence, receptions)
    return evidence, {**power_reasons, **time_reasons}


def _numbers(values: Sequence[float | None]) -> Values:
    return np.array([math.nan if value is None else value for value in values])


def _with_times(
    evidence: EvidenceBatch, receptions: Sequence[Reception], timed_N: Mask
) -> tuple[EvidenceBatch, Reasons]:
    toa_s, recorded = _numbers([each.toa_s for each in receptions]), evidence.has_arrival[0]
    arrival_s, sigma_s = evidence.arrival_s[0].copy(), evidence.arrival_sigma_s[0].copy()
    stated = np.isfinite(toa_s) & timed_N
    both, alone = stated & recorded, stated & ~recorded
    if not alone.any():
        return evidence, {}
    if both.any():
        origin_s = float(np.median((toa_s - arrival_s)[both]))
        variance_s2 = (evidence.arrival_sigma_s[0] ** 2 + evidence.clock_sigma_s[0] ** 2)[both]
        origin_sigma_s = math.sqrt(float(np.mean(variance_s2)) / int(both.sum()))
    elif alone.sum() > recorded.sum():
        origin_s, origin_sigma_s = float(np.min(toa_s[alone])), 0.0
        reasons = {int(index): _RECORDINGS_APART for index in np.flatnonzero(recorded)}
        recorded = np.zeros_like(recorded)
    else:
        return evidence, {int(index): _TIMES_APART for index in np.flatnonzero(alone)}
    arrival_s[alone] = toa_s[alone] - origin_s
    sigma_s[alone] = math.hypot(TABLE_ARRIVAL_SIGMA_S, origin_sigma_s)
    changed = replace(
        evidence, arrival_s=arrival_s[None], arrival_sigma_s=sigma_s[None], has_arrival=(recorded | alone)[None]
    )
    return changed, {} if both.any() else reasons


def _with_powers(evidence: EvidenceBatch, receptions: Sequence[Reception]) -> tuple[EvidenceBatch, Reasons]:
    rssi_dbm, recorded = _numbers([each.rssi_dbm for each in receptions]), evidence.has_level[0]
    level_db, sigma_db = evidence.level_db[0].copy(), evidence.level_sigma_db[0].copy()
    stated = np.isfinite(rssi_dbm)
    both, alone = stated & recorded, stated & ~recorded
    if not alone.any():
        return evidence, {}
    loose = np.zeros_like(alone)
    gain_db = 0.0
    if both.any():
        gain_db = float(np.median((rssi_dbm - level_db)[both]))
    elif recorded.any():
        gain_db = float(np.median(rssi_dbm[alone]) - np.median(level_db[recorded]))
        loose = alone if alone.sum() <= recorded.sum() else recorded
    level_db[alone] = rssi_dbm[alone] - gain_db
    sigma_db[loose] = np.hypot(sigma_db[loose], _UNKNOWN_GAIN_SIGMA_DB)
    changed = replace(
        evidence,
        level_db=level_db[None],
        level_sigma_db=sigma_db[None],
        has_level=(recorded | alone)[None],
        silent=None if evidence.silent is None else evidence.silent & ~alone,
    )
    return changed, {int(index): _POWERS_APART for index in np.flatnonzero(loose)}
