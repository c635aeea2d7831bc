"""Hosts of other kinds than an Ubuntu with DKMS, each as the tree of files it would leave in a support bundle.

The sources are public threads: repository#issue, or the title of a page. What a tree holds is made by hand after them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from heimdall.doctor.facts import wheels
from heimdall.doctor.facts.driver.distribution import distribution
from heimdall.doctor.finding import LISTED_BY, is_safe
from heimdall.doctor.host import Host

CURRENT = wheels.CURRENT_TORCH
MISMATCH = "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: {}\n"
NO_DEVICES = "No devices were found\n"
FAILED = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n"
BOOT_S = 1_728_300_000
BEFORE_BOOT_S, AFTER_BOOT_S = BOOT_S - 100_000, BOOT_S + 100_000
RUN = "https://download.nvidia.com/XFree86/Linux-x86_64"


@dataclass(frozen=True)
class Case:
    """`commands` are all that is to be typed; `says` stands in the cause, `seen` in the evidence."""

    source: str
    plant: Callable[[Any], Any]
    finding: str
    commands: tuple[str, ...] = ()
    says: str = ""
    seen: str = ""
    status: str = "fault"


def arch_update(grow: Any) -> Any:
    tree = grow("arch", "6.14.4-arch1-1")
    tree.card()
    tree.loaded("570.144", is_open=True)
    tree.libraries("575.57.08")
    tree.module("6.14.9-arch1-1", "575.57.08", "extramodules/nvidia.ko")
    tree.smi(MISMATCH.format("575.57"))
    return tree


def arch_without_modules(grow: Any) -> Any:
    tree = grow("arch", "6.14.4-arch1-1")
    tree.card(driver=None)
    tree.libraries("575.57.08")
    tree.module("6.14.9-arch1-1", "575.57.08", "extramodules/nvidia.ko")
    return tree


def arch_lts_beside(grow: Any) -> Any:
    """linux and linux-lts: the kernel that runs keeps its kind."""
    tree = arch_without_modules(grow)
    tree.module("6.18.2-1-lts", "570.1", "extramodules/nvidia.ko")
    return tree


def ubuntu_new_kernel(grow: Any) -> Any:
    tree = grow("ubuntu", "6.8.0-59-generic")
    tree.card()
    tree.loaded("570.133.07")
    tree.libraries("570.144")
    tree.module("6.8.0-59-generic", "570.133.07", "kernel/nvidia-570/nvidia.ko", image=True)
    tree.module("6.8.0-60-generic", "570.144", "kernel/nvidia-570/nvidia.ko", image=True)
    tree.link("/boot/vmlinuz", "vmlinuz-6.8.0-60-generic")
    tree.dpkg(
        {"linux-modules-nvidia-570-6.8.0-60-generic": "6.8.0-60.63+1", "nvidia-utils-570": "570.144-0ubuntu0.24.04.1"}
    )
    return tree


def ubuntu_packed_with_package(grow: Any) -> Any:
    """The module is packed with zstd; what it is, its package says."""
    tree = ubuntu_new_kernel(grow)
    (tree.root / "lib/modules/6.8.0-60-generic/kernel/nvidia-570/nvidia.ko").unlink()
    tree.write("/lib/modules/6.8.0-60-generic/kernel/nvidia-570/nvidia.ko.zst", b"\x28\xb5\x2f\xfd\0packed")
    tree.write(
        "/var/lib/dpkg/status",
        "Package: linux-modules-nvidia-570-6.8.0-60-generic\nStatus: install ok installed\nVersion: 6.8.0-60.63+1\n"
        "Depends: linux-image-6.8.0-60-generic, nvidia-kernel-common-570 (<= 570.144-1), nvidia-kernel-common-570 (>= 570.144)\n",
    )
    return tree


def ubuntu_packed(grow: Any) -> Any:
    tree = ubuntu_packed_with_package(grow)
    (tree.root / "var/lib/dpkg/status").write_text("")
    return tree


def ubuntu_kernel_without_module(grow: Any) -> Any:
    """The kernel was upgraded and its prebuilt module was not: a reboot would lose the card altogether."""
    tree = ubuntu_new_kernel(grow)
    (tree.root / "lib/modules/6.8.0-60-generic/kernel/nvidia-570/nvidia.ko").unlink()
    tree.write("/lib/modules/6.8.0-60-generic/kernel/dummy.ko")
    return tree


def ubuntu_grub_keeps_the_old_kernel(grow: Any) -> Any:
    """The newest kernel has the matching module, but the boot loader is told to take the running one."""
    tree = ubuntu_new_kernel(grow)
    (tree.root / "boot/vmlinuz").unlink()
    tree.write("/boot/grub/grubenv", "# GRUB Environment Block\nsaved_entry=gnulinux-6.8.0-59-generic-advanced\n")
    return tree


def suse_initrd(grow: Any) -> Any:
    tree = grow("tumbleweed", "6.11.0-1-default")
    tree.card()
    tree.loaded("550.107.02", is_open=True)
    tree.libraries("550.120", mtime_s=BEFORE_BOOT_S)
    tree.module("6.11.0-1-default", "550.120", "updates/nvidia.ko", mtime_s=BEFORE_BOOT_S)
    tree.write("/proc/stat", f"cpu 0 0\nbtime {BOOT_S}\n")
    return tree


def debian_initrd(grow: Any) -> Any:
    tree = grow("debian", "6.1.0-26-amd64")
    tree.card()
    tree.loaded("535.183.01")
    tree.libraries("535.216.01", mtime_s=BEFORE_BOOT_S)
    tree.module("6.1.0-26-amd64", "535.216.01", "updates/dkms/nvidia-current.ko", mtime_s=BEFORE_BOOT_S)
    tree.write("/var/lib/dpkg/info/libcuda1:amd64.list", "/usr/lib\n", mtime_s=BEFORE_BOOT_S)
    tree.write("/proc/stat", f"cpu 0 0\nbtime {BOOT_S}\n")
    return tree


def debian_not_rebooted(grow: Any) -> Any:
    """The same files, but dpkg unpacked them after the boot: their own times are those of the build."""
    tree = debian_initrd(grow)
    tree.write("/var/lib/dpkg/info/libcuda1:amd64.list", "/usr/lib\n", mtime_s=AFTER_BOOT_S)
    return tree


def lxc(grow: Any) -> Any:
    tree = grow("debian", "6.8.12-9-pve")
    tree.loaded("550.163.01")
    tree.libraries("550.144.03")
    tree.write("/proc/1/cgroup", "0::/init.scope\n")
    tree.write("/proc/1/environ", "container=lxc\0TERM=linux\0")
    tree.write("/run/systemd/container", "lxc\n")
    return tree


def lxc_with_packages(grow: Any) -> Any:
    tree = lxc(grow)
    tree.dpkg({"libcuda1": "550.144.03-1", "nvidia-smi": "550.144.03-1", "nvidia-kernel-dkms": "550.144.03-1"})
    return tree


def lxc_without_device(grow: Any) -> Any:
    """cgroup v1, where the groups of process 1 name the container."""
    tree = grow("ubuntu", "5.15.0-97-generic")
    tree.loaded("550.163.01", nodes=False)
    tree.libraries("550.163.01")
    tree.write("/proc/1/cgroup", "12:devices:/lxc/101/ns\n1:name=systemd:/lxc/101/ns\n")
    return tree


def jetson(grow: Any) -> Any:
    tree = grow("ubuntu", "5.10.104-tegra")
    tree.write(
        "/etc/nv_tegra_release", "# R35 (release), REVISION: 3.1, GCID: 32827747, BOARD: t186ref, EABI: aarch64\n"
    )
    tree.loaded("35.3.1", is_open=True)
    folder = "/usr/lib/aarch64-linux-gnu/tegra"
    tree.write("/etc/ld.so.conf.d/nvidia-tegra.conf", f"{folder}\n")
    tree.libraries("1.1", folder, ("libcuda",))
    tree.module("5.10.104-tegra", "35.3.1", "extra/opensrc-disp/nvidia.ko")
    return tree


def nixos(grow: Any, loaded: str = "560.35.03", running: str = "6.10.5") -> Any:
    tree = grow("nixos", running)
    store = "/nix/store/xdqv-nvidia-x11-560.35.03-6.10.5/lib"
    tree.card()
    tree.loaded(loaded)
    for name in ("libcuda", "libnvidia-ml"):
        tree.write(f"{store}/{name}.so.560.35.03")
        tree.link(f"/run/opengl-driver/lib/{name}.so.1", f"{store}/{name}.so.560.35.03")
    return tree


def nixos_switched(grow: Any) -> Any:
    """nixos-rebuild switch brought new libraries at once; the kernel and its module wait for the reboot."""
    tree = nixos(grow, "555.58.02", "6.9.12")
    for system, release, version in (("booted", "6.9.12", "555.58.02"), ("current", "6.10.5", "560.35.03")):
        tree.module(release, version)
        tree.write(
            f"/nix/store/{system}-modules/lib/modules/{release}/misc/nvidia.ko",
            b"\0version=" + version.encode() + b"\0",
        )
        tree.link(f"/run/{system}-system/kernel-modules", f"/nix/store/{system}-modules")
    return tree


def desktop(grow: Any) -> Any:
    tree = grow("ubuntu", "6.8.0-60-generic")
    tree.healthy("570.144")
    tree.docker(
        OperatingSystem="Docker Desktop", KernelVersion="6.6.16-linuxkit", ClientInfo={"Context": "desktop-linux"}
    )
    tree.write("/usr/bin/nvidia-container-runtime-hook")
    return tree


def remote_engine(grow: Any) -> Any:
    tree = desktop(grow)
    tree.docker(OperatingSystem="Debian GNU/Linux 12", KernelVersion="6.1.0-26-amd64", ClientInfo={"Context": "nas"})
    return tree


def snap(grow: Any) -> Any:
    tree = desktop(grow)
    tree.docker(OperatingSystem="Ubuntu Core 22", DockerRootDir="/var/snap/docker/common/var-lib-docker")
    tree.write("/snap/docker/2963/bin/dockerd")
    return tree


def podman(grow: Any) -> Any:
    tree = desktop(grow)
    info = {"host": {"buildahVersion": "1.33.7", "ociRuntime": {"name": "crun"}, "security": {"rootless": True}}}
    tree.write("/docker-info.json", json.dumps({**info, "version": {"Version": "4.9.3"}}))
    return tree


def rootless(grow: Any) -> Any:
    tree = grow("ubuntu", "6.8.0-60-generic")
    tree.healthy()
    tree.docker(SecurityOptions=["name=rootless"])
    return tree


def pascal_open(grow: Any, system: str = "ubuntu") -> Any:
    tree = grow(system, "6.8.0-60-generic")
    tree.card(0x1B82)
    tree.loaded("560.35.03", is_open=True, nodes=False)
    tree.libraries("560.35.03")
    tree.module(tree.running, "560.35.03")
    tree.smi(NO_DEVICES)
    tree.log(
        "NVRM: The NVIDIA GPU 0000:02:00.0 (PCI ID: 10de:1b82)",
        "NVRM: installed in this system is not supported by open",
        "NVRM: nvidia.ko because it does not include the required GPU",
        "NVRM: System Processor (GSP).",
    )
    if system == "ubuntu":
        tree.dpkg({"nvidia-driver-560-open": "560.35.03-0ubuntu1"})
    return tree


def volta_open_unread_log(grow: Any) -> Any:
    """The log cannot be read: the card's own number still tells."""
    tree = grow("rocky", "5.14.0-570.el9_6.x86_64")
    tree.card(0x1DB5)
    tree.loaded("570.133.20", is_open=True, nodes=False)
    tree.libraries("570.133.20")
    tree.module(tree.running, "570.133.20", "extra/nvidia.ko")
    tree.smi(NO_DEVICES)
    return tree


