"""What else hosts have: leftovers of another driver, pinned kernels, captured answers, and the tools of rarer systems.

The sources are public threads: repository#issue, or the title of a page; the trees are made by hand after them.
"""

from __future__ import annotations

from typing import Any

import pytest

from heimdall.doctor.facts.driver import kernels
from heimdall.doctor.host import Host

GENERIC = "6.8.0-60-generic"
TABLE = """Sat Nov  1 10:11:12 2025
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 580.95.05              Driver Version: 580.95.05      CUDA Version: 13.0     |
+-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |
|=========================================+========================+======================|
|   0  NVIDIA A100-SXM4-80GB          On  |   00000000:01:00.0 Off |                   On |
| N/A   34C    P0             62W /  400W |       1MiB /  81920MiB |      0%      Default |
|                                         |                        |             {mig:>8} |
+-----------------------------------------+------------------------+----------------------+
"""


def fault(tree: Any) -> Any:
    return next(finding for finding in tree.report().findings if finding.status == "fault")


def mismatch(grow: Any, system: str = "ubuntu", running: str = GENERIC) -> Any:
    tree = grow(system, running)
    tree.card()
    tree.loaded("570.133.07")
    tree.libraries("570.144")
    return tree


@pytest.mark.parametrize(
    "said", [TABLE.format(mig="Disabled"), "GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-5d49bdf4)\n"], ids=["table", "list"]
)
def test_an_answer_that_was_saved_as_people_save_it_shows_its_card(said: str, grow: Any) -> None:
    tree = grow("ubuntu", GENERIC)
    tree.healthy()
    tree.smi(said)
    report = tree.report()
    assert report.verdict == "gpu"
    assert "NVIDIA A100-SXM4-80GB" in report.reason


def test_a_table_in_mig_mode_is_read_so(grow: Any) -> None:
    tree = grow("ubuntu", GENERIC)
    tree.healthy()
    tree.smi(TABLE.format(mig="Enabled"))
    assert fault(tree).name == "mig"


def test_an_answer_that_lists_no_card_in_words_known_here_is_no_fault(grow: Any) -> None:
    tree = grow("ubuntu", GENERIC)
    tree.healthy()
    tree.smi("nvidia-smi: captured by collector v3\n")
    assert [item for item in tree.report().findings if item.status == "fault"] == []


@pytest.mark.parametrize(
    ("settings", "environment", "release"),
    [
        ("GRUB_DEFAULT=0\n", "saved_entry=gnulinux-6.8.0-59-generic-advanced\n", "6.8.0-60-generic"),
        ("GRUB_DEFAULT=saved\n", "saved_entry=gnulinux-6.8.0-59-generic-advanced\n", "6.8.0-59-generic"),
        ('GRUB_DEFAULT="Advanced options>Ubuntu, with Linux 6.8.0-59-generic"\n', "", "6.8.0-59-generic"),
    ],
    ids=["stale", "saved", "named"],
)
def test_the_boot_loaders_settings_say_what_boots_next(
    settings: str, environment: str, release: str, grow: Any
) -> None:
    tree = grow("ubuntu", "6.8.0-59-generic")
    for kernel in ("6.8.0-59-generic", "6.8.0-60-generic"):
        tree.module(kernel, "570.144", image=True)
    tree.write("/etc/default/grub", settings)
    tree.write("/boot/grub/grubenv", environment)
    found = kernels.next_kernel(Host(tree.root, live=False, environment={}), tree.running)
    assert found is not None
    assert found.release == release


@pytest.mark.parametrize(
    ("system", "running", "newer", "pin", "release"),
    [
        ("debian", "6.8.12-9-pve", "6.14.5-1-bpo12-pve", "6.8.12-9-pve\n", "6.8.12-9-pve"),
        ("debian", "6.8.12-9-pve", "6.14.5-1-bpo12-pve", None, "6.14.5-1-bpo12-pve"),
        ("debian", "6.1.0-37-amd64", "6.12.9+bpo-amd64", None, "6.12.9+bpo-amd64"),
        ("debian", "6.1.0-40-amd64", "6.12.48+deb13-amd64", None, "6.12.48+deb13-amd64"),
        ("debian", "6.12.48+deb13-amd64", "6.12.57+deb13-rt-amd64", None, "6.12.48+deb13-amd64"),
    ],
)
def test_a_kernel_of_a_newer_release_is_of_the_same_kind(
    system: str, running: str, newer: str, pin: str | None, release: str, grow: Any
) -> None:
    """Proxmox can pin one; Debian marks its backports and the release in the name."""
    tree = grow(system, running)
    for kernel in (running, newer):
        tree.module(kernel, "550.163.01", image=True)
    if pin:
        tree.write("/etc/kernel/proxmox-boot-pin", pin)
    found = kernels.next_kernel(Host(tree.root, live=False, environment={}), running)
    assert found is not None
    assert found.release == release


