"""Each fault has its way in the words of each system, and a host that is well has none."""

from __future__ import annotations

import re
from typing import Any

import pytest

from heimdall.doctor.facts.driver.distribution import distribution
from heimdall.doctor.host import Host

from .commands import OWN_TOOLS, TOOLS, report_lines

SYSTEMS = (
    "ubuntu", "debian", "fedora", "rocky", "tumbleweed", "arch", "nixos", "void", "gentoo", "alpine", "talos",
)  # fmt: skip


def _never_installed(tree: Any) -> None:
    tree.card(0x1B82, driver=None)
    tree.write(f"/lib/modules/{tree.running}/kernel/x.ko")


def _nouveau(tree: Any) -> None:
    tree.card(0x2B85, driver="nouveau")
    tree.write(f"/lib/modules/{tree.running}/kernel/x.ko")


def _module_behind(tree: Any) -> None:
    tree.card()
    tree.loaded("570.133.07")
    tree.libraries("570.144")
    tree.module(tree.running, "570.133.07")


def _no_libraries(tree: Any) -> None:
    tree.card()
    tree.loaded("570.144")
    tree.module(tree.running, "570.144")
    tree.write("/usr/lib/libc.so.6")


def _open_on_pascal(tree: Any) -> None:
    tree.card(0x1B82)
    tree.loaded("580.95.05", is_open=True, nodes=False)
    tree.libraries("580.95.05")
    tree.module(tree.running, "580.95.05")


def _closed_on_blackwell(tree: Any) -> None:
    tree.card(0x2B85)
    tree.loaded("580.95.05", nodes=False)
    tree.libraries("580.95.05")
    tree.module(tree.running, "580.95.05")


def _no_firmware(tree: Any) -> None:
    _module_behind(tree)
    tree.loaded("570.144", nodes=False)
    tree.log("nvidia 0000:01:00.0: Direct firmware load for nvidia/570.144/gsp_ga10x.bin failed with error -2")


def _no_toolkit(tree: Any) -> None:
    tree.healthy()
    tree.docker()


def _no_fabric_manager(tree: Any) -> None:
    tree.healthy()
    for name, value in (("vendor", "0x10de"), ("class", "0x068000")):
        tree.write(f"/sys/bus/pci/devices/0000:c0:00.0/{name}", f"{value}\n")


BREAKS = (
    (_never_installed, "driver_not_installed"),
    (_nouveau, "other_driver_has_card"),
    (_module_behind, "driver_library_mismatch"),
    (_no_libraries, "driver_not_installed"),
    (_open_on_pascal, "wrong_module_flavour"),
    (_closed_on_blackwell, "wrong_module_flavour"),
    (_no_firmware, "card_not_started"),
    (_no_toolkit, "container_toolkit_missing"),
    (_no_fabric_manager, "fabric_manager_missing"),
)


@pytest.mark.parametrize(("break_it", "name"), BREAKS, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("system", SYSTEMS)
def test_each_fault_has_a_way_in_the_words_of_each_system(system: str, break_it: Any, name: str, grow: Any) -> None:
    tree = grow(system, "6.12.9-300.x86_64")
    break_it(tree)
    report = tree.report()
    found = next(finding for finding in report.findings if finding.name == name)
    assert found.status == "fault"
    assert found.fix
    family = distribution(Host(tree.root, live=False, environment={})).family
    text = "\n".join(report_lines(report))
    for tool, pattern in TOOLS.items():
        if tool not in OWN_TOOLS.get(family, set()):
            assert not re.search(pattern, text), f"{tool}: {text}"


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(("break_it", "name"), BREAKS, ids=lambda value: getattr(value, "__name__", ""))
def test_no_command_stands_twice_in_a_list(system: str, break_it: Any, name: str, grow: Any) -> None:
    tree = grow(system, "6.12.9-300.x86_64")
    break_it(tree)
    for finding in tree.report().findings:
        assert len(finding.commands) == len(set(finding.commands))


def test_a_card_of_2010_is_offered_no_package_that_is_gone(grow: Any) -> None:
    tree = grow("ubuntu", "6.8.0-60-generic")
    tree.card(0x1080, driver=None)
    tree.write(f"/lib/modules/{tree.running}/kernel/x.ko")
    found = next(finding for finding in tree.report().findings if finding.name == "driver_not_installed")
    assert "no longer packaged" in " ".join(found.fix)
    assert not any("nvidia-driver-390" in line for line in found.fix)


@pytest.mark.parametrize("system", SYSTEMS)
def test_no_driver_is_named_that_drops_the_card(system: str, grow: Any) -> None:
    """A GTX 1070 is served until 580; what a distribution calls plainly by its newest driver is not for it."""
    tree = grow(system, "6.12.9-300.x86_64")
    _never_installed(tree)
    fix = "\n".join(tree.report().findings[0].fix)
    assert not re.search(r"59\d|6\d\d", fix.replace(tree.running, ""))
    assert "open" not in re.sub(r"open = false|openSUSE\S*", "", fix)


WELL = (
    ("arch", "6.14.9-arch1-1", "/usr/lib", "extramodules/nvidia.ko"),
    ("fedora", "6.17.10-300.fc43.x86_64", "/usr/lib64", "extra/nvidia/nvidia.ko"),
    ("rocky", "5.14.0-570.el9_6.x86_64", "/usr/lib64", "weak-updates/nvidia.ko"),
    ("tumbleweed", "6.11.0-1-default", "/usr/lib64", "updates/nvidia.ko"),
    ("debian", "6.1.0-26-amd64", "/usr/lib/x86_64-linux-gnu/nvidia/current", "updates/dkms/nvidia-current.ko"),
    ("ubuntu", "6.8.0-60-generic", "/usr/lib/x86_64-linux-gnu", "kernel/nvidia-580/nvidia.ko"),
    ("gentoo", "6.3.4-gentoo-x86_64", "/usr/lib64", "video/nvidia.ko"),
    ("void", "6.6.43_1", "/usr/lib", "updates/dkms/nvidia.ko"),
    ("talos", "6.6.29-talos", "/run/nvidia/driver/usr/lib64", "extra/nvidia.ko"),
)


@pytest.mark.parametrize(("system", "running", "folder", "place"), WELL, ids=[row[0] for row in WELL])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_a_host_that_is_well_has_no_fault(
    system: str, running: str, folder: str, place: str, packed: bool, grow: Any
) -> None:
    tree = grow(system, running)
    tree.card()
    tree.loaded("580.95.05")
    tree.libraries("580.95.05", folder)
    tree.module(running, "580.95.05", place)
    if packed:
        module = tree.root / f"lib/modules/{running}/{place}"
        module.rename(module.with_name(f"{module.name}.zst")).write_bytes(b"\x28\xb5\x2f\xfd\0")
    report = tree.report()
    assert [finding.name for finding in report.findings if finding.status in ("fault", "warning")] == []
    assert report.verdict == "gpu"
