"""Commands that bring the driver's libraries to the version of its kernel module, by the tool that has the packages."""

from __future__ import annotations

import re
from collections.abc import Iterable

from heimdall.doctor.facts import Facts
from heimdall.doctor.facts.driver import packages, versions
from heimdall.doctor.finding import Way
from heimdall.doctor.repair import drivers
from heimdall.doctor.repair.host_commands import APT_UPDATE, REBOOT, Commands

NO_MODULE = " --no-kernel-module"


def bring_libraries(facts: Facts, version: str) -> Commands:
    """With the reboot, where one is needed: not where the module in memory is the right one and stays what it is."""
    exact = _exactly(facts, version)
    if exact:
        last = "nvidia-smi" if versions.same(facts.loaded, version) else REBOOT
        return (*release(facts), *exact, last)
    newest = _to_the_newest(facts)
    if newest:
        return (*release(facts), *newest, REBOOT)
    return (
        f"# bring the driver's libraries to version {version}, that of the kernel module, as your distribution does",
    )


def release(facts: Facts) -> Commands:
    """Frees packages that their tool was told to leave as they are."""
    held = packages.held(facts.host)
    if held:
        return (f"sudo apt-mark unhold {' '.join(held)}",)
    lock = packages.lock_file(facts.host)
    return (f"# {lock} keeps NVIDIA's packages back: take them out of it; then:",) if lock else ()


def _exactly(facts: Facts, version: str) -> Commands:
    """Where the tool can be told a version; nothing elsewhere."""
    if facts.is_runfile:
        return drivers.run_installer(version, options=NO_MODULE)
    if facts.distribution.has_apt:
        finish = ("sudo dpkg --configure -a",) if packages.interrupted(facts.host) else ()
        return (*finish, APT_UPDATE, f"sudo apt-get install {at_version(_apt_names(facts, version), version)}")
    if facts.distribution.family == "suse" and not facts.distribution.image_based:
        utilities = drivers.suse_names(drivers.card_of(facts))[1]
        names = dict.fromkeys((utilities.replace("-utils", ""), utilities))
        return ("sudo zypper refresh", f"sudo zypper install {' '.join(f'{name}={version}' for name in names)}")
    return ()


def _to_the_newest(facts: Facts) -> Commands:
    """Libraries and module together, to the version that the package source has now."""
    family = facts.distribution.family
    if facts.distribution.image_based:
        return ("sudo transactional-update dup" if family == "suse" else "sudo rpm-ostree upgrade",)
    if facts.distribution.has_dnf:
        return (f"sudo {facts.distribution.rpm_tool} distro-sync '*nvidia*'",)
    tools = {
        "arch": "sudo pacman -Syu",
        "nixos": "sudo nixos-rebuild boot",
        "gentoo": "sudo emerge --oneshot x11-drivers/nvidia-drivers",
        "void": "sudo xbps-install -Su nvidia",
    }
    return (tools[family],) if family in tools else ()


def or_the_newest(facts: Facts, version: str) -> tuple[Way, ...]:
    """Package sources do not keep every version: where that of the module is gone, all of the driver goes on."""
    if facts.is_runfile or not facts.distribution.has_apt:
        return ()
    others = [name for name in packages.driver_packages(facts.host) if name not in _behind(facts)]
    names = " ".join(dict.fromkeys((*_apt_names(facts, version), *others)))
    commands = (*release(facts), APT_UPDATE, f"sudo apt-get install {names}", REBOOT)
    return (Way("if that version is no longer offered, bring all of the driver to the newest one", commands),)


def _apt_names(facts: Facts, version: str) -> tuple[str, ...]:
    """The packages of the libraries, under the names that they have in the module's branch."""
    found = of_branch(_behind(facts), version)
    branch = version.partition(".")[0]
    ubuntu = (f"libnvidia-compute-{branch}", f"nvidia-utils-{branch}")
    usual = ubuntu if facts.distribution.family == "ubuntu" else ("libcuda1", "libnvidia-ml1", "nvidia-smi")
    return found or usual


def _behind(facts: Facts) -> tuple[str, ...]:
    """Installed packages of the libraries' version; those of the driver that go by another one are not among them."""
    installed = packages.driver_packages(facts.host)
    return tuple(name for name, version in installed.items() if versions.agree(facts.user_space, _upstream(version)))


def _upstream(version: str) -> str:
    """A package's version without its epoch and the distribution's own release."""
    return version.rpartition(":")[2].partition("-")[0]


def of_branch(names: Iterable[str], version: str) -> tuple[str, ...]:
    """Ubuntu's names carry the branch: these are the same packages in the branch of the version."""
    branch = version.partition(".")[0]
    return tuple(re.sub(r"-[0-9]{3}(?=-|$)", f"-{branch}", name) for name in names)


def at_version(names: Iterable[str], version: str) -> str:
    """Names for apt, of exactly this version of the driver, whatever the distribution's release of it."""
    return " ".join(f"'{name}={version}-*'" for name in names)


def libraries_inside(facts: Facts, version: str) -> Commands:
    """In a system container (LXC): exactly the host's version, and no kernel module, which only the host can have."""
    remark = f"in this container, the libraries of the host's driver {version}, without a kernel module"
    names = [
        name for name in packages.driver_packages(facts.host) if not re.search(r"dkms|kernel|driver-\d|modules", name)
    ]
    if facts.distribution.has_apt and names:
        exact = at_version(of_branch(names, version), version)
        return (f"# {remark}:", APT_UPDATE, f"sudo apt-get install --allow-downgrades {exact}")
    return drivers.run_installer(version, options=NO_MODULE, remark=remark)
