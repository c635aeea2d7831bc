"""A mismatch in which the module is right and the libraries stayed behind it: nothing is to be built, and nothing held."""

from __future__ import annotations

from typing import Any

import pytest

from heimdall.doctor.facts import Facts
from heimdall.doctor.host import Host

GENERIC = "6.8.0-60-generic"
UBUNTU_LIBRARIES = {"libnvidia-compute-570": "570.133.07-0ubuntu1", "nvidia-utils-570": "570.133.07-0ubuntu1"}


def behind(grow: Any, system: str = "ubuntu", running: str = GENERIC, module: str = "570.144") -> Any:
    tree = grow(system, running)
    tree.card()
    tree.loaded(module)
    tree.libraries("570.133.07")
    tree.module(running, module)
    return tree


def held(tree: Any, *names: str) -> None:
    status = tree.root / "var/lib/dpkg/status"
    text = status.read_text()
    for name in names:
        text = text.replace(f"Package: {name}\nStatus: install", f"Package: {name}\nStatus: hold")
    status.write_text(text)


def mismatch(tree: Any) -> Any:
    return next(finding for finding in tree.report().findings if finding.name == "driver_library_mismatch")


def test_held_libraries_are_freed_and_brought_to_the_module(grow: Any) -> None:
    tree = behind(grow)
    tree.dpkg({**UBUNTU_LIBRARIES, "nvidia-dkms-570": "570.144-0ubuntu1", "nvidia-settings": "510.47.03-0ubuntu4"})
    held(tree, *UBUNTU_LIBRARIES)
    found = mismatch(tree)
    assert found.commands == (
        "sudo apt-mark unhold libnvidia-compute-570 nvidia-utils-570",
        "sudo apt-get update",
        "sudo apt-get install 'libnvidia-compute-570=570.144-*' 'nvidia-utils-570=570.144-*'",
        "nvidia-smi",
    )
    assert "apt holds libnvidia-compute-570, nvidia-utils-570" in found.cause
    assert not any("apt-mark hold" in line for way in found.alternatives for line in way.fix)


def test_libraries_of_another_branch_are_exchanged_for_those_of_the_module(grow: Any) -> None:
    tree = behind(grow, module="575.57.08")
    tree.dpkg({**UBUNTU_LIBRARIES, "nvidia-dkms-575": "575.57.08-0ubuntu1"})
    assert (
        "sudo apt-get install 'libnvidia-compute-575=575.57.08-*' 'nvidia-utils-575=575.57.08-*'"
        in mismatch(tree).commands
    )


def test_debians_names_carry_no_branch(grow: Any) -> None:
    tree = behind(grow, "debian", "6.1.0-37-amd64")
    tree.dpkg({"libcuda1": "570.133.07-1", "libnvidia-ml1": "570.133.07-1", "nvidia-kernel-dkms": "570.144-1"})
    assert "sudo apt-get install 'libcuda1=570.144-*' 'libnvidia-ml1=570.144-*'" in mismatch(tree).commands


def test_where_the_version_is_gone_all_of_the_driver_goes_on(grow: Any) -> None:
    tree = behind(grow)
    tree.dpkg({**UBUNTU_LIBRARIES, "nvidia-dkms-570": "570.144-0ubuntu1"})
    way = mismatch(tree).alternatives[0]
    assert way.fix[-2:] == (
        "sudo apt-get install libnvidia-compute-570 nvidia-utils-570 nvidia-dkms-570",
        "sudo reboot",
    )


@pytest.mark.parametrize(
    ("system", "running", "lock", "line", "command"),
    [
        ("arch", "6.14.9-arch1-1", "/etc/pacman.conf", "IgnorePkg = nvidia-utils\n", "sudo pacman -Syu"),
        (
            "rocky",
            "5.14.0-570.el9.x86_64",
            "/etc/dnf/plugins/versionlock.list",
            "nvidia-driver-libs-3:570.133.07-1.el9.*\n",
            "sudo dnf distro-sync '*nvidia*'",
        ),
        (
            "tumbleweed",
            "6.11.0-1-default",
            "/etc/zypp/locks",
            "type: package\nsolvable_name: nvidia-compute-G06\n",
            "sudo zypper install nvidia-compute-G06=570.144 nvidia-compute-utils-G06=570.144",
        ),
    ],
)
def test_other_package_tools_are_told_in_their_own_words(
    system: str, running: str, lock: str, line: str, command: str, grow: Any
) -> None:
    tree = behind(grow, system, running)
    tree.write(lock, line)
    found = mismatch(tree)
    assert found.fix[0] == f"# {lock} keeps NVIDIA's packages back: take them out of it; then:"
    assert command in found.commands
    assert f"{lock} keeps them back" in found.cause


@pytest.mark.parametrize("system", ["void", "gentoo", "nixos", "alpine", "talos", "fedora"])
def test_there_is_a_way_everywhere_and_none_builds_the_module(system: str, grow: Any) -> None:
    found = mismatch(behind(grow, system, "6.12.9-300.x86_64"))
    assert found.fix
    assert not any("dkms" in line or "headers" in line for line in found.fix)


def test_a_runfile_brings_the_libraries_without_the_module(grow: Any) -> None:
    tree = behind(grow)
    tree.write("/usr/bin/nvidia-uninstall")
    assert mismatch(tree).commands[0] == "sudo sh NVIDIA-Linux-x86_64-570.144.run --no-kernel-module"


def test_a_module_that_is_not_loaded_yet_needs_the_reboot(grow: Any) -> None:
    tree = behind(grow)
    tree.loaded("570.124.06")
    assert mismatch(tree).commands[-1] == "sudo reboot"


def test_who_went_back_to_an_older_driver_has_its_module_built(grow: Any) -> None:
    """The package of the module is of the libraries' version; only what it builds is missing."""
    tree = behind(grow)
    tree.dpkg({**UBUNTU_LIBRARIES, "nvidia-dkms-570": "570.133.07-0ubuntu1"})
    assert "sudo apt-get install --reinstall nvidia-dkms-570" in mismatch(tree).commands


def test_torch_is_chosen_for_the_driver_that_the_module_makes_it(grow: Any) -> None:
    tree = behind(grow, module="580.95.05")
    assert Facts(Host(tree.root, live=False, environment={})).driver_version == "580.95.05"
