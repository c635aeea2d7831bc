"""The installed kernels: which one boots next, and which nvidia module each of them would load."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from heimdall.doctor.facts.driver.versions import as_numbers
from heimdall.doctor.host import Host

# Arch and Fedora have /lib as a link; NixOS keeps the modules of the running and of the next system apart.
MODULE_ROOTS = (
    "/lib/modules",
    "/usr/lib/modules",
    "/run/current-system/kernel-modules/lib/modules",
    "/nix/var/nix/profiles/system/kernel-modules/lib/modules",
    "/run/booted-system/kernel-modules/lib/modules",
)
NEXT_SYSTEM = MODULE_ROOTS[2:4]
BOOT_LINKS = ("/boot/vmlinuz", "/boot/Image", "/vmlinuz")
PROXMOX_PINS = ("/etc/kernel/next-boot-pin", "/etc/kernel/proxmox-boot-pin")
GRUB_SETTINGS = "/etc/default/grub"
GRUB_ENVIRONMENTS = ("/boot/grub2/grubenv", "/boot/grub/grubenv")


@dataclass(frozen=True)
class NextKernel:
    """`why` says what tells that this one boots next."""

    release: str
    why: str


def module_folders(host: Host, release: str) -> tuple[str, ...]:
    """Where the modules of a kernel stand, each place once."""
    found: dict[str, str] = {}
    for root in MODULE_ROOTS:
        folder = f"{root}/{release}"
        if host.names(folder):
            found.setdefault(host.real(folder), folder)
    return tuple(found.values())


def installed(host: Host) -> tuple[str, ...]:
    """The releases with modules on disk, oldest first."""
    names = {name for root in MODULE_ROOTS for name in host.names(root) if name[:1].isdigit()}
    return tuple(sorted((name for name in names if module_folders(host, name)), key=as_numbers))


def next_kernel(host: Host, running: str | None) -> NextKernel | None:
    """The kernel that a reboot would start; None where no kernel's modules can be seen."""
    releases = installed(host)
    told = (
        _told_by_nixos(host),
        _told_by_pin(host, releases),
        _told_by_grub(host, releases),
        _told_by_link(host, releases),
    )
    for found in (found for each in told for found in each):
        return found
    candidates = _of_one_flavour(_with_image(host, releases), running)
    if not candidates:
        return None
    newest = candidates[-1]
    return NextKernel(newest, "it is the newest one installed" if newest != running else "it is the running one")


def _told_by_nixos(host: Host) -> Iterator[NextKernel]:
    for root in NEXT_SYSTEM:
        for name in host.names(root):
            yield NextKernel(name, f"{root.partition('/kernel-modules')[0]} is the system that boots next")


def _told_by_pin(host: Host, releases: tuple[str, ...]) -> Iterator[NextKernel]:
    """What `proxmox-boot-tool kernel pin` writes."""
    for path in PROXMOX_PINS:
        release = (host.read(path) or "").strip()
        if release in releases:
            yield NextKernel(release, f"{path} pins it")


def _told_by_grub(host: Host, releases: tuple[str, ...]) -> Iterator[NextKernel]:
    """The entry named in GRUB's settings; the saved one counts only where they say so, or cannot be read."""
    default = _grub_default(host)
    for release in reversed(releases):
        if default and release in default:
            yield NextKernel(release, f"GRUB_DEFAULT in {GRUB_SETTINGS} names it")
    for path in GRUB_ENVIRONMENTS if default in (None, "saved") else ():
        found = re.search(r"^saved_entry=(.+)$", host.read(path) or "", re.MULTILINE)
        for release in reversed(releases) if found else ():
            if found and release in found.group(1):
                yield NextKernel(release, f"{path} has it as saved_entry")


def _grub_default(host: Host) -> str | None:
    found = re.findall(r"^\s*GRUB_DEFAULT=(.*)$", host.read(GRUB_SETTINGS) or "", re.MULTILINE)
    return found[-1].strip().strip("\"'") if found else None


def _told_by_link(host: Host, releases: tuple[str, ...]) -> Iterator[NextKernel]:
    for path in BOOT_LINKS:
        target = host.link(path) or ""
        release = re.sub(r"^(?:vmlinuz|Image|vmlinux)-", "", target)
        if release in releases:
            yield NextKernel(release, f"{path} is a link to it")


def _with_image(host: Host, releases: tuple[str, ...]) -> tuple[str, ...]:
    """The kernels that can boot, since a removed one may leave modules behind; all of them where no image can be seen."""
    names = set(host.names("/boot"))
    entries = " ".join(host.names("/boot/loader/entries") + host.names("/boot/efi/loader/entries"))
    bootable = tuple(
        release
        for release in releases
        if f"vmlinuz-{release}" in names
        or release in entries
        or any(host.exists(f"{folder}/vmlinuz") for folder in module_folders(host, release))
    )
    return bootable or releases


def _of_one_flavour(releases: tuple[str, ...], running: str | None) -> tuple[str, ...]:
    """Kernels of the flavour that runs, such as linux-lts or aws: the boot loader keeps to it."""
    same = tuple(release for release in releases if running and _flavour(release) == _flavour(running))
    return same or releases


def _flavour(release: str) -> str:
    """The words of a release without its numbers: "generic", "arch", "lts"; marks of a distribution's release are left out."""
    return " ".join(re.findall(r"[a-z]+", re.sub(r"\b(?:fc|el)\d\w*|\+\w+|\bbpo\d*", "", release)))
