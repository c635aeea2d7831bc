"""GPUs that no PCI bus shows: on a Jetson's own chip, or lent by Windows to WSL2."""

from __future__ import annotations

from typing import Any

import pytest

L4T = "# R32 (release), REVISION: 7.1, GCID: 29818004, BOARD: t210ref, EABI: aarch64\n"
WSL = "5.15.167.4-microsoft-standard-WSL2"


def jetpack_4(grow: Any) -> Any:
    """The driver is a part of the kernel: nothing in /proc/driver, no module, and device files of its own."""
    tree = grow("ubuntu", "4.9.253-tegra")
    tree.write("/etc/nv_tegra_release", L4T)
    tree.libraries("1.1", "/usr/lib/aarch64-linux-gnu/tegra", ("libcuda",))
    for name in ("nvhost-gpu", "nvmap"):
        tree.write(f"/dev/{name}", "")
    return tree


def wsl(grow: Any, *lent: str) -> Any:
    tree = grow("ubuntu", WSL)
    tree.write("/proc/version", f"Linux version {WSL} (root@x)")
    tree.write("/dev/dxg", "")
    for name in lent:
        tree.write(f"/usr/lib/wsl/lib/{name}")
    return tree


def first(tree: Any) -> Any:
    return tree.report().findings[0]


@pytest.mark.parametrize("shown", ["/sys/module/loop/refcnt", "/dev/null"], ids=["with sys", "without"])
def test_a_jetson_has_its_gpu_on_no_bus(shown: str, grow: Any) -> None:
    tree = jetpack_4(grow)
    tree.write(shown, "")
    found = first(tree)
    assert (found.name, found.status) == ("jetson", "fault")
    assert "L4T 32.7.1; kernel 4.9.253-tegra; driver nvgpu" in found.evidence


def test_a_jetson_with_nvidias_torch_is_no_host_with_a_loaded_driver_of_which_nothing_is_known(grow: Any) -> None:
    tree = jetpack_4(grow)
    folder = "/usr/lib/python3/dist-packages/torch"
    tree.write(f"{folder}/version.py", "__version__ = '1.10.0+nv21.10'\ncuda: Optional[str] = '10.2'\n")
    report = tree.report()
    assert not [finding for finding in report.findings if finding.name in ("card", "driver")]


def named(tree: Any, name: str) -> Any:
    return next(finding for finding in tree.report().findings if finding.name == name)


def test_the_device_of_windows_without_its_libraries_is_a_matter_of_wsl(grow: Any) -> None:
    """Whether there is a card only Windows can say, so it is no fault, and not said to be absent either."""
    tree = wsl(grow)
    found = named(tree, "wsl")
    assert (first(tree).name, first(tree).status, found.status) == ("card", "unknown", "warning")
    assert tree.report().reason.endswith("nvidia-smi.exe")
    assert found.commands == ("nvidia-smi.exe", "wsl.exe --update", "wsl.exe --shutdown")


def test_lending_can_be_turned_off_in_the_settings_of_wsl(grow: Any) -> None:
    tree = wsl(grow)
    tree.write("/etc/wsl.conf", "[boot]\nsystemd=true\n\n[gpu]\nenabled = false\n")
    found = named(tree, "wsl")
    assert "/etc/wsl.conf" in found.cause
    assert found.commands == ("wsl.exe --shutdown",)


def test_a_windows_without_nvidias_driver_lends_the_libraries_of_another(grow: Any) -> None:
    """As with a card of Intel's: nothing is at fault, and the PCI bus, which never shows it here, is no evidence."""
    report = wsl(grow, "libd3d12.so", "libdxcore.so").report()
    found = report.findings[0]
    assert (found.name, found.status, found.how_sure) == ("card", "ok", "likely")
    assert "PCI" not in f"{found.evidence} {found.read_from}"
    assert report.exit_code == 0


def test_a_tree_without_the_folder_of_the_bus_does_not_say_for_certain_that_there_is_no_card(grow: Any) -> None:
    tree = grow("ubuntu", "6.8.0-60-generic")
    assert first(tree).how_sure == "likely"
    tree.write("/sys/bus/pci/devices/0000:00:02.0/vendor", "0x8086\n")
    assert first(tree).how_sure == "certain"
