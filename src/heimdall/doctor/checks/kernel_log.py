"""Why a loaded driver has no card: what the kernel's log says, and what the card's own number tells."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from heimdall.doctor.checks.driver import blacklist, on_host
from heimdall.doctor.checks.xid import beside_others, check_lost
from heimdall.doctor.facts import Facts
from heimdall.doctor.facts.driver import nvml, packages, versions
from heimdall.doctor.finding import Finding, Status, Way
from heimdall.doctor.repair import drivers, host_commands, module_exchange
from heimdall.doctor.repair.host_commands import REBOOT
from heimdall.doctor.symptoms import unwrapped

NEEDS_OPEN = r"requires use of the NVIDIA open kernel modules"
TOO_NEW = r"not supported by the\s*(?:[^\n]*NVRM:)?\s*NVIDIA \d[\d.]* driver release"
NO_OPEN = r"is not supported by open|does not include the required GPU|Open nvidia\.ko is only ready for use on Data Center GPUs"
LEGACY = r"supported through the NVIDIA \d+\.(?:xx|\d+)"
ADDRESS = re.compile(r"(?:NVIDIA GPU|GPU|NVRM: GPU) ([0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.\d)")
BIOS = "# in the BIOS setup, turn on Above 4G Decoding and Resizable BAR"
LINES_MAX = 3
LOOK = "sudo dmesg | grep -E 'NVRM|nvidia' | tail -n 40"


@dataclass(frozen=True)
class Trouble:
    """A sentence of the driver in the kernel's log, why the card did not start, and what to do."""

    pattern: str
    cause: str
    fix: Callable[[Facts], tuple[str, ...]]


# The first that matches counts: what is precise stands before what is general.
TROUBLES = (
    Trouble(
        r"PCI I/O region assigned to your NVIDIA device is invalid|BAR\d is 0M @ 0x0|can't assign; no space"
        r"|BAR \d.*: failed to assign",
        "The BIOS gave the card no room in the address space (its memory window, BAR), so the driver cannot start it.",
        lambda facts: (BIOS + ", and boot by UEFI (CSM off)", REBOOT),
    ),
    Trouble(
        r"does not have the necessary power cables|power cable.*not connected|insufficient power",
        "The card's power cables are not connected.",
        lambda facts: ("# shut the machine down and connect every power cable of the card",),
    ),
    Trouble(
        r"(?:Direct firmware load for|failed to load firmware) ?nvidia/\S+|gsp_\w+\.bin.*(?:failed|not found"
        r"|error)|Failed to load GSP firmware",
        "The firmware of the card's own processor (GSP) could not be loaded: its file for this driver's version is missing.",
        lambda facts: (*firmware(facts), *host_commands.rebuild_initramfs(facts), REBOOT),
    ),
    Trouble(
        r"unexpected WPR2 already up|GPU is likely in a bad state and may need to be reset",
        "The card's own processor (GSP) is in a state that only taking its power away ends; a reboot may not do that.",
        lambda facts: ("# shut the machine down, take its power away for ten seconds, and start it", LOOK),
    ),
    Trouble(
        r"another driver was loaded and obtained ownership|Try unloading the conflicting kernel module"
        r"|probe routine was not called",
        "Another driver (mostly nouveau) had taken the card before NVIDIA's was loaded.",
        lambda facts: (*blacklist(facts, "nouveau"), REBOOT),
    ),
    Trouble(
        r"failed to copy vbios to system memory|Failed to initialize VBIOS|unable to (?:read|find) the VBIOS",
        "The driver could not read the card's own BIOS, as with a card handed to a virtual machine, or a damaged one.",
        lambda facts: (LOOK,),
    ),
    Trouble(
        r"RmInitAdapter failed|rm_init_adapter failed|Failed to (?:allocate|enumerate) NvKmsKapiDevice",
        "The driver is loaded, but could not start the card (RmInitAdapter failed).",
        lambda facts: (LOOK, BIOS + "; check the card's seat and power; then:", REBOOT),
    ),
)


NOT_LISTED = Trouble(TOO_NEW, "The driver does not list every card.", lambda facts: ("nvidia-smi -L", LOOK))


