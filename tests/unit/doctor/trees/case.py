"""What a host's tree of files must make the doctor say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from heimdall.doctor.facts import wheels

CURRENT = wheels.CURRENT_TORCH
MISMATCH = "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: {}\n"
NO_DEVICES = "No devices were found\n"
FAILED = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n"
BOOT_S = 1_728_300_000
BEFORE_BOOT_S, AFTER_BOOT_S = BOOT_S - 100_000, BOOT_S + 100_000
RUN = "https://download.nvidia.com/XFree86/Linux-x86_64"


@dataclass(frozen=True)
class Case:
    """`commands` are all that is to be typed; `says` stands in the cause, `seen` in the evidence."""

    source: str
    plant: Callable[[Any], Any]
    finding: str
    commands: tuple[str, ...] = ()
    says: str = ""
    seen: str = ""
    status: str = "fault"
