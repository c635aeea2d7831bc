"""Is a driver there, is it loaded, and does the card belong to it? The first of these checks that finds a fault has the cause."""

from __future__ import annotations

import re

from heimdall.doctor.facts import Facts, hardware, packages, versions
from heimdall.doctor.finding import Finding

ON_HOST = "# on the host, not in this container:"
DOCTOR_ON_HOST = "PYTHONPATH=src python3 -m heimdall.doctor"
LOAD = "sudo modprobe -a nvidia nvidia_uvm"
REJECTED = re.compile(r"[^\n]*(?:Key was rejected by service|Loading of module with unavailable key is rejected)[^\n]*")
INTENDED = ("vfio-pci", "pci-stub", "xen-pciback")


def on_host(facts: Facts, commands: tuple[str, ...]) -> tuple[str, ...]:
    return (ON_HOST, *commands) if facts.in_container else commands


def check_wsl(facts: Facts) -> Finding | None:
    """Under WSL2 the driver is Windows's; a Linux driver inside only hides it."""
    if not facts.is_wsl:
        return None
    inside = () if facts.in_container else facts.copies
    if inside:
        return Finding(
            "wsl",
            "fault",
            f"WSL2, and a Linux driver library inside: {inside[0].path}",
            "Under WSL2 the driver comes from Windows; the Linux driver installed inside hides it.",
            ("sudo apt-get purge 'nvidia-driver-*' 'nvidia-dkms-*' 'nvidia-utils-*' 'libnvidia-*'", "sudo ldconfig"),
        )
    if not facts.host.exists("/dev/dxg") or facts.nvml.code not in (None, 0):
        seen = "/dev/dxg is there" if facts.host.exists("/dev/dxg") else "/dev/dxg is missing"
        return Finding(
            "wsl",
            "fault",
            f"WSL2; {seen}; {facts.nvml.evidence}",
            "Windows does not hand its GPU to WSL2: its NVIDIA driver or WSL itself is too old.",
            (
                "# in Windows: install the current NVIDIA driver for Windows, then in PowerShell:",
                "wsl.exe --update",
                "wsl.exe --shutdown",
            ),
        )
    return Finding("wsl", "ok", "/dev/dxg is there", "This is WSL2; the driver is the one of Windows.")


def check_other_driver(facts: Facts) -> Finding | None:
    taken = [card for card in facts.cards if card.driver and not card.driver.startswith("nvidia")]
    if not taken or facts.is_loaded or facts.is_wsl:
        return None
    seen = ", ".join(f"{card.address} is bound to {card.driver}" for card in taken)
    if taken[0].driver in INTENDED:
        return Finding(
            "other_driver_has_card",
            "fault",
            seen,
            f"The card is set aside for a virtual machine ({taken[0].driver}); this is intended, and so the host cannot use it.",
            on_host(
                facts,
                (
                    "# only if no virtual machine needs the card: take its ids out of the vfio-pci settings",
                    "grep -rn vfio /etc/modprobe.d /etc/default/grub",
                    "sudo update-initramfs -u",
                    "sudo reboot",
                ),
            ),
        )
    return Finding(
        "other_driver_has_card",
        "fault",
        seen,
        f"The driver {taken[0].driver} of the kernel has the card, so NVIDIA's cannot take it.",
        on_host(facts, (*_blacklist(taken[0].driver or "nouveau"), *_install_if_missing(facts), "sudo reboot")),
    )


def _blacklist(driver: str) -> tuple[str, ...]:
    lines = rf"blacklist {driver}\noptions {driver} modeset=0\n"
    return (f"printf '{lines}' | sudo tee /etc/modprobe.d/blacklist-{driver}.conf", "sudo update-initramfs -u")


def _install_if_missing(facts: Facts) -> tuple[str, ...]:
    if facts.copies or facts.on_disk or facts.in_container:
        return ()
    return packages.install_driver_commands(facts.host)[:1]


def check_not_installed(facts: Facts) -> Finding | None:
    if facts.is_wsl or facts.in_container:
        return None
    sources = versions.dkms_sources(facts.host)
    if facts.is_loaded and not facts.copies and facts.nvml.code in (None, 12):
        package = f"libnvidia-compute-{packages.branch(facts.host, facts.loaded)}"
        return Finding(
            "driver_not_installed",
            "fault",
            f"kernel module {facts.loaded}; no libnvidia-ml.so.1 and no libcuda.so.1 in any library folder",
            "The kernel module is loaded, but the driver's user-space libraries are not installed.",
            (f"sudo apt-get install {package} {package.replace('libnvidia-compute', 'nvidia-utils')}",),
        )
    if facts.is_loaded or facts.copies or facts.on_disk or sources or not facts.cards:
        return None
    return Finding(
        "driver_not_installed",
        "fault",
        f"PCI {facts.cards[0].address}: an NVIDIA card; no module for kernel {facts.release}, no driver library",
        "There is an NVIDIA card, but no NVIDIA driver is installed.",
        packages.install_driver_commands(facts.host),
    )