def firmware(facts: Facts) -> tuple[str, ...]:
    """The package that has the firmware of exactly this driver."""
    version, family = facts.loaded or facts.user_space or "", facts.distribution.family
    branch = packages.branch(facts.host, version)
    if facts.is_runfile:
        return drivers.run_installer(version)
    if family == "ubuntu":
        return (host_commands.APT_UPDATE, f"sudo apt-get install --reinstall nvidia-firmware-{branch}-{version}")
    if family == "debian":
        return (host_commands.APT_UPDATE, "sudo apt-get install --reinstall firmware-nvidia-gsp")
    if facts.distribution.has_dnf:
        return (f"sudo {facts.distribution.rpm_tool} reinstall 'nvidia-kmod-common*' 'xorg-x11-drv-nvidia-kmodsrc*'",)
    if family == "suse":
        return ("sudo zypper install --force kernel-firmware-nvidia-gspx-G06",)
    if family == "arch":
        return ("sudo pacman -Syu nvidia-utils",)
    return (f"# reinstall the firmware files of driver {version} (/lib/firmware/nvidia/{version})",)


def _line(facts: Facts, pattern: str) -> str:
    """The driver wraps its sentences; the evidence is those that matched, with what they belong to."""
    found = re.findall(rf"[^\n]*(?:{pattern})[^\n]*", _log(facts))
    return "; ".join(dict.fromkeys(" ".join(line.split())[:300] for line in found[:LINES_MAX]))


def _log(facts: Facts) -> str:
    return unwrapped(facts.kernel_log)


def _refused(facts: Facts, pattern: str) -> set[str]:
    """The bus addresses of the cards about which the log says this."""
    lines = re.findall(rf"[^\n]*(?:{pattern})", _log(facts))
    return {address.lower() for line in lines for address in ADDRESS.findall(line)}


def _status(facts: Facts, refused: int) -> Status:
    """Beside a card that works, a refused one is a warning."""
    works = facts.nvml.code == nvml.OK and bool(facts.nvml.gpus)
    return "warning" if works or (refused and refused < len(facts.cards)) else "fault"


def check_legacy(facts: Facts) -> Finding | None:
    """The driver's branch no longer serves the card; as the one on disk it would take it away at the next boot."""
    if facts.is_wsl or facts.in_container or facts.is_jetson:
        return None
    told = re.search(LEGACY, _log(facts))
    branch = (versions.as_numbers(facts.user_space or facts.loaded) or (0,))[0]
    lost = [item for item in facts.generations if item.last_branch and branch > item.last_branch]
    if not told and not (lost and len(lost) == len(facts.generations)):
        return None
    last = int(re.findall(r"\d+", told.group(0))[0]) if told else max(item.last_branch or 0 for item in lost)
    seen = (
        _line(facts, LEGACY)
        if told
        else f"card of the generation {lost[0].name}, driver {facts.user_space or facts.loaded}"
    )
    return _legacy(facts, branch, last, seen, 1 if told else len(lost))


def _legacy(facts: Facts, branch: int, last: int, seen: str, count: int) -> Finding:
    cause = f"Driver branch {branch or 'installed'} no longer supports this card; {last} is the last one that does."
    if facts.loaded and versions.as_numbers(facts.loaded)[0] <= last < branch:
        cause += f" The old module {facts.loaded} is still loaded: a reboot would take the card away."
    status = _status(facts, count)
    if last < drivers.OLDEST_OF_TORCH:
        cause += " No current torch release has code for a card that old, so it trains on the CPU in any case."
    fix = host_commands.then_reboot(drivers.install_driver(facts, last))
    if status == "warning":
        cause += " Another card works with this driver, and with that branch it may not."
        fix = ("# leave the driver as it is: the service uses the card that works",)
    return Finding(
        "legacy_card", status, seen, cause, on_host(facts, fix), confidence="certain" if facts.kernel_log else "likely"
    )


def check_too_new(facts: Facts) -> Finding | None:
    """The card came to the market after the installed driver, of whichever kind its module is."""
    works = facts.nvml.code == nvml.OK and bool(facts.nvml.gpus)
    if facts.is_wsl or facts.in_container or facts.is_jetson or works:
        return None
    branch = (versions.as_numbers(facts.loaded or facts.user_space) or (0,))[0]
    unknown = [item for item in facts.generations if 0 < branch < item.first_branch]
    told = _line(facts, TOO_NEW)
    if not unknown or not (told or (facts.is_loaded and not facts.nodes)):
        return None
    card = max(unknown, key=lambda item: item.first_branch)
    cause = (
        f"Driver {facts.loaded or facts.user_space} does not know this card yet: "
        f"{card.name} needs branch {card.first_branch} or newer."
    )
    fix = host_commands.then_reboot(drivers.install_driver(facts, oldest=card.first_branch))
    seen = told or f"{card.name} on the bus; driver {facts.loaded}; no card answers"
    return Finding("card_not_started", "fault", seen, cause, fix, confidence="certain" if told else "likely")