def test_debians_open_module_is_an_nvidia_module(grow: Any) -> None:
    tree = mismatch(grow, "debian", "6.12.48+deb13-amd64")
    tree.module(tree.running, "570.144", "updates/dkms/nvidia-current-open.ko")
    tree.module(tree.running, "570.144", "updates/dkms/nvidia-current-open-drm.ko")
    assert fault(tree).commands == ("sudo reboot",)


def test_a_build_of_another_branch_that_wins_over_the_packaged_module_is_taken_out(grow: Any) -> None:
    tree = mismatch(grow)
    tree.module(GENERIC, "550.144.03", "updates/dkms/nvidia.ko")
    tree.module(GENERIC, "570.144", "kernel/nvidia-570/nvidia.ko")
    tree.write(f"/var/lib/dkms/nvidia/550.144.03/{GENERIC}/x86_64/module/nvidia.ko")
    found = fault(tree)
    assert found.commands[:2] == (f"sudo dkms remove nvidia/550.144.03 -k {GENERIC}", f"sudo depmod -a {GENERIC}")
    assert found.commands[-1] == "sudo reboot"
    assert "a reboot alone does not help" in found.cause


def test_of_two_branches_left_installed_that_of_the_libraries_counts(grow: Any) -> None:
    tree = mismatch(grow)
    tree.module(GENERIC, "570.133.07", "kernel/nvidia-570/nvidia.ko")
    tree.dpkg(
        {
            "libnvidia-compute-550": "550.120-0ubuntu1",
            "linux-modules-nvidia-550-6.8.0-45-generic": "6.8.0-45.45",
            f"linux-modules-nvidia-570-open-{GENERIC}": "6.8.0-60.63",
        }
    )
    assert f"sudo apt-get install linux-modules-nvidia-570-open-{GENERIC}" in fault(tree).commands


def test_the_exchange_of_prebuilt_modules_follows_the_kernels_that_are_installed(grow: Any) -> None:
    """Of Ubuntu's two kernels of a release, generic and generic-hwe, the wrong one would have no module."""
    tree = grow("ubuntu", "6.14.0-24-generic")
    tree.card(0x2C05)
    tree.loaded("570.158.01", nodes=False)
    tree.libraries("570.158.01")
    tree.module(tree.running, "570.158.01", "kernel/nvidia-570/nvidia.ko")
    tree.smi("No devices were found\n")
    tree.dpkg(
        {"linux-modules-nvidia-570-generic-hwe-24.04": "6.14.0-24.24", "nvidia-driver-570": "570.158.01-0ubuntu1"}
    )
    names = "nvidia-driver-570-open linux-modules-nvidia-570-open-generic-hwe-24.04"
    assert f"sudo apt-get install {names}" in fault(tree).commands


def broken_build(grow: Any) -> Any:
    tree = grow("ubuntu", "6.14.0-24-generic")
    tree.card(driver=None)
    tree.libraries("550.144.03")
    tree.module(GENERIC, "550.144.03")
    tree.write(f"/lib/modules/{tree.running}/kernel/x.ko")
    tree.write(f"/lib/modules/{tree.running}/build/Makefile")
    tree.write("/var/lib/dkms/nvidia/550.144.03/source/dkms.conf")
    log = f"DKMS make.log for nvidia-550.144.03 for kernel {tree.running} (x86_64)\nmake: *** [modules] Error 2\n"
    tree.write("/var/lib/dkms/nvidia/550.144.03/build/make.log", log)
    return tree


def test_a_build_that_failed_is_looked_at_before_it_is_tried_again(grow: Any) -> None:
    found = fault(broken_build(grow))
    assert "could not build" in found.cause
    assert found.commands[0] == "sudo tail -n 40 /var/lib/dkms/nvidia/550.144.03/build/make.log"
    assert any(GENERIC in way.name for way in found.alternatives)


def test_packages_that_dpkg_has_not_set_up_are_set_up(grow: Any) -> None:
    tree = mismatch(grow)
    tree.module(GENERIC, "570.133.07")
    tree.write(f"/lib/modules/{GENERIC}/build/Makefile")
    status = "Package: nvidia-dkms-570\nStatus: install ok half-configured\nVersion: 570.144-1\n"
    tree.write("/var/lib/dpkg/status", status)
    assert fault(tree).commands == ("sudo dpkg --configure -a", "sudo reboot")