def blackwell_closed(grow: Any) -> Any:
    tree = grow("ubuntu", "6.8.0-60-generic")
    tree.card(0x2B85)
    tree.loaded("570.144", nodes=False)
    tree.libraries("570.144")
    tree.module(tree.running, "570.144")
    tree.smi(NO_DEVICES)
    tree.dpkg({"nvidia-driver-570": "570.144-0ubuntu1"})
    tree.log(
        "NVRM: The NVIDIA GPU 0000:01:00.0 (PCI ID: 10de:2b85)",
        "NVRM: installed in this system requires use of the NVIDIA open kernel modules.",
        "NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x22:0x56:884)",
    )
    return tree


def mixed_cards(grow: Any) -> Any:
    """A GTX 1070 beside an RTX 4090: the open module serves the newer one."""
    tree = pascal_open(grow)
    tree.write("/sys/bus/pci/devices/0000:01:00.0/device", "0x2684\n")
    tree.card(0x1B82, address="0000:02:00.0")
    tree.write("/dev/nvidia0", "")
    return tree


def debian_without_cuda(grow: Any) -> Any:
    tree = grow("debian", "6.12.9+bpo-amd64")
    tree.card()
    tree.loaded("535.216.01")
    tree.libraries("535.216.01", names=("libnvidia-ml",))
    tree.module(tree.running, "535.216.01", "updates/dkms/nvidia-current.ko")
    tree.dpkg({"nvidia-driver": "535.216.01-1", "nvidia-smi": "535.216.01-1"})
    return tree


def fedora_akmod(grow: Any) -> Any:
    release = "6.17.10-300.fc43.x86_64"
    tree = grow("fedora", release)
    tree.card(driver=None)
    tree.libraries("580.105.08")
    tree.write(f"/lib/modules/{release}/kernel/x.ko")
    tree.write("/usr/src/akmods/nvidia-kmod-580.105.08-1.fc43.src.rpm")
    tree.write(f"/var/cache/akmods/nvidia/580.105.08-1-for-{release}.failed.log")
    tree.smi(FAILED)
    return tree


