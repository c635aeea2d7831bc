"""Arrival times that at most receivers lie further apart than light allows: a unit or an origin mistaken, and nobody's fault."""

from __future__ import annotations

import numpy as np

from heimdall.constants import SPEED_OF_LIGHT_M_S, UNITS_S
from heimdall.estimation.integrity.suspicion import delay_text
from heimdall.evidence.batch import EvidenceBatch

_TOO_FAR = 5.0
"""Times that differ by so many times what light takes across the network are no echoes: those last as long at most."""


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