def check_secure_boot(facts: Facts) -> Finding | None:
    """Only where a module is there to be refused, and the refusal or the missing signature can be seen."""
    if facts.is_loaded or not facts.cards or facts.on_disk is None or not hardware.is_secure_boot_on(facts.host):
        return None
    refused = REJECTED.search(facts.kernel_log)
    signed = _is_signed(facts)
    if not refused and signed is not False:
        return None
    seen = refused.group(0).strip() if refused else f"{facts.on_disk.path} has no signer"
    return Finding(
        "secure_boot_refuses_module",
        "fault",
        f"Secure Boot is on; {seen}",
        "Secure Boot refuses the nvidia module, because the key it is signed with is not enrolled.",
        on_host(facts, _enrol(facts)),
    )


def _is_signed(facts: Facts) -> bool | None:
    """None where the file is packed so that only a program could tell."""
    assert facts.on_disk is not None
    path = facts.on_disk.path
    answer = facts.host.run(["modinfo", "-F", "signer", str(facts.host.at(path))], 5.0)
    if answer.code == 0:
        return bool(answer.stdout.strip())
    raw = versions.unpacked(facts.host.read_bytes(path) or b"", path)
    return raw.endswith(b"~Module signature appended~\n") if raw else None


def _enrol(facts: Facts) -> tuple[str, ...]:
    keys = ("/var/lib/shim-signed/mok/MOK.der", "/var/lib/dkms/mok.pub")
    key = next((key for key in keys if facts.host.exists(key)), keys[0])
    signed = f"linux-modules-nvidia-{packages.branch(facts.host, facts.driver_version)}-{facts.release}"
    other = ("# or use the modules the distribution signs:", f"sudo apt-get install {signed}")
    return (
        f"sudo mokutil --import {key}",
        "# choose a password, reboot, and enrol the key in the blue screen with that password",
        "sudo reboot",
        *(other if packages.is_ubuntu(facts.host) else ()),
    )


def check_not_loaded(facts: Facts) -> Finding | None:
    if facts.is_loaded or not facts.cards or facts.is_wsl:
        return None
    seen = f"PCI {facts.cards[0].address}: an NVIDIA card; /sys/module/nvidia is missing"
    if facts.in_container:
        cause = "The nvidia kernel module is not loaded on the host."
        return Finding("module_not_loaded", "fault", seen, cause, on_host(facts, (LOAD, DOCTOR_ON_HOST)))
    if facts.on_disk is not None:
        return _loadable(facts, f"{seen}; {facts.on_disk.path} is there")
    return _not_built(facts, f"{seen}; no nvidia module below /lib/modules/{facts.release}")


def _loadable(facts: Facts, seen: str) -> Finding:
    lines = ((name, facts.host.read(f"/etc/modprobe.d/{name}") or "") for name in facts.host.names("/etc/modprobe.d"))
    barred = [
        name for name, text in lines if re.search(r"^\s*(blacklist\s+nvidia|alias\s+nvidia\s+off)\s*$", text, re.M)
    ]
    if barred:
        path = f"/etc/modprobe.d/{barred[0]}"
        cause = f"The nvidia kernel module is not loaded, because {path} forbids it."
        fix: tuple[str, ...] = (f"sudo sed -i '/nvidia/s/^/# /' {path}", "sudo update-initramfs -u", LOAD)
        return Finding("module_not_loaded", "fault", f"{seen}; {path} blacklists it", cause, fix)
    cause = "The nvidia kernel module is built for this kernel, but not loaded."
    return Finding("module_not_loaded", "fault", seen, cause, (LOAD, "sudo dmesg | grep -iE 'nvidia|NVRM' | tail"))


def _not_built(facts: Facts, seen: str) -> Finding:
    release = facts.release or "$(uname -r)"
    headers = facts.host.exists(f"/lib/modules/{release}/build")
    if not versions.dkms_sources(facts.host):
        cause = f"No nvidia module is installed for the running kernel {release}."
        fix = packages.align_commands(facts.host, release, facts.user_space or "")
        return Finding("module_not_loaded", "fault", seen, cause, (*fix, LOAD))
    missing = "" if headers else f"; the headers are missing (/lib/modules/{release}/build)"
    cause = f"DKMS has not built the nvidia module for the running kernel {release}."
    install = () if headers else (packages.headers_command(facts.host, release),)
    fix = (*install, f"sudo dkms autoinstall -k {release}", LOAD)
    return Finding("module_not_loaded", "fault", f"{seen}{missing}", cause, fix)
