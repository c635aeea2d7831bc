"""Is a driver there, is it loaded, and does the card belong to it? The first of these checks that finds a fault has the cause."""

from __future__ import annotations

import re

from heimdall.doctor.facts import Facts
from heimdall.doctor.facts.driver import packages, versions
from heimdall.doctor.finding import Finding, Way
from heimdall.doctor.repair import drivers, host_commands, libraries
from heimdall.doctor.repair.host_commands import REBOOT

ON_HOST = "# on the host, not in this container:"
DOCTOR_ON_HOST = "PYTHONPATH=src python3 -m heimdall.doctor"
INTENDED = ("vfio-pci", "pci-stub", "xen-pciback")


def on_host(facts: Facts, commands: tuple[str, ...]) -> tuple[str, ...]:
    return (ON_HOST, *commands) if facts.in_container else commands


def check_jetson(facts: Facts) -> Finding | None:
    """A Jetson's driver is part of its system (L4T): nothing of the desktop driver fits, PyPI's torch included."""
    if not facts.is_jetson:
        return None
    text = facts.host.read("/etc/nv_tegra_release") or ""
    found = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", text)
    release = f"L4T {found.group(1)}.{found.group(2)}" if found else "L4T, release unknown"
    seen = f"{release}; kernel {facts.release}; driver {facts.loaded or _jetson_driver(facts)}"
    own = [wheel for wheel in facts.wheels if wheel.cuda and re.search(r"nv\d\d\.\d\d|tegra|jetson", wheel.version)]
    if own:
        return Finding(
            "jetson",
            "ok",
            f"{seen}; torch {own[0].version}",
            f"This is a Jetson ({release}) with NVIDIA's torch for it.",
        )
    cause = f"This is a Jetson ({release}): its driver comes with the system, and PyPI's torch has no code for its GPU."
    fix = (
        "# install NVIDIA's torch for this JetPack: https://docs.nvidia.com/deeplearning/frameworks/install-pytorch-jetson-platform/",
    )
    return Finding("jetson", "fault", seen, cause, fix)


def _jetson_driver(facts: Facts) -> str:
    """Before JetPack 6 it is nvgpu, a part of the kernel, with device files of its own and nothing in /proc."""
    marks = ("/dev/nvhost-gpu", "/dev/nvgpu", "/sys/module/nvgpu")
    return "nvgpu" if any(facts.host.exists(path) for path in marks) else "not seen"


def check_wsl(facts: Facts) -> Finding | None:
    """Under WSL2 the driver is Windows's; a Linux driver inside only hides it."""
    if not facts.is_wsl:
        return None
    if facts.host.is_wsl_1:
        fix = ("# in PowerShell, with the name that wsl.exe --list shows:", "wsl.exe --set-version Ubuntu 2")
        return Finding("wsl", "fault", f"kernel {facts.release}", "This is WSL 1, which has no GPU; WSL 2 has.", fix)
    inside = () if facts.in_container else facts.copies
    if inside:
        seen = f"WSL2, and a Linux driver library inside: {inside[0].path}"
        cause = "Under WSL2 the driver comes from Windows; the Linux driver installed inside hides it."
        return Finding("wsl", "fault", seen, cause, host_commands.purge_inside_wsl(facts))
    if not facts.host.exists("/dev/dxg") or facts.nvml.code not in (None, 0):
        return _windows_lends_nothing(facts)
    return Finding("wsl", "ok", "/dev/dxg is there", "This is WSL2; the driver is the one of Windows.")


def _windows_lends_nothing(facts: Facts) -> Finding:
    seen = "/dev/dxg is there" if facts.host.exists("/dev/dxg") else "/dev/dxg is missing"
    cause = "Windows does not hand its GPU to WSL2: its NVIDIA driver or WSL itself is too old."
    fix = (
        "# in Windows: install the current NVIDIA driver for Windows, then in PowerShell:",
        "wsl.exe --update",
        "wsl.exe --shutdown",
    )
    return Finding("wsl", "fault", f"WSL2; {seen}; {facts.nvml.evidence}", cause, fix)


def check_other_driver(facts: Facts) -> Finding | None:
    taken = [card for card in facts.cards if card.driver and not card.driver.startswith("nvidia")]
    beside = facts.is_loaded and len(taken) < len(facts.cards)
    if not taken or beside or facts.is_wsl:
        return None
    seen, driver = ", ".join(f"{card.address} is bound to {card.driver}" for card in taken), taken[0].driver or ""
    if driver in INTENDED:
        return _set_aside(facts, seen, driver)
    cause = f"The driver {driver} of the kernel has the card, so NVIDIA's cannot take it.{drivers.use_of(facts)}"
    if drivers.is_unserved(facts):
        return Finding("other_driver_has_card", "fault", seen, cause, drivers.install_driver(facts))
    steps = (*_install_if_missing(facts), *blacklist(facts, driver))
    # NixOS has one command for both: it comes once, after both remarks.
    fix = host_commands.then_reboot(tuple(step for place, step in enumerate(steps) if step not in steps[place + 1 :]))
    return Finding("other_driver_has_card", "fault", seen, cause, on_host(facts, fix))


