"""The words of rtl_tcp: a greeting of twelve bytes, commands of five, then bytes of I and Q without an end.

Facts from rtl-sdr (osmocom) and the programs that speak the same: SDR++, OpenWebRX, rtl_433.
"""

from __future__ import annotations

import struct
from enum import IntEnum

GREETING = struct.Struct(">4sII")
COMMAND = struct.Struct(">BI")
MAGIC = b"RTL0"
TUNERS = {0: "unknown tuner", 1: "E4000", 2: "FC0012", 3: "FC0013", 4: "FC2580", 5: "R820T", 6: "R828D"}


class Command(IntEnum):
    """The parameter's unit stands behind each."""

    FREQUENCY = 0x01
    """Hz"""
    SAMPLE_RATE = 0x02
    """Hz"""
    GAIN_MODE = 0x03
    """0: automatic, 1: by `GAIN`"""
    GAIN = 0x04
    """tenths of a dB"""
    PPM = 0x05
    """parts per million, signed"""
    AGC = 0x08
    """of the chip after the tuner: 0 or 1"""


def command(which: Command, value: int) -> bytes:
    return COMMAND.pack(which, value & 0xFFFF_FFFF)
