"""Commands that build the kernel module anew, by the way in which the driver was installed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from heimdall.doctor.facts import Facts
from heimdall.doctor.facts.driver import packages, versions
from heimdall.doctor.facts.driver.distribution import Family, is_proxmox
from heimdall.doctor.repair import drivers
from heimdall.doctor.repair.host_commands import APT_UPDATE, Commands

_REBUILD: Mapping[Family, Commands] = {
    "arch": ("sudo pacman -Syu",),
    "nixos": ("sudo nixos-rebuild boot",),
    "gentoo": ("sudo emerge @module-rebuild",),
    "void": ("sudo xbps-reconfigure -f nvidia",),
}
"""Where one command does it, whatever is installed."""


def leave_runfile(facts: Facts) -> Commands:
    """Replace the driver of NVIDIA's .run file by the packages that already put libraries over its own.

    The .run file's driver must be removed before that of the packages is complete.
    """
    names = sorted(packages.driver_packages(facts.host))
    branch = int(packages.branch(facts.host, facts.user_space).partition("-")[0] or drivers.BRANCH)
    # The uninstaller takes files of the same names with it, so the packages put theirs back.
    again = (f"sudo apt-get install --reinstall {' '.join(names)}",) if facts.distribution.has_apt else ()
    return ("sudo nvidia-uninstall", *drivers.install_packaged(facts, branch), *again)


def headers(facts: Facts, release: str) -> Commands:
    """What a module is compiled against; nothing where it is there."""
    if facts.host.exists(f"/lib/modules/{release}/build") or facts.distribution.image_based:
        return ()
    family = facts.distribution.family
    if is_proxmox(facts.host):
        return (f"sudo apt-get install proxmox-headers-{release}",)
    if facts.distribution.has_apt:
        return (f"sudo apt-get install linux-headers-{release}",)
    if facts.distribution.has_dnf:
        kernel = "kernel-uek" if "uek" in release else "kernel"
        return (f"sudo {facts.distribution.rpm_tool} install {kernel}-devel-{release}",)
    if family == "suse":
        return ("sudo zypper install kernel-default-devel",)
    # Arch keeps the headers of the newest kernel only: the kernel goes along.
    return (f"sudo pacman -Syu --needed {drivers.arch_kernel(facts, release)}-headers",) if family == "arch" else ()


def build_module(facts: Facts, release: str, version: str | None) -> Commands:
    """Bring the module of this kernel to the version of the libraries, by the way in which the driver was installed."""
    if facts.is_runfile:
        options = f" --kernel-modules-only --kernel-name={release}"
        return (*headers(facts, release), *drivers.run_installer(version or "", "the same version", options))
    if uses_akmods(facts):
        return (*headers(facts, release), f"sudo akmods --force --kernels {release}")
    return _by_dkms(facts, release, version) or _by_packages(facts, release, version)


def _by_dkms(facts: Facts, release: str, version: str | None) -> Commands:
    """Build the module with DKMS; nothing if there are no sources of that version."""
    sources = [
        item for item in versions.dkms_sources(facts.host) if not version or versions.agree(item.version, version)
    ]
    before = (*headers(facts, release), *read_log(versions.failed_build(facts.host, release)))
    if facts.distribution.has_apt and any(re.search("dkms|kernel", name) for name in packages.interrupted(facts.host)):
        return (*before, "sudo dpkg --configure -a")
    if sources and facts.distribution.family != "nixos":
        return (*before, f"sudo dkms install {sources[0].name}/{sources[0].version} -k {release} --force")
    return ()


def _by_packages(facts: Facts, release: str, version: str | None) -> Commands:
    """The module that the distribution has, built or to be built."""
    family = facts.distribution.family
    if facts.distribution.image_based:
        return ("sudo transactional-update dup" if family == "suse" else "sudo rpm-ostree upgrade",)
    if facts.distribution.has_apt:
        return _apt_module(facts, release, version)
    if facts.distribution.has_dnf:
        return (f"sudo {facts.distribution.rpm_tool} distro-sync 'nvidia-*' 'kmod-nvidia*'",)
    if family == "suse":
        names = " ".join(drivers.suse_names(drivers.card_of(facts)))
        return ("sudo zypper refresh", f"sudo zypper install --force {names}")
    unknown = f"# build the nvidia module {version or ''} for kernel {release} as your distribution does"
    return _REBUILD.get(family, (unknown,))


def read_log(path: str | None) -> Commands:
    """What a build that failed says stands before the next attempt."""
    return (f"sudo tail -n 40 {path}",) if path else ()


def uses_akmods(facts: Facts) -> bool:
    return facts.distribution.has_dnf and (
        bool(facts.host.names("/usr/src/akmods"))
        or bool(facts.host.names("/var/cache/akmods/nvidia"))
        or facts.host.find_program("akmods") is not None
    )


def _apt_module(facts: Facts, release: str, version: str | None) -> Commands:
    names = packages.driver_packages(facts.host)
    prebuilt = re.findall(r"linux-(?:modules|objects)-nvidia-(\d+(?:-server)?(?:-open)?)", " ".join(names))
    branch = packages.branch(facts.host, version).partition("-")[0]
    if prebuilt:
        flavour = next((name for name in prebuilt if name.partition("-")[0] == branch), prebuilt[-1])
        return (APT_UPDATE, f"sudo apt-get install linux-modules-nvidia-{flavour}-{release}")
    dkms = next((name for name in names if "dkms" in name), None)
    if dkms:
        wanted = f"--reinstall {dkms}"
    elif facts.distribution.family == "debian":
        wanted = "nvidia-kernel-dkms"
    else:
        wanted = f"nvidia-dkms-{packages.branch(facts.host, version)}"
    return (*headers(facts, release), APT_UPDATE, f"sudo apt-get install {wanted}")
