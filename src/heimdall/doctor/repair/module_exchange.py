"""Commands that exchange the kernel module for the other kind, open or proprietary, of the same driver."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from heimdall.doctor.facts import Facts
from heimdall.doctor.facts.driver import packages, versions
from heimdall.doctor.facts.driver.distribution import Family, has_repository
from heimdall.doctor.repair import drivers
from heimdall.doctor.repair.host_commands import APT_UPDATE, Commands


def exchange_module(facts: Facts, to_open: bool) -> Commands:
    """Install the other kind of kernel module of the same driver."""
    version = facts.user_space or facts.loaded or ""
    kind = "open" if to_open else "proprietary"
    if facts.is_runfile:
        return drivers.run_installer(version, options=f" --kernel-module-type={kind}")
    by_packages = _BY_FAMILY.get(facts.distribution.family)
    if by_packages is None:
        return (f"# install the {kind} kernel module of driver {version}",)
    return by_packages(facts, _branch(facts, version), to_open)


def _branch(facts: Facts, version: str) -> int:
    """The branch installed, or the nearest that serves the card."""
    card = drivers.card_of(facts)
    branch = drivers.branch_for(card, max(versions.as_numbers(version)[:1] or (drivers.BRANCH,)))
    return branch if card is None or card.is_served_by(branch) else drivers.branch_for(card)


def _ubuntu(facts: Facts, branch: int, to_open: bool) -> Commands:
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


def _debian(facts: Facts, branch: int, to_open: bool) -> Commands:
    if has_repository(facts.host, "cuda"):
        name = _nvidias_package(branch, to_open)
    else:
        name = "nvidia-open-kernel-dkms" if to_open else "nvidia-kernel-dkms"
    return (APT_UPDATE, f"sudo apt-get install {name}")


def _fedora(facts: Facts, branch: int, to_open: bool) -> Commands:
    if not drivers.is_from_rpm_fusion(facts):
        return _rpm(facts, branch, to_open)
    mark = "%_with_kmod_nvidia_open 1" if to_open else "%_without_kmod_nvidia_detect 1"
    build = f"sudo akmods --force --rebuild --kernels {facts.release or '$(uname -r)'}"
    return (f"echo '{mark}' | sudo tee /etc/rpm/macros-nvidia-kmod", build)


def _rhel(facts: Facts, branch: int, to_open: bool) -> Commands:
    """Before RHEL 10 the kinds are streams of one module of dnf."""
    if not 0 < facts.distribution.major < 10:
        return _rpm(facts, branch, to_open)
    stream = "open-dkms" if to_open else f"{branch}-dkms"
    return (f"sudo dnf module switch-to nvidia-driver:{stream} --allowerasing",)


def _rpm(facts: Facts, branch: int, to_open: bool) -> Commands:
    return (f"sudo {facts.distribution.rpm_tool} install --allowerasing {_nvidias_package(branch, to_open)}",)


def _nvidias_package(branch: int, to_open: bool) -> str:
    """The package's name in NVIDIA's own package source."""
    return "nvidia-open" if to_open else f"cuda-drivers-{branch}"


def _suse(facts: Facts, branch: int, to_open: bool) -> Commands:
    names = ("nvidia-open-driver-G06-signed-kmp-default", "nvidia-driver-G06-kmp-default")
    new, old = names if to_open else names[::-1]
    return (f"sudo zypper install {new} -{old}",)


def _nixos(facts: Facts, branch: int, to_open: bool) -> Commands:
    value = "true" if to_open else "false"
    return (
        f"# in configuration.nix: hardware.nvidia.open = {value}; then:",
        "sudo nixos-rebuild boot",
    )


_BY_FAMILY: Mapping[Family, Callable[[Facts, int, bool], Commands]] = {
    "ubuntu": _ubuntu,
    "debian": _debian,
    "fedora": _fedora,
    "rhel": _rhel,
    "suse": _suse,
    "nixos": _nixos,
    "arch": drivers.install_for_arch,
}
"""Takes the facts, the branch, and whether the open kind is wanted."""
