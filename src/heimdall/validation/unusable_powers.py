"""Powers that cannot be in dBm, none of which is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from heimdall.observation import Reception

_MOST_AS_WATTS = 1.0
"""No receiver takes in more than a watt, and powers in dBm never all lie between 0 and 1."""


@dataclass(frozen=True)
class PowerFlaw:
    """Why no power of an observation is used."""

    why: str
    ask: str
    """The mistake that is likely, to be mended."""


def power_flaw(receptions: Sequence[Reception]) -> PowerFlaw | None:
    """What is wrong with powers none of which is below 0 dBm, which overloads a receiver; None where one is.

    Stronger ones are those of a transmitter next to the antenna. Without their sign powers put the transmitter where they are
    weakest, and in watts they say that all are the same.
    """
    powers_dbm = [each.rssi_dbm for each in receptions if each.flaw is None and each.rssi_dbm is not None]
    if not powers_dbm or min(powers_dbm) < 0:
        return None
    most_dbm = max(powers_dbm)
    if most_dbm <= _MOST_AS_WATTS:
        why = f"{min(powers_dbm):.3g} to {most_dbm:.3g} are no dBm"
        return PowerFlaw(why, "convert watts or milliwatts to dBm")
    why = f"none is below 0 dBm, and {most_dbm:.3g} dBm would be {_watts_text(most_dbm)} at an antenna"
    return PowerFlaw(why, "is the minus sign missing? From dBµV at 50 ohm, subtract 107")


def _watts_text(power_dbm: float) -> str:
    watts = 10 ** (power_dbm / 10 - 3)
    for unit, size in (("GW", 1e9), ("MW", 1e6), ("kW", 1e3), ("W", 1.0)):
        if watts >= size:
            return f"{watts / size:.1f} {unit}" if watts < 10 * size else f"{watts / size:.0f} {unit}"
    return f"{watts * 1e3:.0f} mW"
