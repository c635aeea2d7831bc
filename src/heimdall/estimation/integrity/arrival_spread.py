"""Arrival times whose spread no place explains: further apart than light allows, or all alike. It is nobody's fault alone."""

from __future__ import annotations

import numpy as np
import scipy

from heimdall.constants import SPEED_OF_LIGHT_M_S, UNITS_S
from heimdall.evidence.batch import EvidenceBatch
from heimdall.formats.wording import delay_text

_TOO_FAR = 5.0
"""Times that differ by so many times what light takes across the network are no echoes: those last as long at most."""

_FEWEST_ALIKE = 3
_USUAL = 0.95
"""Times count as alike if their chi-square is below this quantile of equal times'."""
_LEAST_CHANCE = 1e-4
"""Square of the times' uncertainty over what light takes across the area: above it, equal times may well be chance."""


def times_apart(evidence: EvidenceBatch) -> str:
    """What to ask of the times of one scene (a batch of one), by the median of how far they are from their median, which one
    wrong receiver in three does not move; empty where nothing is to be asked."""
    arrival_s = np.asarray(evidence.arrival_s[0])[np.asarray(evidence.has_arrival[0])]
    if len(arrival_s) < 2:
        return ""
    across_s = float(evidence.half_width_m[0]) / SPEED_OF_LIGHT_M_S
    if float(np.median(np.abs(arrival_s - np.median(arrival_s)))) <= _TOO_FAR * across_s:
        return ""
    range_s = float(np.ptp(arrival_s))
    unit = next((name for name, size in UNITS_S if range_s * size <= across_s), None)
    ask = f"are they in {unit}, or do" if unit else "do"
    return (
        f"the arrival times lie up to {delay_text(range_s)} apart, and light crosses the network of the receivers in about"
        f" {delay_text(across_s)}: {ask} they count from different origins?"
    )


def times_alike(evidence: EvidenceBatch) -> str:
    """What to ask where three arrival times or more of one scene (a batch of one) are the same within their uncertainties;
    empty where they are not, or where that happens by chance."""
    timed = np.asarray(evidence.has_arrival[0])
    arrival_s = np.asarray(evidence.arrival_s[0])[timed]
    sigma_s = np.hypot(evidence.clock_sigma_s[0], evidence.arrival_sigma_s[0])[timed]
    across_s = float(evidence.half_width_m[0]) / SPEED_OF_LIGHT_M_S
    if len(arrival_s) < _FEWEST_ALIKE or float(np.max(sigma_s)) ** 2 > _LEAST_CHANCE * across_s**2:
        return ""
    weight = sigma_s**-2
    late_s = arrival_s - np.sum(weight * arrival_s) / np.sum(weight)
    if np.sum(weight * late_s**2) > scipy.special.chdtri(len(arrival_s) - 1, 1 - _USUAL):
        return ""
    return (
        "all arrival times are the same within their uncertainty, which hardly any place explains: is the signal one of the"
        " receivers' own, such as a pulse of their clocks, or is one time copied to all?"
    )