def check_flavour(facts: Facts) -> Finding | None:
    """The open kernel module serves Turing and newer, the proprietary one everything before Blackwell."""
    if facts.is_wsl or facts.in_container or facts.is_jetson:
        return None
    if re.search(NEEDS_OPEN, _log(facts)):
        return _needs_open(facts, _line(facts, NEEDS_OPEN), len(_refused(facts, NEEDS_OPEN)))
    if re.search(NO_OPEN, _log(facts)):
        return _needs_proprietary(facts, _line(facts, NO_OPEN), len(_refused(facts, NO_OPEN)))
    known = facts.generations
    if not facts.is_loaded or not known or (facts.nvml.code == nvml.OK and facts.nvml.gpus):
        return None
    seen = (
        f"{known[0].name} on the bus; {'open' if facts.is_open else 'proprietary'} kernel module {facts.loaded}; "
        "no card answers"
    )
    silent = not facts.nodes
    if silent and facts.is_open is False and all(item.needs_open for item in known):
        return _needs_open(facts, seen, len(known))
    if silent and facts.is_open and not any(item.can_open for item in known):
        return _needs_proprietary(facts, seen, len(known))
    return None


def _needs_open(facts: Facts, seen: str, count: int) -> Finding:
    cause = "This card needs the open kernel module; the proprietary one that is installed does not support it."
    after = "# if the card still does not start after that: " + BIOS.lstrip("# ")
    fix = (*host_commands.then_reboot(module_exchange.exchange_module(facts, to_open=True)), after)
    started = _line(facts, "RmInitAdapter failed")
    seen = f"{seen}; {started}" if started else seen
    return _one_for_all(facts, Finding("wrong_module_flavour", _status(facts, count), seen, cause, fix))


def _needs_proprietary(facts: Facts, seen: str, count: int) -> Finding:
    cause = "This card needs the proprietary kernel module; the open one that is installed supports Turing and newer cards only."
    status = _status(facts, count)
    cause += " The other card works." if status == "warning" else ""
    fix = host_commands.then_reboot(module_exchange.exchange_module(facts, to_open=False))
    return _one_for_all(facts, Finding("wrong_module_flavour", status, seen, cause, fix))


def _one_for_all(facts: Facts, finding: Finding) -> Finding:
    """A machine loads one kind of module: with a card of each kind in it, one of the two has to be left out."""
    newest = any(item.needs_open for item in facts.generations)
    if not newest or all(item.can_open for item in facts.generations):
        return finding
    cause = (
        f"{finding.cause} No one module serves both cards of this machine: the exchange makes the other one unusable."
    )
    ways = (Way("only if this card is the one to be used", finding.fix),)
    return replace(
        finding, cause=cause, fix=("# leave the module as it is, and use the card that works",), alternatives=ways
    )


def check_start(facts: Facts) -> Finding | None:
    """What else the driver says about a card that it could not start."""
    works = facts.nvml.code == nvml.OK and bool(facts.nvml.gpus)
    if facts.is_wsl or facts.in_container or (works and not facts.silent_cards):
        return None
    if works:
        return _one_not_started(facts)
    for trouble in TROUBLES:
        if re.search(trouble.pattern, _log(facts)):
            count = len(_refused(facts, trouble.pattern))
            seen = "; ".join([_line(facts, trouble.pattern), *([facts.nvml.evidence] if facts.nvml.code else [])])
            return Finding(
                "card_not_started", _status(facts, count), seen, trouble.cause, trouble.fix(facts), confidence="likely"
            )
    return None


def _one_not_started(facts: Facts) -> Finding | None:
    """A card that the driver does not list beside one that it does."""
    if check_lost(facts) or re.search(f"{LEGACY}|{NO_OPEN}|{NEEDS_OPEN}", _log(facts)):
        return None
    trouble = next((item for item in TROUBLES if re.search(item.pattern, _log(facts))), NOT_LISTED)
    which = sorted(_refused(facts, trouble.pattern))
    listed = len(facts.nvml.gpus)
    counts = f"NVML lists {listed} of the {listed + facts.silent_cards} cards on the bus"
    cause = f"{trouble.cause} {beside_others(facts, which)}"
    seen = "; ".join(part for part in (_line(facts, trouble.pattern), counts) if part)
    return Finding("card_not_started", "warning", seen, cause, trouble.fix(facts), confidence="likely")
