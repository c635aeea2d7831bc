"""Frequencies as people type them."""

from __future__ import annotations

from heimdall.errors import InputError

UNITS_HZ = {"GHz": 1e9, "MHz": 1e6, "kHz": 1e3}
_FACTORS = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}


def hertz(text: str) -> float:
    """77.5k, 1M, 433.92 MHz, 1.2G, or plain hertz. Raises InputError."""
    number, factor = text.strip().removesuffix("Hz").rstrip(), 1.0
    if number[-1:] in _FACTORS:
        number, factor = number[:-1], _FACTORS[number[-1]]
    try:
        value = float(number) * factor
    except ValueError:
        value = 0.0
    if not 0 < value < 1e12:
        raise InputError(f"{text!r} is not a frequency: write 77500, 77.5k or 433.92M")
    return value
