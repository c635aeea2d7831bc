"""Figures that stand for none: what programs write where they know nothing, and what would pass for a measurement."""

from __future__ import annotations

from collections.abc import Sequence

from heimdall.observation import Observation

_NAMED = 3
"""Receivers named in one sentence."""
_LEAST_GAP_DB = 10.0
"""Shadowing and distance seldom leave such a gap above powers that are the same to the digit."""


def placeholder_doubts(observation: Observation) -> tuple[str, ...]:
    """One sentence for each that is asked about, empty where it is not."""
    return _exact_clock_doubt(observation), _floor_doubt(observation)


def _exact_clock_doubt(observation: Observation) -> str:
    """Clocks without any uncertainty: a zero that a program put where it knew none."""
    timed = (each for each in observation.usable if each.toa_s is not None or each.samples is not None)
    exact = [each.receiver.name for each in timed if each.receiver.clock_sigma_s == 0]
    if not exact:
        return ""
    return (
        f"{_names_text(exact)} {'has a clock' if len(exact) == 1 else 'have clocks'} uncertain by exactly 0 s, as no clock is:"
        " does that stand for unknown? If so, make `clock_sigma_s` null"
    )


def _floor_doubt(observation: Observation) -> str:
    """Powers that are the same at several receivers and far below all others: a program's placeholder for no signal."""
    powers_dbm = [each.rssi_dbm for each in observation.usable if each.rssi_dbm is not None]
    lowest_dbm = min(powers_dbm, default=0.0)
    others_dbm = [each for each in powers_dbm if each > lowest_dbm]
    alike = len(powers_dbm) - len(others_dbm)
    if alike < 2 or not others_dbm or (gap_db := min(others_dbm) - lowest_dbm) < _LEAST_GAP_DB:
        return ""
    return (
        f"{alike} receivers report exactly {lowest_dbm:.6g} dBm, {gap_db:.0f} dB below all others: does that stand for no signal?"
        " If so, make `rssi_dbm` null and give their sensitivity as `sensitivity_dbm`"
    )


def _names_text(names: Sequence[str]) -> str:
    return f"{', '.join(names[:_NAMED])}{' and others' if len(names) > _NAMED else ''}"
