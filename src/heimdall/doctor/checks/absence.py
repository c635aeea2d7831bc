"""No card is to be seen: because there is none, because it cannot be seen from here, or because somebody took it away."""

from __future__ import annotations

import re

from heimdall.doctor.facts import Facts, hardware
from heimdall.doctor.facts.driver import packages
from heimdall.doctor.facts.machine import WINDOWS_LIBRARIES
from heimdall.doctor.facts.switches import find_switch
from heimdall.doctor.finding import Confidence, Finding, Way
from heimdall.doctor.repair import host_commands
from heimdall.doctor.repair.host_commands import REBOOT

WSL_SETTINGS = "/etc/wsl.conf"
TURNED_OFF = re.compile(r"^\s*\[gpu\][^\[]*^\s*enabled\s*=\s*false", re.MULTILINE | re.IGNORECASE)
IN_WINDOWS = "in Windows (PowerShell):"


def check_absence(facts: Facts) -> tuple[Finding, ...]:
    if facts.is_wsl and not facts.in_container:
        return _not_lent(facts)
    if not facts.host.live and not facts.host.shows_hardware:
        return (_hardware_not_shown(),)
    return (_switched_off(facts) or _no_card(facts),)


def _hardware_not_shown() -> Finding:
    seen = "none of /sys/bus/pci, /sys/module, /proc/driver/nvidia and /proc/1 is below the root"
    cause = "This tree does not show its hardware (a disk mounted alone): whether there is a GPU is not known."
    fix = ("# mount its /proc, /sys, /dev and /run as well, or ask on that machine:", "heimdall doctor")
    return Finding("card", "unknown", seen, cause, fix)


def _no_card(facts: Facts) -> Finding:
    seen = f"no NVIDIA device below {hardware.PCI}, no driver in /proc{_asked(facts)}"
    # A tree may have been copied without the folder of the bus.
    sure: Confidence = "certain" if facts.host.live or facts.host.exists(hardware.PCI) else "likely"
    cause = "This machine shows no NVIDIA GPU, so everything runs on the CPU."
    return Finding("card", "ok", seen, cause, confidence=sure)


def _switched_off(facts: Facts) -> Finding | None:
    """A laptop's card that a tool has taken off the bus. The driver, or a rule that names NVIDIA, shows that there is one."""
    switch = None if facts.in_container or not facts.host.exists(hardware.PCI) else find_switch(facts.host)
    has_driver = facts.copies or facts.on_disk or packages.driver_packages(facts.host)
    if switch is None or not (has_driver or "/udev/" in switch.path):
        return None
    seen = f"no NVIDIA device below {hardware.PCI}; {switch.path} takes it away{_asked(facts)}"
    if switch.tool is None:
        cause = f"The NVIDIA card is switched off: the udev rule {switch.path} takes it off the PCI bus."
        fix = (*_without_rule(facts, switch.path), *host_commands.rebuild_initramfs(facts), REBOOT)
    else:
        cause = f"The NVIDIA card is switched off by {switch.tool.name}, which takes it off the PCI bus to save power."
        fix = (switch.tool.command, REBOOT)
    return Finding("card_switched_off", "fault", seen, cause, fix, confidence="likely")


def _without_rule(facts: Facts, path: str) -> tuple[str, ...]:
    """A package's rule is not moved: an empty one of the same name in /etc takes its place."""
    if facts.distribution.family == "nixos":
        return ("# in configuration.nix: take the rule out of services.udev.extraRules; then:",)
    if path.startswith("/etc/"):
        return (f"sudo mv {path} {path}.off",)
    return (f"sudo ln -s /dev/null /etc/udev/rules.d/{path.rpartition('/')[2]}",)


def _asked(facts: Facts) -> str:
    return "" if facts.quick else f"; {facts.nvml.evidence}"


def _not_lent(facts: Facts) -> tuple[Finding, ...]:
    """Under WSL the PCI bus never shows the card. With the device Windows lends its libraries, whosever the card is."""
    device, libraries = facts.host.exists("/dev/dxg"), bool(facts.host.names(WINDOWS_LIBRARIES))
    seen = f"WSL; /dev/dxg is {'there' if device else 'missing'}; "
    seen += f"no library of NVIDIA's in {WINDOWS_LIBRARIES}{_asked(facts)}"
    source = f"/dev/dxg and {WINDOWS_LIBRARIES}"
    if device and not libraries:
        cause = "Whether Windows has an NVIDIA GPU cannot be seen from this WSL."
        return Finding("card", "unknown", seen, cause, source=source), _libraries_missing(facts)
    cause = "Windows lends this WSL no NVIDIA GPU, as it has none or no driver for it; everything runs on the CPU."
    fix = (f"# if Windows has one: install NVIDIA's driver for Windows, then, {IN_WINDOWS} wsl.exe --shutdown",)
    return (Finding("card", "ok", seen, cause, fix, confidence="likely", source=source),)


def _libraries_missing(facts: Facts) -> Finding:
    seen = f"WSL2; /dev/dxg is there, and nothing in {WINDOWS_LIBRARIES}"
    if TURNED_OFF.search(facts.host.read(WSL_SETTINGS) or ""):
        cause = f"{WSL_SETTINGS} tells WSL2 not to use the GPU of Windows ([gpu] enabled=false)."
        remark = f"# in {WSL_SETTINGS}, below [gpu]: enabled=true; then, {IN_WINDOWS}"
        return Finding("wsl", "warning", f"{seen}; {WSL_SETTINGS}", cause, (remark, "wsl.exe --shutdown"))
    cause = (
        f"Windows lends the graphics device without its libraries ({WINDOWS_LIBRARIES}): it has no NVIDIA driver, "
        "WSL is damaged or too old, or something here hides the folder."
    )
    driver = "# if that shows no card, install NVIDIA's current driver for Windows; then:"
    fix = (f"# {IN_WINDOWS}", "nvidia-smi.exe", driver, "wsl.exe --update", "wsl.exe --shutdown")
    ways = (Way("if Windows has its driver and WSL is current", ("grep wsl /etc/fstab /proc/mounts",)),)
    return Finding("wsl", "warning", seen, cause, fix, ways, confidence="likely")
