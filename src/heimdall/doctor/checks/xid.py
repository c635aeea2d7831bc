"""Errors of the card itself: what the kernel's log calls an Xid, and a GPU that is lost."""

from __future__ import annotations

import re
from dataclasses import dataclass

from heimdall.doctor.checks.driver import on_host
from heimdall.doctor.facts import Facts, nvml
from heimdall.doctor.finding import Finding

XID = re.compile(r"NVRM: Xid \((?:PCI:)?([0-9a-fA-F:.]+)\): (\d+)")


@dataclass(frozen=True)
class XidMeaning:
    """`fatal` means that the card does not work until the fix is done."""

    cause: str
    fix: tuple[str, ...]
    fatal: bool = False


_RESET = ("# end the programs on the GPU, then:", "sudo nvidia-smi --gpu-reset")
_PROGRAM = ("# look at the training's own log for the first CUDA error", "docker logs --tail 200 heimdall-training")
_MEMORY = (
    *_RESET,
    "nvidia-smi -q -d ECC,ROW_REMAPPER,PAGE_RETIREMENT",
    "# if it comes back: the card is to be replaced",
)
XIDS = {
    79: XidMeaning(
        "The card has fallen off the PCI bus: power, cable, seat or heat.",
        (
            "# shut down, check the power cables and the seat of the card; a reboot brings it back for now",
            "sudo reboot",
        ),
        fatal=True,
    ),
    48: XidMeaning("An uncorrectable memory error on the card (ECC, two bits).", _MEMORY, fatal=True),
    64: XidMeaning("The card could not retire or remap a broken memory row.", _MEMORY, fatal=True),
    95: XidMeaning("An uncontained memory error on the card: every program on it is affected.", _MEMORY, fatal=True),
    119: XidMeaning(
        "The card's own processor (GSP) does not answer the driver.",
        (
            *_RESET,
            "# if it comes back, do without the GSP (not with the open kernel module):",
            "echo 'options nvidia NVreg_EnableGpuFirmware=0' | sudo tee /etc/modprobe.d/nvidia-gsp.conf",
            "sudo reboot",
        ),
        fatal=True,
    ),
    63: XidMeaning("The card has noted a broken memory row and replaces it at the next reset.", _RESET),
    94: XidMeaning("A contained memory error on the card: only the program that met it had to end.", _RESET),
    31: XidMeaning(
        "A program reached for memory that is not its own (MMU fault): most often the program, not the card.", _PROGRAM
    ),
    13: XidMeaning("A program made the card's engine fail: most often the program, not the card.", _PROGRAM),
}
UNKNOWN_XID = XidMeaning("The driver reports an error of the card or of a program on it.", _PROGRAM)


def xids(facts: Facts) -> list[tuple[str, int]]:
    """Bus address and code of every Xid the kernel wrote since the boot."""
    return [(address, int(code)) for address, code in XID.findall(facts.kernel_log)]


def check_lost(facts: Facts) -> Finding | None:
    seen = [(address, code) for address, code in xids(facts) if XIDS.get(code, UNKNOWN_XID).fatal]
    broken = facts.nvml.code not in (None, nvml.OK) or facts.nvml.timed_out
    if facts.nvml.code in (nvml.GPU_IS_LOST, nvml.RESET_REQUIRED) or (seen and broken):
        evidence = "; ".join([facts.nvml.evidence, *(f"Xid {code} on {address}" for address, code in seen[-3:])])
        lost = facts.nvml.code == nvml.GPU_IS_LOST
        meaning = XIDS[seen[-1][1]] if seen else XIDS[79] if lost else XidMeaning("The GPU needs a reset.", _RESET)
        return Finding("gpu_lost", "fault", evidence, meaning.cause, on_host(facts, meaning.fix))
    return None


def check_xid(facts: Facts) -> Finding | None:
    """Errors the card got over: worth a warning, never the reason why the GPU is not used."""
    found = xids(facts)
    if not found:
        return None
    _, gravest = max(found, key=lambda item: (XIDS.get(item[1], UNKNOWN_XID).fatal, item[1] in XIDS))
    meaning = XIDS.get(gravest, UNKNOWN_XID)
    counts = ", ".join(f"Xid {code} {found.count((card, code))} times on {card}" for card, code in sorted(set(found)))
    return Finding("gpu_xid", "warning", f"kernel log since the boot: {counts}", meaning.cause, meaning.fix)