REBOOT = ("sudo reboot",)
GIVEN = (
    Case(
        "gpu.md: arch_update",
        arch_update,
        "driver_library_mismatch",
        REBOOT,
        "a reboot loads the new ones",
        "575.57.08",
    ),
    Case(
        "gpu.md: arch_nomodules",
        arch_without_modules,
        "module_not_loaded",
        REBOOT,
        "6.14.9-arch1-1 waits with its module",
    ),
    Case(
        "gpu.md: arch_nomodules, linux-lts beside it",
        arch_lts_beside,
        "module_not_loaded",
        REBOOT,
        "6.14.9-arch1-1 waits",
    ),
    Case(
        "gpu.md: ubuntu_newkernel", ubuntu_new_kernel, "driver_library_mismatch", REBOOT, "a reboot loads the new ones"
    ),
    Case(
        "issue 12 B1: prebuilt, packed", ubuntu_packed_with_package, "driver_library_mismatch", REBOOT, "a reboot loads"
    ),
    Case(
        "issue 12 B1: packed and unreadable",
        ubuntu_packed,
        "driver_library_mismatch",
        ("modinfo -F version -k 6.8.0-60-generic nvidia",),
        "is not known",
        "unreadable",
    ),
    Case(
        "issue 12 B1: a kernel without its module",
        ubuntu_kernel_without_module,
        "driver_library_mismatch",
        ("sudo apt-get update", "sudo apt-get install linux-modules-nvidia-570-6.8.0-60-generic", "sudo reboot"),
        "a reboot does not help",
    ),
    Case(
        "issue 12 B1: the boot loader keeps the old kernel",
        ubuntu_grub_keeps_the_old_kernel,
        "driver_library_mismatch",
        ("sudo apt-get update", "sudo apt-get install linux-modules-nvidia-570-6.8.0-59-generic", "sudo reboot"),
        "6.8.0-59-generic is 570.133.07: a reboot does not help",
    ),
    Case(
        "gpu.md: suse_initrd",
        suse_initrd,
        "driver_library_mismatch",
        ("sudo dracut -f --regenerate-all", "sudo reboot"),
        "in the initramfs",
    ),
    Case(
        "gpu.md: the same on Debian",
        debian_initrd,
        "driver_library_mismatch",
        ("sudo update-initramfs -u -k all", "sudo reboot"),
        "in the initramfs",
    ),
    Case("gpu.md: unpacked after the boot", debian_not_rebooted, "driver_library_mismatch", REBOOT, "a reboot loads"),
    Case(
        "gpu.md: lxc",
        lxc,
        "driver_library_mismatch",
        ("sudo sh NVIDIA-Linux-x86_64-550.163.01.run --no-kernel-module",),
        "exactly the host's version",
    ),
    Case(
        "gpu.md: lxc with Debian's packages",
        lxc_with_packages,
        "driver_library_mismatch",
        (
            "sudo apt-get update",
            "sudo apt-get install --allow-downgrades 'libcuda1=550.163.01-*' 'nvidia-smi=550.163.01-*'",
        ),
        "exactly the host's version",
    ),
    Case(
        "issue 12: LXC on cgroup v1",
        lxc_without_device,
        "service_without_gpu",
        (),
        "is not given the GPU's device files",
    ),
    Case("gpu.md: jetson", jetson, "jetson", (), "L4T 35.3.1", "kernel 5.10.104-tegra"),
    Case("NixOS/nixpkgs#255070", nixos_switched, "driver_library_mismatch", REBOOT, "a reboot loads the new ones"),
    Case("gpu.md: desktop", desktop, "docker_elsewhere", ("docker context use default",), "virtual machine"),
    Case(
        "issue 12 B4: another computer's engine",
        remote_engine,
        "docker_elsewhere",
        ("docker context use default",),
        "another",
    ),
    Case("gpu.md: snap", snap, "snap_docker", ("sudo snap restart docker",), "Docker is the snap"),
    Case(
        "gpu.md: podman",
        podman,
        "podman",
        ("sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml", "nvidia-ctk cdi list"),
        "docker is Podman",
    ),
    Case(
        "issue 12 B4: rootless, no toolkit",
        rootless,
        "container_toolkit_missing",
        (
            "sudo apt-get install nvidia-container-toolkit",
            "nvidia-ctk runtime configure --runtime=docker --config=$HOME/.config/docker/daemon.json",
            "sudo nvidia-ctk config --set nvidia-container-cli.no-cgroups --in-place",
            "systemctl --user restart docker",
        ),
        "Container Toolkit is not installed",
    ),
    Case(
        "gpu.md: pascal_open",
        pascal_open,
        "wrong_module_flavour",
        ("sudo apt-get update", "sudo apt-get install nvidia-driver-560", "sudo reboot"),
        "needs the proprietary kernel module",
        "not supported by open",
    ),
    Case(
        "NVIDIA/open-gpu-kernel-modules#322, log unreadable",
        volta_open_unread_log,
        "wrong_module_flavour",
        ("sudo dnf module switch-to nvidia-driver:570-dkms --allowerasing", "sudo reboot"),
        "needs the proprietary kernel module",
        "Volta",
    ),
    Case(
        "NVIDIA/open-gpu-kernel-modules#862",
        blackwell_closed,
        "wrong_module_flavour",
        ("sudo apt-get update", "sudo apt-get install nvidia-driver-570-open", "sudo reboot"),
        "needs the open kernel module",
        "RmInitAdapter failed",
    ),
    Case(
        "NVIDIA/open-gpu-kernel-modules#696",
        mixed_cards,
        "wrong_module_flavour",
        ("sudo apt-get update", "sudo apt-get install nvidia-driver-560", "sudo reboot"),
        "The other card works",
        status="warning",
    ),
    Case(
        "gpu.md: debian_nocuda",
        debian_without_cuda,
        "driver_not_installed",
        ("sudo apt-get update", "sudo apt-get install libcuda1 libnvidia-ml1 nvidia-smi"),
        "libcuda.so.1",
    ),
    Case(
        "gpu.md: fedora_akmod",
        fedora_akmod,
        "module_not_loaded",
        (
            "sudo tail -n 40 /var/cache/akmods/nvidia/580.105.08-1-for-6.17.10-300.fc43.x86_64.failed.log",
            "sudo dnf install kernel-devel-6.17.10-300.fc43.x86_64",
            "sudo akmods --force --kernels 6.17.10-300.fc43.x86_64",
            "sudo modprobe -a nvidia nvidia_uvm",
        ),
        "akmods could not build",
    ),
)


