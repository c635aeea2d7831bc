"""Hosts of other kinds than an Ubuntu with DKMS, each as the tree of files it would leave in a support bundle."""

from __future__ import annotations

import json
from typing import Any

from .case import AFTER_BOOT_S, BEFORE_BOOT_S, BOOT_S, FAILED, MISMATCH, NO_DEVICES


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
