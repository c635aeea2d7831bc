"""Errors of the card itself: what the kernel's log calls an Xid, and a GPU that is lost."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from heimdall.doctor.checks.driver import on_host
from heimdall.doctor.facts import Facts
from heimdall.doctor.facts.driver import nvml
from heimdall.doctor.finding import Finding, Way

FALLEN = re.compile(
    r"[^\n]*(?:GPU|NVRM)[^\n]*fallen off the bus[^\n]*|[^\n]*fallen off the bus and is not responding[^\n]*"
)
ADDRESS = re.compile(r"[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}(?:\.\d)?")
XID = re.compile(r"NVRM: Xid \((?:PCI:)?([0-9a-fA-F:.]+)\): (\d+)")


@dataclass(frozen=True)
class XidMeaning:
    """`fatal` means that the card does not work until the fix is done."""

    cause: str
    fix: tuple[str, ...]
    fatal: bool = False


_RESET = ("# when no program uses the GPU any more:", "sudo nvidia-smi --gpu-reset")
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
            "# if it comes back: update the driver; the proprietary module alone can do without the GSP",
        ),
        fatal=True,
    ),
    120: XidMeaning("The card's own processor (GSP) has failed.", _RESET, fatal=True),
    74: XidMeaning("An error on the NVLink between the cards.", (*_RESET, "nvidia-smi nvlink -s"), fatal=True),
    140: XidMeaning("Uncorrectable memory errors on the card (ECC).", _MEMORY, fatal=True),
    62: XidMeaning("The card's power controller has halted.", _RESET, fatal=True),
    54: XidMeaning(
        "The card's extra power is not connected.", ("# shut down and connect the card's power cables",), fatal=True
    ),
    109: XidMeaning("A program's switch of context timed out: the card or the program hung.", _PROGRAM),
    45: XidMeaning("A program's channel was taken down, mostly after an error of its own before.", _PROGRAM),
    43: XidMeaning("A program made its own channel stop; the card itself is fine.", _PROGRAM),
    32: XidMeaning("The card met a broken command buffer: driver, memory or the PCI slot.", _PROGRAM),
    63: XidMeaning("The card has noted a broken memory row and replaces it at the next reset.", _RESET),
    94: XidMeaning("A contained memory error on the card: only the program that met it had to end.", _RESET),
    31: XidMeaning(
        "A program reached for memory that is not its own (MMU fault): most often the program, not the card.", _PROGRAM
    ),
    13: XidMeaning("A program made the card's engine fail: most often the program, not the card.", _PROGRAM),
}
SILENT = {
    nvml.GPU_IS_LOST: XIDS[79],
    nvml.RESET_REQUIRED: XidMeaning("The GPU needs a reset.", _RESET),
    nvml.UNKNOWN: XidMeaning("A card does not answer the driver.", ("sudo dmesg | grep NVRM | tail -n 40",)),
}
"""What a card's own answer means where the kernel's log has no Xid of it."""
UNKNOWN_XID = XidMeaning("The driver reports an error of the card or of a program on it.", _PROGRAM)


def xids(facts: Facts) -> list[tuple[str, int]]:
    """Bus address and code of every Xid the kernel wrote since the boot."""
    return [(address, int(code)) for address, code in XID.findall(facts.kernel_log)]


def check_lost(facts: Facts) -> Finding | None:
    if facts.nvml.code == nvml.OK and facts.nvml.gpus:
        return _one_of_several(facts)
    seen = [(address, code) for address, code in xids(facts) if XIDS.get(code, UNKNOWN_XID).fatal]
    # Of a tree nobody can be asked: after a fatal error a card of which nothing is heard is taken for lost.
    silent = not facts.host.live and not facts.nvml.gpus
    broken = facts.nvml.code not in (None, nvml.OK) or facts.nvml.timed_out or silent
    if facts.nvml.code in (nvml.GPU_IS_LOST, nvml.RESET_REQUIRED) or (seen and broken):
        evidence = "; ".join([facts.nvml.evidence, *(f"Xid {code} on {address}" for address, code in seen[-3:])])
        lost = facts.nvml.code == nvml.GPU_IS_LOST
        meaning = XIDS[seen[-1][1]] if seen else XIDS[79] if lost else SILENT[nvml.RESET_REQUIRED]
        return Finding("gpu_lost", "fault", evidence, meaning.cause, on_host(facts, meaning.fix))
    fallen = FALLEN.search(facts.kernel_log)
    if fallen and broken:
        seen_line = " ".join(fallen.group(0).split())
        return Finding(
            "gpu_lost", "fault", f"{facts.nvml.evidence}; {seen_line}", XIDS[79].cause, on_host(facts, XIDS[79].fix)
        )
    return None


def _one_of_several(facts: Facts) -> Finding | None:
    """A lost card beside one that answers: it is named, and the other is used."""
    fatal = [(address, code) for address, code in xids(facts) if XIDS.get(code, UNKNOWN_XID).fatal]
    fallen = FALLEN.search(facts.kernel_log)
    refused = [code for code in facts.nvml.refused if code in SILENT]
    if not refused and not (facts.silent_cards and (fatal or fallen)):
        return None
    meaning = XIDS[fatal[-1][1]] if fatal else XIDS[79] if fallen else SILENT[refused[-1]]
    named = [address for address, _ in fatal] + ADDRESS.findall(fallen.group(0) if fallen else "")
    which = list(dict.fromkeys(_on_the_bus(facts, address) for address in named))
    cause = f"{meaning.cause} {beside_others(facts, which)}"
    seen = [*(f"Xid {code} on {address}" for address, code in fatal[-3:])]
    seen += [" ".join(fallen.group(0).split())] if fallen and not fatal else []
    seen += [f"NVML code {code} ({nvml.MEANING.get(code, 'unknown error')}) from a card" for code in refused]
    one = f" -i {which[0]}" if len(which) == 1 else ""
    fix = tuple(re.sub(r"(--gpu-reset)$", rf"\1{one}", line) for line in meaning.fix)
    return Finding("gpu_lost", "warning", "; ".join(seen), cause, on_host(facts, fix), _use_the_other(facts))


def beside_others(facts: Facts, which: Iterable[str]) -> str:
    """Which card it is about, where it can be told, and which others are used all the same."""
    works = ", ".join(gpu.name for gpu in facts.nvml.gpus)
    return f"That is {' and '.join(which) or 'one of several'}; {works} beside it answers, and is used."


def _on_the_bus(facts: Facts, address: str) -> str:
    """An Xid leaves out the card's function; where the card is seen, its whole address."""
    whole = (card.address for card in facts.cards if card.address.lower().startswith(address.lower()))
    return next(whole, address)


def _use_the_other(facts: Facts) -> tuple[Way, ...]:
    names = ",".join(gpu.uuid for gpu in facts.nvml.gpus if gpu.uuid)
    ask = f"HEIMDALL_ACCELERATOR=gpu-ids HEIMDALL_GPU_IDS={names} docker compose up -d training"
    return (
        (Way("if the lost card keeps Docker or CUDA from starting, ask for the other alone", (ask,)),) if names else ()
    )


def check_xid(facts: Facts) -> Finding | None:
    """Errors the card got over: worth a warning, never the reason why the GPU is not used."""
    found = xids(facts)
    if not found:
        return None
    _, gravest = max(found, key=lambda item: (XIDS.get(item[1], UNKNOWN_XID).fatal, item[1] in XIDS))
    meaning = XIDS.get(gravest, UNKNOWN_XID)
    counts = ", ".join(f"Xid {code} {found.count((card, code))} times on {card}" for card, code in sorted(set(found)))
    return Finding("gpu_xid", "warning", f"kernel log since the boot: {counts}", meaning.cause, meaning.fix)