def _rocky_kmod_behind(grow: Any) -> Any:
    """575.64 and 575.64.03 are two releases, though one begins like the other."""
    tree = grow("rocky", "5.14.0-570.el9_6.x86_64")
    tree.card()
    tree.loaded("575.64")
    tree.libraries("575.64.03")
    tree.module(tree.running, "575.64", "extra/nvidia/nvidia.ko", image=True)
    tree.write("/usr/src/akmods/nvidia-kmod-575.64.03-1.el9.src.rpm")
    tree.write(f"/lib/modules/{tree.running}/build/Makefile")
    return tree


def _rhel_old_kernel(grow: Any) -> Any:
    tree = grow("rocky", "4.18.0-553.el8_9.x86_64")
    tree.card()
    tree.loaded("565.57.01")
    tree.libraries("570.86.16")
    tree.module("4.18.0-553.el8_9.x86_64", "565.57.01", "extra/nvidia.ko", image=True)
    tree.module("4.18.0-553.el8_10.x86_64", "570.86.16", "extra/nvidia.ko", image=True)
    tree.write("/boot/grub2/grubenv", "saved_entry=0123-4.18.0-553.el8_10.x86_64\n")
    return tree


def _runfile_libraries(grow: Any) -> Any:
    """Libraries by the .run file, a patched module of another release beside: nothing of apt, nothing of DKMS."""
    tree = grow("ubuntu", "5.15.0-157-generic")
    tree.card()
    tree.loaded("570.124.06", is_open=True)
    tree.libraries("570.124.04")
    tree.module(tree.running, "570.124.06", "kernel/drivers/video/nvidia.ko", image=True)
    tree.write("/usr/bin/nvidia-uninstall")
    tree.write("/usr/src/nvidia-570.124.04/dkms.conf")
    tree.write(f"/lib/modules/{tree.running}/build/Makefile")
    return tree


def _packages_over_runfile(grow: Any) -> Any:
    tree = _runfile_libraries(grow)
    tree.dpkg({"libnvidia-compute-570": "570.124.04-0ubuntu1", "nvidia-utils-570": "570.124.04-0ubuntu1"})
    return tree


def _arch_without_headers(grow: Any) -> Any:
    tree = grow("arch", "6.14.9-arch1-1")
    tree.card(driver=None)
    tree.libraries("575.57.08")
    tree.write("/lib/modules/6.14.9-arch1-1/kernel/x.ko")
    tree.write("/usr/src/nvidia-575.57.08/dkms.conf")
    return tree


def _mint_dkms(grow: Any) -> Any:
    tree = grow("ubuntu", "6.8.0-40-generic")
    tree.write("/etc/os-release", 'ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="22"\n')
    tree.card()
    tree.loaded("550.90.07")
    tree.libraries("550.107.02")
    tree.module(tree.running, "550.107.02")
    tree.dpkg({"nvidia-dkms-550": "550.107.02-0ubuntu0.24.04.1", "nvidia-driver-550": "550.107.02-0ubuntu0.24.04.1"})
    return tree


def _dropped(grow: Any, system: str, running: str, device: int, version: str, model: str, last: str) -> Any:
    tree = grow(system, running)
    tree.card(device, driver=None)
    tree.libraries(version)
    tree.module(running, version, "extra/nvidia.ko")
    tree.log(
        f"NVRM: The NVIDIA {model} GPU installed in this system is",
        f"NVRM:  supported through the NVIDIA {last}.xx Legacy drivers. Please",
        "NVRM:  visit http://www.nvidia.com/object/unix.html for more",
        f"NVRM:  information.  The {version} NVIDIA driver will ignore",
        "NVRM:  this GPU.  Continuing probe...",
        "NVRM: No NVIDIA GPU found.",
    )
    return tree


def _talos_kepler(grow: Any) -> Any:
    return _dropped(grow, "talos", "6.6.29-talos", 0x128B, "535.129.03", "GeForce GT 710", "470")


def _nixos_pascal(grow: Any) -> Any:
    return _dropped(grow, "nixos", "6.18.21", 0x1C8D, "595.58.03", "GeForce GTX 1050", "580")


def _pascal_about_to_be_lost(grow: Any) -> Any:
    """580 still runs, 595 is installed: the reboot that ends the mismatch would take the card away."""
    tree = arch_update(grow)
    tree.write("/sys/bus/pci/devices/0000:01:00.0/device", "0x1c8d\n")
    tree.smi(MISMATCH.format("595.71"))
    tree.loaded("580.126.09")
    for name in ("libnvidia-ml", "libcuda"):
        (tree.root / f"usr/lib/{name}.so.1").unlink()
    tree.libraries("595.71.05")
    tree.module("6.14.9-arch1-1", "595.71.05", "extramodules/nvidia.ko")
    return tree


def _stopped(grow: Any, error: str, system: str = "ubuntu", folder: str = "/var/lib/docker/containers") -> Any:
    """What Docker itself keeps about a container that it could not start."""
    tree = grow(system, "6.8.0-60-generic")
    tree.healthy()
    state = {
        "Name": "/heimdall-training",
        "State": {"Running": False, "ExitCode": 128, "Error": error},
        "Config": {"Env": []},
    }
    tree.write(f"{folder}/3f3f/config.v2.json", json.dumps(state))
    request = {"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu"]]}
    tree.write(f"{folder}/3f3f/hostconfig.json", json.dumps({"DeviceRequests": [request], "ShmSize": 2**31}))
    return tree


HOOK = (
    "failed to create task for container: OCI runtime create failed: error running prestart hook #0: exit status "
    "1, stdout: , stderr: "
)


def _wsl(grow: Any, dxg: bool = True) -> Any:
    tree = grow("ubuntu", "5.15.167.4-microsoft-standard-WSL2")
    tree.write("/proc/version", "Linux version 5.15.167.4-microsoft-standard-WSL2 (root@x)")
    tree.write("/usr/lib/wsl/lib/libcuda.so.1")
    if dxg:
        tree.write("/dev/dxg", "")
    return tree


def _wsl_with_linux_driver(grow: Any) -> Any:
    tree = _wsl(grow)
    tree.libraries("510.108.03")
    return tree


def _wsl_1(grow: Any) -> Any:
    tree = _wsl(grow, dxg=False)
    tree.write("/proc/version", "Linux version 4.4.0-19041-Microsoft (Microsoft@Microsoft.com)")
    tree.write("/proc/sys/kernel/osrelease", "4.4.0-19041-Microsoft\n")
    return tree


def _not_started(
    grow: Any, *lines: str, system: str = "ubuntu", device: int = 0x2204, version: str = "550.144.03"
) -> Any:
    tree = grow(system, "6.8.0-60-generic")
    tree.card(device)
    tree.loaded(version, is_open=True, nodes=False)
    tree.libraries(version)
    tree.module(tree.running, version)
    tree.smi(NO_DEVICES)
    tree.log(*lines)
    return tree


def _after_xid(grow: Any, line: str) -> Any:
    tree = grow("ubuntu", "6.8.0-60-generic")
    tree.healthy()
    tree.log(line)
    return tree