@pytest.mark.parametrize(
    ("system", "says", "command"),
    [
        ("ubuntu", "GRUB", "sudo update-grub"),
        ("fedora", "", "sudo grubby --update-kernel=ALL --remove-args=modprobe.blacklist=nvidia,nvidia_drm"),
        ("nixos", "boot.kernelParams", "sudo nixos-rebuild boot"),
    ],
)
def test_a_module_that_the_kernels_command_line_forbids(system: str, says: str, command: str, grow: Any) -> None:
    tree = grow(system, GENERIC)
    tree.card(driver=None)
    tree.libraries("570.144")
    tree.module(GENERIC, "570.144")
    tree.write("/proc/cmdline", "root=UUID=1 ro quiet modprobe.blacklist=nvidia,nvidia_drm\n")
    found = fault(tree)
    assert "command line forbids it" in found.cause
    assert command in found.commands
    assert found.commands[-1] == "sudo reboot"


def test_an_uninstaller_left_beside_akmods_means_nothing(grow: Any) -> None:
    tree = mismatch(grow, "fedora", "6.16.8-200.fc42.x86_64")
    tree.module(tree.running, "570.133.07", "extra/nvidia/nvidia.ko")
    tree.write("/usr/bin/nvidia-uninstall")
    tree.write("/usr/src/akmods/nvidia-kmod-570.144-1.fc42.src.rpm")
    assert any("akmods --force" in line for line in fault(tree).commands)
    assert not any(".run" in line for line in fault(tree).fix)


def test_cudas_toolkit_beside_a_runfile_brought_no_libraries(grow: Any) -> None:
    tree = mismatch(grow)
    tree.module(GENERIC, "570.133.07", "kernel/drivers/video/nvidia.ko")
    tree.write("/usr/bin/nvidia-uninstall")
    tree.dpkg({"nvidia-cuda-toolkit": "12.0.140-1", "nvidia-settings": "510.47.03-0ubuntu1"})
    assert not any("nvidia-uninstall" in line for line in fault(tree).fix)


def test_device_files_that_nobody_made_are_made(grow: Any) -> None:
    tree = grow("debian", "6.1.0-37-amd64")
    tree.healthy("535.247.01")
    for name in ("nvidia0", "nvidiactl", "nvidia-uvm"):
        (tree.root / "dev" / name).unlink()
    tree.write("/dev/null", "")
    found = fault(tree)
    assert (found.name, found.commands[0]) == ("device_files_missing", "sudo nvidia-modprobe -c 0 -u")


def test_a_program_that_cannot_be_seen_is_not_missing(grow: Any) -> None:
    """A tree without processes says nothing of the fabric manager."""
    tree = grow("ubuntu", GENERIC)
    tree.healthy("570.172.08")
    for name, value in (("vendor", "0x10de"), ("class", "0x068000")):
        tree.write(f"/sys/bus/pci/devices/0000:c0:00.0/{name}", f"{value}\n")
    (tree.root / "proc/1/comm").unlink()
    report = tree.report()
    assert {"fabric_manager_missing": "unknown"}.items() <= {item.name: item.status for item in report.findings}.items()
    assert report.verdict == "gpu"


@pytest.mark.parametrize("path", ["/var/log/kern.log", "/var/log/syslog", "/var/log/messages"])
def test_what_the_kernel_said_before_its_log_was_rotated_counts(path: str, grow: Any) -> None:
    tree = grow("ubuntu", GENERIC)
    tree.healthy()
    (tree.root / "dev/nvidia0").unlink()
    tree.smi("No devices were found\n")
    tree.write(path, "Nov  2 00:00:01 h kernel: [ 999.0] audit: nothing\n")
    tree.write(
        f"{path}.1",
        "Nov  1 10:00:00 h kernel: [    0.0] Linux version 6\n"
        "Nov  1 10:00:09 h kernel: [    9.1] NVRM: BAR1 is 0M @ 0x0 (PCI:0000:01:00.0)\n",
    )
    assert fault(tree).name == "card_not_started"
    assert "BIOS" in fault(tree).cause


