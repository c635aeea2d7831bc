"""Commands that build the kernel module anew, or exchange it for the other kind, by the way in which the driver was installed."""

from __future__ import annotations

import re
from collections.abc import Iterable

from heimdall.doctor.facts import Facts
from heimdall.doctor.facts.driver import packages, versions
from heimdall.doctor.facts.driver.distribution import has_repository, is_proxmox
from heimdall.doctor.repair import drivers
from heimdall.doctor.repair.host_commands import APT_UPDATE, Commands


def exchange_module(facts: Facts, to_open: bool) -> Commands:
    """The same driver with the other kind of kernel module."""
    family = facts.distribution.family
    version, card = facts.user_space or facts.loaded or "", drivers.card_of(facts)
    branch = drivers.branch_for(card, max(versions.as_numbers(version)[:1] or (drivers.BRANCH,)))
    if card and not card.is_served_by(branch):
        branch = drivers.branch_for(card)
    if facts.is_runfile:
        kind = "open" if to_open else "proprietary"
        return drivers.run_installer(version, options=f" --kernel-module-type={kind}")
    if family == "ubuntu":
        return _ubuntu_exchange(facts, branch, to_open)
    if family == "debian" and not has_repository(facts.host, "cuda"):
        return (APT_UPDATE, f"sudo apt-get install {'nvidia-open-kernel-dkms' if to_open else 'nvidia-kernel-dkms'}")
    if family == "fedora" and not has_repository(facts.host, r"^cuda-|nvidia"):
        mark = "%_with_kmod_nvidia_open 1" if to_open else "%_without_kmod_nvidia_detect 1"
        build = f"sudo akmods --force --rebuild --kernels {facts.release or '$(uname -r)'}"
        return (f"echo '{mark}' | sudo tee /etc/rpm/macros-nvidia-kmod", build)
    if family == "suse":
        names = ("nvidia-open-driver-G06-signed-kmp-default", "nvidia-driver-G06-kmp-default")
        old, new = names if not to_open else names[::-1]
        return (f"sudo zypper install {new} -{old}",)
    if family == "rhel" and 0 < facts.distribution.major < 10:
        return (
            f"sudo dnf module switch-to nvidia-driver:{'open-dkms' if to_open else f'{branch}-dkms'} --allowerasing",
        )
    if family in ("fedora", "rhel"):
        return (
            f"sudo {facts.distribution.rpm_tool} install --allowerasing {'nvidia-open' if to_open else f'cuda-drivers-{branch}'}",
        )
    if family == "debian":
        return (APT_UPDATE, f"sudo apt-get install {'nvidia-open' if to_open else f'cuda-drivers-{branch}'}")
    if family == "nixos":
        return (
            f"# in configuration.nix: hardware.nvidia.open = {'true' if to_open else 'false'}; then:",
            "sudo nixos-rebuild boot",
        )
    if family == "arch":
        return drivers.install_for_arch(facts, branch, to_open)
    return (f"# install the {'open' if to_open else 'proprietary'} kernel module of driver {version}",)


def _ubuntu_exchange(facts: Facts, branch: int, to_open: bool) -> Commands:
    names = packages.driver_packages(facts.host)
    server = "-server" if any(re.search(rf"-{branch}-server", name) for name in names) else ""
    flavour = f"{branch}{server}{'-open' if to_open else ''}"
    modules = "".join(f" linux-modules-nvidia-{flavour}-{kernel}" for kernel in _prebuilt_for(facts, names))
    return (APT_UPDATE, f"sudo apt-get install nvidia-driver-{flavour}{modules}")


def _prebuilt_for(facts: Facts, names: Iterable[str]) -> tuple[str, ...]:
    """For which kernels prebuilt modules are installed: a flavour that follows them (generic-hwe-24.04), else the running one."""
    found = [re.fullmatch(r"linux-(?:modules|objects)-nvidia-\d+(?:-server)?(?:-open)?-(.+)", name) for name in names]
    kernels = sorted({match.group(1) for match in found if match})
    following = tuple(kernel for kernel in kernels if not kernel[:1].isdigit())
    return following or ((facts.release,) if kernels and facts.release else ())


def leave_runfile(facts: Facts) -> Commands:
    """From NVIDIA's .run file to the packages that already put libraries over its own.

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
        return (
            f"sudo {facts.distribution.rpm_tool} install kernel-{'uek-' if 'uek' in release else ''}devel-{release}",
        )
    if family == "suse":
        return ("sudo zypper install kernel-default-devel",)
    # Arch keeps the headers of the newest kernel only: the kernel goes along.
    return (f"sudo pacman -Syu --needed {drivers.arch_kernel(facts, release)}-headers",) if family == "arch" else ()


def build_module(facts: Facts, release: str, version: str | None) -> Commands:
    """Bring the module of this kernel to the version of the libraries, by the way in which the driver was installed."""
    family = facts.distribution.family
    if facts.is_runfile:
        return (
            *headers(facts, release),
            *drivers.run_installer(
                version or "", "the same version", f" --kernel-modules-only --kernel-name={release}"
            ),
        )
    if uses_akmods(facts):
        return (*headers(facts, release), f"sudo akmods --force --kernels {release}")
    sources = [
        item for item in versions.dkms_sources(facts.host) if not version or versions.agree(item.version, version)
    ]
    if facts.distribution.has_apt and any(re.search("dkms|kernel", name) for name in packages.interrupted(facts.host)):
        return (
            *headers(facts, release),
            *read_log(versions.failed_build(facts.host, release)),
            "sudo dpkg --configure -a",
        )
    if sources and family != "nixos":
        source = sources[0]
        return (
            *headers(facts, release),
            *read_log(versions.failed_build(facts.host, release)),
            f"sudo dkms install {source.name}/{source.version} -k {release} --force",
        )
    if facts.distribution.image_based:
        tool = "sudo transactional-update dup" if family == "suse" else "sudo rpm-ostree upgrade"
        return (tool,)
    if facts.distribution.has_apt:
        return _apt_module(facts, release, version)
    if facts.distribution.has_dnf:
        return (f"sudo {facts.distribution.rpm_tool} distro-sync 'nvidia-*' 'kmod-nvidia*'",)
    if family == "suse":
        return (
            "sudo zypper refresh",
            f"sudo zypper install --force {' '.join(drivers.suse_names(drivers.card_of(facts)))}",
        )
    if family == "arch":
        return ("sudo pacman -Syu",)
    if family == "nixos":
        return ("sudo nixos-rebuild boot",)
    if family == "gentoo":
        return ("sudo emerge @module-rebuild",)
    if family == "void":
        return ("sudo xbps-reconfigure -f nvidia",)
    return (f"# build the nvidia module {version or ''} for kernel {release} as your distribution does",)


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
        return (*headers(facts, release), APT_UPDATE, f"sudo apt-get install --reinstall {dkms}")
    if facts.distribution.family == "debian":
        return (*headers(facts, release), APT_UPDATE, "sudo apt-get install nvidia-kernel-dkms")
    return (
        *headers(facts, release),
        APT_UPDATE,
        f"sudo apt-get install nvidia-dkms-{packages.branch(facts.host, version)}",
    )