def _vgpu(grow: Any) -> Any:
    tree = grow("ubuntu", "6.8.0-60-generic")
    tree.healthy("525.105.17")
    tree.write("/etc/nvidia/gridd.conf", "FeatureType=1\n")
    return tree


def _vgpu_by_log(grow: Any) -> Any:
    tree = _vgpu(grow)
    tree.write("/var/log/syslog", "Oct 12 17:22:37 x nvidia-gridd: Failed to acquire license from 192.0.2.7\n")
    return tree


def _vgpu_by_smi(grow: Any) -> Any:
    tree = _vgpu(grow)
    text = "    vGPU Software Licensed Product\n        License Status                    : Unlicensed\n"
    tree.write("/nvidia-smi-q.txt", text)
    return tree


def _exclusive(grow: Any) -> Any:
    tree = grow("ubuntu", "6.8.0-60-generic")
    tree.healthy()
    tree.write("/nvidia-smi-q.txt", "    Compute Mode                          : Prohibited\n")
    return tree


def _selinux(grow: Any) -> Any:
    tree = grow("fedora", "6.2.15-300.fc38.x86_64")
    tree.healthy()
    tree.write("/sys/fs/selinux/enforce", "1")
    line = 'type=AVC msg=audit(1684465329.146:35): avc:  denied  { map } for  pid=7 comm="python" path="/dev/nvidia0" '
    tree.write(
        "/var/log/audit/audit.log", f"{line}scontext=system_u:system_r:container_t:s0 tclass=chr_file permissive=0\n"
    )
    return tree


def _group_only(grow: Any) -> Any:
    tree = grow("debian", "6.1.0-26-amd64")
    tree.healthy()
    tree.write("/dev/nvidia0", "", mode=0o660)
    tree.write("/etc/modprobe.d/nvidia.conf", "options nvidia NVreg_DeviceFileMode=0660 NVreg_DeviceFileGID=44\n")
    return tree


def _refused(grow: Any) -> Any:
    tree = _group_only(grow)
    tree.smi("Failed to initialize NVML: Insufficient Permissions\n")
    return tree


def _nouveau_beside(grow: Any) -> Any:
    tree = grow("rocky", "5.14.0-570.el9_6.x86_64")
    tree.card(driver="nouveau")
    tree.loaded("570.133.20", nodes=False)
    tree.libraries("570.133.20")
    tree.module(tree.running, "570.133.20", "extra/nvidia.ko")
    tree.smi(NO_DEVICES)
    return tree


def _podman_wrapper(grow: Any) -> Any:
    tree = grow("fedora", "6.14.5-300.fc42.x86_64")
    tree.healthy()
    tree.write("/usr/bin/docker", '#!/usr/bin/sh\nexec /usr/bin/podman "$@"\n', mode=0o755)
    return tree


def _fedora_key(grow: Any) -> Any:
    tree = grow("fedora", "7.2.6-cachyos1.fc44.x86_64")
    tree.card(driver=None)
    tree.libraries("580.105.08")
    tree.module(tree.running, "580.105.08", "extra/nvidia/nvidia.ko")
    tree.write("/etc/pki/akmods/certs/public_key.der")
    tree.log("modprobe: ERROR: could not insert 'nvidia': Key was rejected by service")
    return tree


def _gentoo_toolkit(grow: Any) -> Any:
    tree = grow("gentoo", "6.3.4-gentoo-x86_64")
    tree.healthy()
    tree.docker()
    return tree


def _nixos_toolkit(grow: Any) -> Any:
    tree = nixos(grow)
    tree.docker()
    return tree


def _alma_kernel_ahead(grow: Any) -> Any:
    """The running kernel is newer than the prebuilt module; the one before has it."""
    tree = grow("rocky", "5.14.0-611.49.1.el9_7.x86_64")
    tree.card(driver=None)
    tree.libraries("595.58.03")
    tree.module("5.14.0-611.41.1.el9_7.x86_64", "595.58.03", "extra/nvidia.ko", image=True)
    tree.write("/lib/modules/5.14.0-611.49.1.el9_7.x86_64/kernel/x.ko")
    tree.write("/boot/vmlinuz-5.14.0-611.49.1.el9_7.x86_64")
    return tree


def _leap_micro(grow: Any) -> Any:
    tree = grow("tumbleweed", "6.4.0-150600.23.50-default")
    tree.card(driver=None)
    tree.libraries("570.133.20")
    tree.write("/usr/sbin/transactional-update")
    tree.write(f"/lib/modules/{tree.running}/kernel/x.ko")
    tree.write("/usr/src/nvidia-570.133.20/dkms.conf")
    return tree


def _silverblue(grow: Any) -> Any:
    tree = grow("fedora", "5.17.9-300.fc36.x86_64")
    tree.card(driver="nouveau")
    tree.write("/run/ostree-booted", "")
    tree.write(f"/lib/modules/{tree.running}/kernel/x.ko")
    return tree


def _lxd_without_libraries(grow: Any) -> Any:
    tree = lxc(grow)
    for name in ("libnvidia-ml", "libcuda"):
        (tree.root / f"usr/lib/x86_64-linux-gnu/{name}.so.1").unlink()
        (tree.root / f"usr/lib/x86_64-linux-gnu/{name}.so.550.144.03").unlink()
    tree.write("/usr/lib/x86_64-linux-gnu/libc.so.6")
    return tree


def _torch(grow: Any, version: str, cuda: str, device: int) -> Any:
    tree = grow("ubuntu", "6.8.0-60-generic")
    tree.healthy()
    tree.write("/sys/bus/pci/devices/0000:01:00.0/device", f"{device:#06x}\n")
    tree.loaded("580.95.05", is_open=device > 0x2000)
    tree.write(
        "/opt/venv/lib/python3.11/site-packages/torch/version.py", f"__version__ = '{version}'\ncuda = '{cuda}'\n"
    )
    return tree


APT_TOOLKIT = (
    "sudo apt-get install nvidia-container-toolkit",
    "sudo nvidia-ctk runtime configure --runtime=docker",
    "sudo systemctl restart docker",
)


def _mixed_kepler(grow: Any) -> Any:
    """A GT 710 for the screen beside an RTX 3090: its branch would take the other card away."""
    tree = grow("ubuntu", "6.8.0-60-generic")
    tree.healthy("570.144")
    tree.card(0x128B, address="0000:02:00.0")
    tree.log(
        "NVRM: The NVIDIA GeForce GT 710 GPU installed in this system is",
        "NVRM:  supported through the NVIDIA 470.xx Legacy drivers. Please",
    )
    return tree


def _mixed_blackwell(grow: Any) -> Any:
    """A GTX 1070 works with the proprietary module; the open one that the RTX 5090 needs would take it away."""
    tree = blackwell_closed(grow)
    tree.card(0x1B82, address="0000:02:00.0")
    tree.write("/dev/nvidia0", "")
    return tree