def _set_aside(facts: Facts, seen: str, driver: str) -> Finding:
    cause = f"The card is set aside for a virtual machine ({driver}); this is intended, and so the host cannot use it."
    look = "grep -rn vfio /etc/modprobe.d /etc/default/grub"
    if facts.distribution.family == "nixos":
        look = "grep -rn vfio /etc/nixos"
    back = (
        "# take the card's ids out of the files that the command above names, then:",
        *host_commands.rebuild_initramfs(facts),
        REBOOT,
    )
    ways = (Way("only if no virtual machine needs the card", on_host(facts, back)),)
    return Finding("other_driver_has_card", "fault", seen, cause, on_host(facts, (look,)), ways)


def blacklist(facts: Facts, driver: str) -> tuple[str, ...]:
    if facts.distribution.family == "nixos":
        return (
            f'# in configuration.nix: boot.blacklistedKernelModules = [ "{driver}" ]; then:',
            "sudo nixos-rebuild boot",
        )
    if facts.distribution.image_based and facts.distribution.has_dnf:
        return (f"sudo rpm-ostree kargs --append=rd.driver.blacklist={driver} --append=modprobe.blacklist={driver}",)
    lines = rf"blacklist {driver}\noptions {driver} modeset=0\n"
    ban = f"printf '{lines}' | sudo tee /etc/modprobe.d/blacklist-{driver}.conf"
    return (ban, *host_commands.rebuild_initramfs(facts))


def _install_if_missing(facts: Facts) -> tuple[str, ...]:
    if facts.copies or facts.on_disk or facts.in_container or facts.waiting:
        return ()
    return drivers.install_driver(facts)


def check_not_installed(facts: Facts) -> Finding | None:
    if facts.is_wsl or facts.is_jetson:
        return None
    if facts.in_container:
        return _none_in_system_container(facts)
    if facts.is_loaded and not facts.copies and facts.nvml.code in (None, 12):
        return _no_libraries(facts)
    if (
        facts.is_loaded
        and facts.copies
        and not any("libcuda" in copy.path for copy in facts.copies)
        and facts.nvml.code in (None, 0)
    ):
        return _no_cuda_library(facts)
    known = facts.is_loaded or facts.copies or facts.on_disk or facts.waiting or versions.dkms_sources(facts.host)
    if known or not facts.cards or not facts.sees_modules:
        return None
    seen = f"PCI {facts.cards[0].address}: an NVIDIA card; no module for kernel {facts.release}, no driver library"
    fix = drivers.install_driver(facts)
    fix = fix if drivers.is_unserved(facts) else host_commands.then_reboot(fix)
    cause = f"There is an NVIDIA card, but no NVIDIA driver is installed.{drivers.use_of(facts)}"
    return Finding("driver_not_installed", "fault", seen, cause, fix)


def _none_in_system_container(facts: Facts) -> Finding | None:
    """An LXC gets the devices from its host, and the libraries from nobody."""
    if facts.host.container != "lxc" or not facts.loaded or facts.copies or not facts.nodes:
        return None
    cause = (
        f"This container (lxc) has the GPU's device files and not the libraries of the host's driver {facts.loaded}."
    )
    fix = libraries.libraries_inside(facts, facts.loaded)
    return Finding("driver_not_installed", "fault", f"host's module {facts.loaded}; no driver library here", cause, fix)


def _no_libraries(facts: Facts) -> Finding:
    seen = f"kernel module {facts.loaded}; no libnvidia-ml.so.1 and no libcuda.so.1 in any library folder"
    if not facts.host.live and not any(facts.host.names(folder) for folder in versions.LIBRARY_FOLDERS):
        cause = "The kernel module is loaded; the folders of the driver's libraries cannot be seen here."
        return Finding("driver_not_installed", "unknown", seen, cause)
    cause = "The kernel module is loaded, but the driver's user-space libraries are not installed."
    return Finding("driver_not_installed", "fault", seen, cause, drivers.install_libraries(facts))


def _no_cuda_library(facts: Facts) -> Finding:
    seen = f"{facts.copies[0].path} is there; libcuda.so.1 is in no library folder; {_packages(facts)}"
    cause = (
        "The driver's CUDA library (libcuda.so.1) is not installed: nvidia-smi answers, CUDA programs find no driver."
    )
    return Finding("driver_not_installed", "fault", seen, cause, drivers.install_libraries(facts))


def _packages(facts: Facts) -> str:
    names = ", ".join(packages.driver_packages(facts.host))
    return f"packages {names}" if names else "the packages are not known"