@pytest.mark.parametrize("is_open", [True, False])
def test_a_card_newer_than_the_driver_needs_a_newer_driver(is_open: bool, grow: Any) -> None:
    """Debian 13 has 550; an RTX 5060 begins with 570, whichever kind of module it is."""
    tree = grow("debian", "6.12.48+deb13-amd64")
    tree.write("/etc/os-release", 'ID=debian\nVERSION_ID="13"\n')
    tree.card(0x2D04)
    tree.loaded("550.163.01", is_open=is_open, nodes=False)
    tree.libraries("550.163.01")
    tree.module(tree.running, "550.163.01", "updates/dkms/nvidia-current.ko")
    tree.smi("No devices were found\n")
    found = fault(tree)
    assert found.name == "card_not_started"
    assert "570 or newer" in found.cause
    assert "sudo apt-get install linux-headers-amd64 nvidia-open" in found.commands


def served(grow: Any, system: str = "ubuntu", **info: Any) -> Any:
    tree = grow(system, GENERIC)
    tree.healthy()
    tree.docker(Runtimes={"runc": {}, "nvidia": {"path": "nvidia-container-runtime"}}, **info)
    tree.write("/usr/bin/nvidia-container-runtime-hook")
    tree.write("/etc/nvidia-container-runtime/config.toml", "[nvidia-container-cli]\nno-cgroups = true # rootless\n")
    return tree


def test_a_toolkit_without_device_rules_is_wrong_under_an_ordinary_docker(grow: Any) -> None:
    """NVIDIA/nvidia-container-toolkit#381."""
    found = fault(served(grow))
    assert found.name == "toolkit_without_device_rules"
    assert found.commands[0].endswith("--set nvidia-container-cli.no-cgroups=false --in-place")


def test_and_right_where_docker_is_rootless_or_the_host_is_a_container(grow: Any) -> None:
    inside = served(grow)
    inside.write("/run/systemd/container", "lxc\n")
    for tree in (served(grow, SecurityOptions=["name=rootless"]), inside):
        assert [item for item in tree.report().findings if item.status == "fault"] == []


@pytest.mark.parametrize(
    ("release", "running", "command"),
    [
        ("ID=linuxmint\nID_LIKE=debian\nVERSION_ID=6\n", "6.1.0-37-amd64", "nvidia-driver"),
        (
            'ID=nobara\nID_LIKE="rhel centos fedora"\nVERSION_ID=42\nPLATFORM_ID="platform:f42"\n',
            "6.16.8-200.nobara.fc42.x86_64",
            "akmod-nvidia",
        ),
        ('ID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="7"\n', "3.10.0-1160.el7.x86_64", "sudo yum"),
        ("ID=manjaro\nID_LIKE=arch\n", "6.12.48-1-MANJARO", "sudo mhwd -a pci nonfree 0300"),
    ],
    ids=["lmde", "nobara", "centos7", "manjaro"],
)
def test_relatives_have_their_own_names(release: str, running: str, command: str, grow: Any) -> None:
    tree = grow("ubuntu", running)
    tree.write("/etc/os-release", release)
    tree.card(0x2504, driver=None)
    tree.write(f"/lib/modules/{running}/kernel/x.ko")
    lines = " ".join(fault(tree).commands)
    assert command in lines
    assert "nvidia-driver-580" not in lines
    assert " dnf " not in lines or "nobara" in release


def test_an_arch_kernel_says_itself_which_package_it_is(grow: Any) -> None:
    tree = grow("arch", "6.17.1-2-cachyos")
    tree.card(driver=None)
    tree.libraries("580.95.05")
    tree.write(f"/usr/lib/modules/{tree.running}/pkgbase", "linux-cachyos-lts\n")
    tree.write(f"/lib/modules/{tree.running}/kernel/x.ko")
    tree.write("/usr/src/nvidia-580.95.05/dkms.conf")
    assert fault(tree).commands[0] == "sudo pacman -Syu --needed linux-cachyos-lts-headers"


def test_where_the_first_program_is_init_nothing_is_typed_for_systemd(grow: Any) -> None:
    """Devuan, unRAID, Slackware."""
    tree = grow("debian", "6.1.0-37-amd64")
    tree.healthy()
    tree.docker()
    tree.write("/proc/1/comm", "init\n")
    assert fault(tree).commands[-1] == "sudo service docker restart"


def test_an_old_card_is_not_sent_from_one_torch_without_code_to_another(grow: Any) -> None:
    tree = grow("debian", "6.12.48+deb13-amd64")
    tree.healthy("550.163.01")
    tree.write("/sys/bus/pci/devices/0000:01:00.0/device", "0x13c2\n")
    tree.write(
        "/opt/venv/lib/python3.13/site-packages/torch/version.py", "__version__ = '2.9.0+cu130'\ncuda = '13.0'\n"
    )
    found = fault(tree)
    assert found.commands[-1].endswith("/whl/cu126")
    assert found.alternatives == ()