def _stopped_mismatch(grow: Any) -> Any:
    """The host's own finding knows more than Docker's words."""
    tree = ubuntu_new_kernel(grow)
    error = f"{HOOK}nvidia-container-cli: initialization error: nvml error: driver/library version mismatch: unknown"
    state = {"Name": "/heimdall-training", "State": {"Running": False, "Error": error}, "Config": {"Env": []}}
    tree.write("/var/lib/docker/containers/3f3f/config.v2.json", json.dumps(state))
    tree.write("/var/lib/docker/containers/3f3f/hostconfig.json", json.dumps({"Runtime": "nvidia"}))
    return tree


def _over(grow: Any) -> Any:
    """The container's last start failed before the reboot that mended the host."""
    return _stopped(
        grow, f"{HOOK}nvidia-container-cli: initialization error: nvml error: driver/library version mismatch: unknown"
    )


PUBLIC = (
    Case(
        "SWITCHING FROM NVIDIA WAY TO DEBIAN WAY (README of nvidia-kernel-dkms)",
        _packages_over_runfile,
        "driver_library_mismatch",
        (
            "sudo nvidia-uninstall",
            "sudo apt-get update",
            "sudo apt-get install nvidia-driver-570-open",
            "sudo apt-get install --reinstall libnvidia-compute-570 nvidia-utils-570",
            "sudo reboot",
        ),
        "only one of the two can stay",
    ),
    Case(
        "NVIDIA/open-gpu-kernel-modules#230, with DKMS and without headers",
        _arch_without_headers,
        "module_not_loaded",
        ("sudo pacman -Syu --needed linux-headers", "sudo reboot"),
        "DKMS has not built",
    ),
    Case(
        "siderolabs/talos#8764, beside another card",
        _mixed_kepler,
        "legacy_card",
        (),
        "470 is the last one",
        status="warning",
    ),
    Case(
        "NVIDIA/open-gpu-kernel-modules#862, beside an older card",
        _mixed_blackwell,
        "wrong_module_flavour",
        (),
        "No one module",
        status="warning",
    ),
    Case(
        "NVIDIA/nvidia-container-toolkit#394",
        lambda grow: _stopped_mismatch(grow),
        "driver_library_mismatch",
        REBOOT,
        "a reboot loads the new ones",
    ),
    Case(
        "negativo17/nvidia-driver#180",
        _rocky_kmod_behind,
        "driver_library_mismatch",
        ("sudo akmods --force --kernels 5.14.0-570.el9_6.x86_64", "sudo reboot"),
        "is 575.64: a reboot does not help",
    ),
    Case(
        "negativo17/nvidia-driver#171",
        _rhel_old_kernel,
        "driver_library_mismatch",
        REBOOT,
        "a reboot loads the new ones",
    ),
    Case(
        "tinygrad/open-gpu-kernel-modules#47",
        _runfile_libraries,
        "driver_library_mismatch",
        (
            "sudo sh NVIDIA-Linux-x86_64-570.124.04.run --kernel-modules-only --kernel-name=5.15.0-157-generic",
            "sudo reboot",
        ),
        "a reboot does not help",
    ),
    Case(
        "oddmario/NVIDIA-Ubuntu-Driver-Guide#4",
        _mint_dkms,
        "driver_library_mismatch",
        REBOOT,
        "a reboot loads the new one",
    ),
    Case("siderolabs/talos#8764", _talos_kepler, "legacy_card", (), "470 is the last one", "470.xx Legacy"),
    Case(
        "NixOS/nixos-hardware#1828",
        _nixos_pascal,
        "legacy_card",
        ("sudo nixos-rebuild boot", "sudo reboot"),
        "580 is the last one",
    ),
    Case(
        "NixOS/nixos-hardware#1880, before the reboot",
        _pascal_about_to_be_lost,
        "legacy_card",
        (),
        "would take the card away",
    ),
    Case(
        "containers/ramalama#940",
        lambda grow: _stopped(grow, 'could not select device driver "cdi" with capabilities: []'),
        "cdi_disabled",
        ("sudo systemctl restart docker",),
        "features.cdi",
    ),
    Case(
        "basujindal/stable-diffusion#217",
        lambda grow: _stopped(grow, 'could not select device driver "nvidia" with capabilities: [[gpu]]'),
        "container_toolkit_missing",
        ("heimdall doctor",),
        "Container Toolkit",
    ),
    Case(
        "NVIDIA/nvidia-container-toolkit#434",
        lambda grow: _stopped(grow, "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=all"),
        "stale_cdi",
        ("sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml", "nvidia-ctk cdi list"),
        "no such CDI device",
    ),
    Case(
        "NVIDIA/libnvidia-container#154",
        lambda grow: _stopped(
            grow,
            f"{HOOK}nvidia-container-cli: mount error: failed to add device rules: unable to find any existing device filters "
            "attached to the cgroup: bpf_prog_query(BPF_CGROUP_DEVICE) failed: operation not permitted: unknown",
        ),
        "rootless_docker",
        (
            "sudo nvidia-ctk config --set nvidia-container-cli.no-cgroups --in-place",
            "systemctl --user restart docker",
        ),
        "rootless",
    ),
    Case(
        "canonical/docker-snap#148",
        lambda grow: _stopped(
            grow,
            f"{HOOK}nvidia-container-cli: initialization error: load library failed: libnvidia-ml.so.1: "
            "cannot open shared object "
            "file: no such file or directory: unknown",
            folder="/var/snap/docker/common/var-lib-docker/containers",
        ),
        "driver_not_installed",
        ("heimdall doctor",),
        "snap",
    ),
    Case(
        "microsoft/WSL#9166",
        _wsl_with_linux_driver,
        "wsl",
        ("sudo apt-get purge 'nvidia-driver-*' 'nvidia-dkms-*' 'nvidia-utils-*' 'libnvidia-*'", "sudo ldconfig"),
        "hides it",
    ),
    Case(
        "microsoft/WSL#7716",
        lambda grow: _wsl(grow, dxg=False),
        "wsl",
        ("wsl.exe --update", "wsl.exe --shutdown"),
        "too old",
    ),
    Case("microsoft/WSL#7716, as WSL 1", _wsl_1, "wsl", ("wsl.exe --set-version Ubuntu 2",), "WSL 1"),
    Case(
        "Dunedan/mbp-2016-linux#60",
        lambda grow: _not_started(
            grow,
            "NVRM: This PCI I/O region assigned to your NVIDIA device is invalid:",
            "NVRM: BAR1 is 0M @ 0x0 (PCI:0000:0a:00.0)",
            "NVRM: The system BIOS may have misconfigured your GPU.",
        ),
        "card_not_started",
        REBOOT,
        "BIOS",
        "BAR1 is 0M",
    ),
    Case(
        "NVIDIA/open-gpu-kernel-modules#943",
        lambda grow: _not_started(
            grow,
            "nvidia 0000:01:00.0: loading /lib/firmware/nvidia/570.133.20/gsp_ga10x.bin failed with error -4",
            "NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x62:0x25:2015)",
            system="debian",
            version="570.133.20",
        ),
        "card_not_started",
        (
            "sudo apt-get update",
            "sudo apt-get install --reinstall firmware-nvidia-gsp",
            "sudo update-initramfs -u",
            "sudo reboot",
        ),
        "firmware",
        "gsp_ga10x.bin",
    ),
    Case(
        "NVIDIA/open-gpu-kernel-modules#1230",
        lambda grow: _not_started(
            grow,
            "NVRM: GPU6 _kgspBootGspRm: unexpected WPR2 already up, cannot proceed with booting GSP",
            "NVRM: GPU 0000:a1:00.0: RmInitAdapter failed! (0x62:0x40:2168)",
        ),
        "card_not_started",
        ("sudo dmesg | grep -E 'NVRM|nvidia' | tail -n 40",),
        "taking its power away",
    ),
    Case(
        "NVIDIA/open-gpu-kernel-modules#1104",
        lambda grow: _not_started(
            grow,
            "NVRM: _kgspBootGspRm: unexpected WPR2 already up, cannot proceed with booting GSP",
            system="tumbleweed",
            device=0x2C39,
            version="595.58.03",
        ),
        "card_not_started",
        ("sudo dmesg | grep -E 'NVRM|nvidia' | tail -n 40",),
        "taking its power away",
    ),
    Case(
        "NVIDIA/open-gpu-kernel-modules#789",
        lambda grow: _not_started(grow, "NVRM: GPU 0000:98:00.0: RmInitAdapter failed! (0x62:0x65:1792)"),
        "card_not_started",
        ("sudo dmesg | grep -E 'NVRM|nvidia' | tail -n 40", "sudo reboot"),
        "RmInitAdapter",
    ),
    Case(
        "NVIDIA/NVSentinel#155",
        lambda grow: _not_started(
            grow,
            "NVRM: The NVIDIA GPU 0000:b3:00.0",
            "NVRM: (PCI ID: 10de:26b5) installed in this system has",
            "NVRM: fallen off the bus and is not responding to commands.",
        ),
        "gpu_lost",
        REBOOT,
        "fallen off",
    ),
    Case(
        "NVIDIA/open-gpu-kernel-modules#829",
        lambda grow: _after_xid(grow, "NVRM: Xid (PCI:0000:06:00): 120, GSP task exception: store access page fault"),
        "gpu_lost",
        ("sudo nvidia-smi --gpu-reset",),
        "GSP",
    ),
    Case(
        "NVIDIA/open-gpu-kernel-modules#507",
        lambda grow: _after_xid(grow, "NVRM: Xid (PCI:0000:01:00): 79, pid='<unknown>', GPU has fallen off the bus."),
        "gpu_lost",
        REBOOT,
        "power",
    ),
    Case("NVIDIA/gpu-operator#220", _vgpu_by_smi, "vgpu_licence", says="no licence", seen="Unlicensed"),
    Case(
        "NVIDIA/nvidia-docker#1787", _vgpu_by_log, "vgpu_licence", says="no licence", seen="Failed to acquire license"
    ),
    Case(
        "DDMAL/Rodan#1332, by compute mode", _exclusive, "compute_mode", ("sudo nvidia-smi -c DEFAULT",), "Prohibited"
    ),
    Case(
        "fedora-selinux/selinux-policy#1695",
        _selinux,
        "device_permission",
        ("sudo setsebool -P container_use_devices 1",),
        "SELinux",
    ),
    Case(
        "NVIDIA/nvidia-container-toolkit#580, by group",
        _group_only,
        "device_permission",
        ("ls -l /dev/nvidia0 /dev/nvidiactl /dev/nvidia-uvm", "sudo usermod -aG video,render $USER"),
        "group only",
        "NVreg_DeviceFileMode=0660",
        status="warning",
    ),
    Case(
        "NVIDIA/nvidia-container-toolkit#580, refused",
        _refused,
        "device_permission",
        ("ls -l /dev/nvidia0 /dev/nvidiactl /dev/nvidia-uvm", "sudo usermod -aG video,render $USER"),
        "may not open",
    ),
    Case(
        "xxmyjk/xxmyjk.github.io#12, nouveau beside the loaded driver",
        _nouveau_beside,
        "other_driver_has_card",
        (
            r"printf 'blacklist nouveau\noptions nouveau modeset=0\n' | sudo tee /etc/modprobe.d/blacklist-nouveau.conf",
            "sudo dracut -f --regenerate-all",
            "sudo reboot",
        ),
        "nouveau",
    ),
    Case("podman-container-tools/podman#4507, by the wrapper", _podman_wrapper, "podman", says="docker is Podman"),
    Case(
        "CachyOS/copr-linux-cachyos#101",
        _fedora_key,
        "secure_boot_refuses_module",
        ("sudo mokutil --import /etc/pki/akmods/certs/public_key.der", "sudo reboot"),
        "not enrolled",
    ),
    Case(
        "NVIDIA/nvidia-docker#1088",
        _gentoo_toolkit,
        "container_toolkit_missing",
        APT_TOOLKIT[1:],
        "Container Toolkit is not installed",
    ),
    Case(
        "NixOS/nixpkgs#353059",
        _nixos_toolkit,
        "container_toolkit_missing",
        ("sudo nixos-rebuild switch",),
        "Container Toolkit is not installed",
    ),
    Case(
        "TECHNICAL INCIDENT REPORT NVIDIA Driver / AlmaLinux 9.7 Kernel Incompatibility",
        _alma_kernel_ahead,
        "module_not_loaded",
        ("sudo dnf distro-sync 'nvidia-*' 'kmod-nvidia*'", "sudo modprobe -a nvidia nvidia_uvm"),
        "No nvidia module is installed for the running kernel",
    ),
    Case(
        "weak-modules2 never rebuilds DKMS drivers after a kernel update",
        _leap_micro,
        "module_not_loaded",
        ("sudo transactional-update run dkms autoinstall -k 6.4.0-150600.23.50-default", "sudo reboot"),
        "DKMS has not built",
    ),
    Case(
        "fedora-silverblue/issue-tracker#286",
        _silverblue,
        "other_driver_has_card",
        (
            "sudo rpm-ostree install akmod-nvidia xorg-x11-drv-nvidia-cuda",
            "sudo rpm-ostree kargs --append=rd.driver.blacklist=nouveau --append=modprobe.blacklist=nouveau",
            "sudo reboot",
        ),
        "nouveau",
    ),
    Case(
        "canonical/lxd#9964",
        _lxd_without_libraries,
        "driver_not_installed",
        ("sudo sh NVIDIA-Linux-x86_64-550.163.01.run --no-kernel-module",),
        "libraries",
    ),
    Case(
        "pytorch/pytorch#150733",
        lambda grow: _torch(grow, "2.6.0+cu126", "12.6", 0x2B87),
        "card_not_in_torch",
        (f"pip install 'torch=={CURRENT}' 'torchvision=={wheels.TORCHVISION[CURRENT]}'",),
        "12.0",
    ),
    Case(
        "pBFSLab/DeepPrep#233",
        lambda grow: _torch(grow, "2.0.1+cu118", "11.8", 0x2B85),
        "card_not_in_torch",
        (f"pip install 'torch=={CURRENT}' 'torchvision=={wheels.TORCHVISION[CURRENT]}'",),
        "12.0",
    ),
    Case(
        "issue 12 B6: a card of capability 6.1 with CUDA 13",
        lambda grow: _torch(grow, "2.14.1+cu130", "13.0", 0x1B82),
        "card_not_in_torch",
        ("pip install 'torch==2.10.0' 'torchvision==0.25.0' --index-url https://download.pytorch.org/whl/cu126",),
        "6.1",
    ),
    Case("pinokiocomputer/pinokio#1027", jetson, "jetson", says="PyPI's torch has no code"),
    Case(
        "docker/roadmap#497", desktop, "docker_elsewhere", ("docker context use default",), "gives no container a GPU"
    ),
)
CASES = (*GIVEN, *PUBLIC)


@pytest.fixture(scope="module")
def examined(grow: Any) -> Callable[[Case], tuple[Any, Any]]:
    """Each tree is planted and examined once, with its report, for all the laws that it must keep."""
    known: dict[str, tuple[Any, Any]] = {}

    def examine_once(case: Case) -> tuple[Any, Any]:
        if case.source not in known:
            tree = case.plant(grow)
            known[case.source] = (tree, tree.report())
        return known[case.source]

    return examine_once


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.source)
def test_the_tree_has_its_finding_with_its_commands(case: Case, examined: Any) -> None:
    _, report = examined(case)
    found = [finding for finding in report.findings if finding.name == case.finding]
    assert [finding.status for finding in found] == [case.status]
    assert case.says in found[0].cause
    assert case.seen in found[0].evidence
    if case.commands:
        assert found[0].commands == case.commands
    if case.status == "fault":
        faults = [finding.name for finding in report.findings if finding.status == "fault"]
        assert faults[0] == case.finding
        assert report.verdict == "cpu"


def test_an_error_whose_cause_is_gone_asks_for_a_new_start_and_not_for_a_reboot(grow: Any) -> None:
    report = _over(grow).report()
    assert [finding.name for finding in report.findings if finding.status == "fault"] == ["training_not_started"]
    assert report.verdict == "gpu"


def test_a_reboot_that_would_take_the_card_away_is_in_no_list(grow: Any) -> None:
    report = _pascal_about_to_be_lost(grow).report()
    assert not any(line == "sudo reboot" for finding in report.findings for line in finding.fix)
    assert report.reason.endswith("heimdall doctor")


def test_a_container_of_another_branch_than_its_host_takes_the_hosts(grow: Any) -> None:
    tree = lxc(grow)
    tree.write("/etc/os-release", 'ID=ubuntu\nVERSION_ID="22.04"\n')
    tree.dpkg({"libnvidia-compute-535": "535.183.01-0ubuntu1", "nvidia-utils-535": "535.183.01-0ubuntu1"})
    tree.loaded("550.163.01")
    found = next(finding for finding in tree.report().findings if finding.name == "driver_library_mismatch")
    assert found.commands[-1].endswith("'libnvidia-compute-550=550.163.01-*' 'nvidia-utils-550=550.163.01-*'")


def test_there_are_thirty_trees_after_public_threads() -> None:
    assert len({case.source for case in PUBLIC if re.match(r"[\w.-]+/[\w.-]+#\d+", case.source)}) >= 30


# What makes it worse, or does not exist there.
NEVER = re.compile(r"\bkill\b|docker (?:stop|rm)\b|rm -|(?:mv|rm) /usr/lib/|apt-mark hold \S*linux-(?:modules|objects)")
TOOLS = {
    "apt": r"\b(?:apt|apt-get|apt-mark|dpkg)\b",
    "dnf": r"\bdnf\b",
    "zypper": r"\bzypper\b",
    "pacman": r"\bpacman\b",
    "nixos": r"\bnixos-rebuild\b",
    "update-initramfs": r"\bupdate-initramfs\b",
}
OWN_TOOLS = {
    "ubuntu": {"apt", "update-initramfs"},
    "debian": {"apt", "update-initramfs"},
    "fedora": {"dnf"},
    "rhel": {"dnf"},
    "suse": {"zypper"},
    "arch": {"pacman"},
    "nixos": {"nixos"},
}


def _lines(report: Any) -> list[str]:
    fixes = [finding.fix for finding in report.findings]
    fixes += [way.fix for finding in report.findings for way in finding.alternatives]
    return [line for fix in fixes for line in fix] + [report.reason]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.source)
def test_nothing_is_said_that_does_not_exist_there_or_makes_it_worse(case: Case, examined: Any) -> None:
    tree, report = examined(case)
    family = distribution(Host(tree.root, live=False, environment={})).family
    text = "\n".join(_lines(report))
    for tool, pattern in TOOLS.items():
        if tool not in OWN_TOOLS.get(family, set()):
            assert not re.search(pattern, text), tool
    assert not NEVER.search(text)
    host = Host(tree.root, live=False, environment={})
    if (
        host.in_container
        or (tree.root / "usr/bin/nvidia-uninstall").exists()
        or (tree.root / "etc/nv_tegra_release").exists()
    ):
        assert "dkms" not in re.sub(r"--\S*dkms", "", text)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.source)
def test_every_list_can_be_pasted_in_its_order(case: Case, examined: Any) -> None:
    """Nothing stands after a reboot but remarks; no remark begins an alternative; the reason ends in one safe command."""
    _, report = examined(case)
    fixes = [finding.fix for finding in report.findings]
    fixes += [way.fix for finding in report.findings for way in finding.alternatives]
    for fix in fixes:
        after = fix[fix.index("sudo reboot") + 1 :] if "sudo reboot" in fix else ()
        assert all(line.startswith("#") for line in after)
        assert not any(re.match(r"# or\b", line) for line in fix)
    end = report.reason.rpartition(": ")[2]
    if report.verdict == "cpu":
        assert end == LISTED_BY or any(end == line for fix in fixes for line in fix)
        assert is_safe(end)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.source)
def test_every_finding_says_how_sure_it_is_and_from_what(case: Case, examined: Any) -> None:
    for finding in examined(case)[1].as_dict()["findings"]:
        assert finding["confidence"] in ("certain", "likely", "unknown")
        assert finding["source"]
        assert isinstance(finding["alternatives"], list)


def test_a_well_nixos_has_no_fault(grow: Any) -> None:
    report = nixos(grow).report()
    assert [finding for finding in report.findings if finding.status == "fault"] == []
    assert report.verdict == "gpu"


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
    text = "\n".join(_lines(report))
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
