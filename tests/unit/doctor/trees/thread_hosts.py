"""Hosts after public threads, made by hand."""

from __future__ import annotations

import json
from typing import Any

from .case import MISMATCH, NO_DEVICES
from .hosts import arch_update, blackwell_closed, lxc, nixos, ubuntu_new_kernel


def rocky_kmod_behind(grow: Any) -> Any:
    """575.64 and 575.64.03 are two releases, though one begins like the other."""
    tree = grow("rocky", "5.14.0-570.el9_6.x86_64")
    tree.card()
    tree.loaded("575.64")
    tree.libraries("575.64.03")
    tree.module(tree.running, "575.64", "extra/nvidia/nvidia.ko", image=True)
    tree.write("/usr/src/akmods/nvidia-kmod-575.64.03-1.el9.src.rpm")
    tree.write(f"/lib/modules/{tree.running}/build/Makefile")
    return tree


def rhel_old_kernel(grow: Any) -> Any:
    tree = grow("rocky", "4.18.0-553.el8_9.x86_64")
    tree.card()
    tree.loaded("565.57.01")
    tree.libraries("570.86.16")
    tree.module("4.18.0-553.el8_9.x86_64", "565.57.01", "extra/nvidia.ko", image=True)
    tree.module("4.18.0-553.el8_10.x86_64", "570.86.16", "extra/nvidia.ko", image=True)
    tree.write("/boot/grub2/grubenv", "saved_entry=0123-4.18.0-553.el8_10.x86_64\n")
    return tree


def runfile_libraries(grow: Any) -> Any:
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


def packages_over_runfile(grow: Any) -> Any:
    tree = runfile_libraries(grow)
    tree.dpkg({"libnvidia-compute-570": "570.124.04-0ubuntu1", "nvidia-utils-570": "570.124.04-0ubuntu1"})
    return tree


def arch_without_headers(grow: Any) -> Any:
    tree = grow("arch", "6.14.9-arch1-1")
    tree.card(driver=None)
    tree.libraries("575.57.08")
    tree.write("/lib/modules/6.14.9-arch1-1/kernel/x.ko")
    tree.write("/usr/src/nvidia-575.57.08/dkms.conf")
    return tree


def mint_dkms(grow: Any) -> Any:
    tree = grow("ubuntu", "6.8.0-40-generic")
    tree.write("/etc/os-release", 'ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="22"\n')
    tree.card()
    tree.loaded("550.90.07")
    tree.libraries("550.107.02")
    tree.module(tree.running, "550.107.02")
    tree.dpkg({"nvidia-dkms-550": "550.107.02-0ubuntu0.24.04.1", "nvidia-driver-550": "550.107.02-0ubuntu0.24.04.1"})
    return tree


def dropped(grow: Any, system: str, running: str, device: int, version: str, model: str, last: str) -> Any:
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


def talos_kepler(grow: Any) -> Any:
    return dropped(grow, "talos", "6.6.29-talos", 0x128B, "535.129.03", "GeForce GT 710", "470")


def nixos_pascal(grow: Any) -> Any:
    return dropped(grow, "nixos", "6.18.21", 0x1C8D, "595.58.03", "GeForce GTX 1050", "580")


def pascal_about_to_be_lost(grow: Any) -> Any:
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


def stopped(grow: Any, error: str, system: str = "ubuntu", folder: str = "/var/lib/docker/containers") -> Any:
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


def wsl(grow: Any, dxg: bool = True) -> Any:
    tree = grow("ubuntu", "5.15.167.4-microsoft-standard-WSL2")
    tree.write("/proc/version", "Linux version 5.15.167.4-microsoft-standard-WSL2 (root@x)")
    tree.write("/usr/lib/wsl/lib/libcuda.so.1")
    if dxg:
        tree.write("/dev/dxg", "")
    return tree


def wsl_with_linux_driver(grow: Any) -> Any:
    tree = wsl(grow)
    tree.libraries("510.108.03")
    return tree


def wsl_1(grow: Any) -> Any:
    tree = wsl(grow, dxg=False)
    tree.write("/proc/version", "Linux version 4.4.0-19041-Microsoft (Microsoft@Microsoft.com)")
    tree.write("/proc/sys/kernel/osrelease", "4.4.0-19041-Microsoft\n")
    return tree


def not_started(
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


def after_xid(grow: Any, line: str) -> Any:
    tree = grow("ubuntu", "6.8.0-60-generic")
    tree.healthy()
    tree.log(line)
    return tree


def vgpu(grow: Any) -> Any:
    tree = grow("ubuntu", "6.8.0-60-generic")
    tree.healthy("525.105.17")
    tree.write("/etc/nvidia/gridd.conf", "FeatureType=1\n")
    return tree


def vgpu_by_log(grow: Any) -> Any:
    tree = vgpu(grow)
    tree.write("/var/log/syslog", "Oct 12 17:22:37 x nvidia-gridd: Failed to acquire license from 192.0.2.7\n")
    return tree


def vgpu_by_smi(grow: Any) -> Any:
    tree = vgpu(grow)
    text = "    vGPU Software Licensed Product\n        License Status                    : Unlicensed\n"
    tree.write("/nvidia-smi-q.txt", text)
    return tree


def exclusive(grow: Any) -> Any:
    tree = grow("ubuntu", "6.8.0-60-generic")
    tree.healthy()
    tree.write("/nvidia-smi-q.txt", "    Compute Mode                          : Prohibited\n")
    return tree


def selinux(grow: Any) -> Any:
    tree = grow("fedora", "6.2.15-300.fc38.x86_64")
    tree.healthy()
    tree.write("/sys/fs/selinux/enforce", "1")
    line = 'type=AVC msg=audit(1684465329.146:35): avc:  denied  { map } for  pid=7 comm="python" path="/dev/nvidia0" '
    tree.write(
        "/var/log/audit/audit.log", f"{line}scontext=system_u:system_r:container_t:s0 tclass=chr_file permissive=0\n"
    )
    return tree


def group_only(grow: Any) -> Any:
    tree = grow("debian", "6.1.0-26-amd64")
    tree.healthy()
    tree.write("/dev/nvidia0", "", mode=0o660)
    tree.write("/etc/modprobe.d/nvidia.conf", "options nvidia NVreg_DeviceFileMode=0660 NVreg_DeviceFileGID=44\n")
    return tree


def refused(grow: Any) -> Any:
    tree = group_only(grow)
    tree.smi("Failed to initialize NVML: Insufficient Permissions\n")
    return tree


def nouveau_beside(grow: Any) -> Any:
    tree = grow("rocky", "5.14.0-570.el9_6.x86_64")
    tree.card(driver="nouveau")
    tree.loaded("570.133.20", nodes=False)
    tree.libraries("570.133.20")
    tree.module(tree.running, "570.133.20", "extra/nvidia.ko")
    tree.smi(NO_DEVICES)
    return tree


def podman_wrapper(grow: Any) -> Any:
    tree = grow("fedora", "6.14.5-300.fc42.x86_64")
    tree.healthy()
    tree.write("/usr/bin/docker", '#!/usr/bin/sh\nexec /usr/bin/podman "$@"\n', mode=0o755)
    return tree


def fedora_key(grow: Any) -> Any:
    tree = grow("fedora", "7.2.6-cachyos1.fc44.x86_64")
    tree.card(driver=None)
    tree.libraries("580.105.08")
    tree.module(tree.running, "580.105.08", "extra/nvidia/nvidia.ko")
    tree.write("/etc/pki/akmods/certs/public_key.der")
    tree.log("modprobe: ERROR: could not insert 'nvidia': Key was rejected by service")
    return tree


def gentoo_toolkit(grow: Any) -> Any:
    tree = grow("gentoo", "6.3.4-gentoo-x86_64")
    tree.healthy()
    tree.docker()
    return tree


def nixos_toolkit(grow: Any) -> Any:
    tree = nixos(grow)
    tree.docker()
    return tree


def alma_kernel_ahead(grow: Any) -> Any:
    """The running kernel is newer than the prebuilt module; the one before has it."""
    tree = grow("rocky", "5.14.0-611.49.1.el9_7.x86_64")
    tree.card(driver=None)
    tree.libraries("595.58.03")
    tree.module("5.14.0-611.41.1.el9_7.x86_64", "595.58.03", "extra/nvidia.ko", image=True)
    tree.write("/lib/modules/5.14.0-611.49.1.el9_7.x86_64/kernel/x.ko")
    tree.write("/boot/vmlinuz-5.14.0-611.49.1.el9_7.x86_64")
    return tree


def leap_micro(grow: Any) -> Any:
    tree = grow("tumbleweed", "6.4.0-150600.23.50-default")
    tree.card(driver=None)
    tree.libraries("570.133.20")
    tree.write("/usr/sbin/transactional-update")
    tree.write(f"/lib/modules/{tree.running}/kernel/x.ko")
    tree.write("/usr/src/nvidia-570.133.20/dkms.conf")
    return tree


def silverblue(grow: Any) -> Any:
    tree = grow("fedora", "5.17.9-300.fc36.x86_64")
    tree.card(driver="nouveau")
    tree.write("/run/ostree-booted", "")
    tree.write(f"/lib/modules/{tree.running}/kernel/x.ko")
    return tree


def lxd_without_libraries(grow: Any) -> Any:
    tree = lxc(grow)
    for name in ("libnvidia-ml", "libcuda"):
        (tree.root / f"usr/lib/x86_64-linux-gnu/{name}.so.1").unlink()
        (tree.root / f"usr/lib/x86_64-linux-gnu/{name}.so.550.144.03").unlink()
    tree.write("/usr/lib/x86_64-linux-gnu/libc.so.6")
    return tree


def torch_for(grow: Any, version: str, cuda: str, device: int) -> Any:
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


def mixed_kepler(grow: Any) -> Any:
    """A GT 710 for the screen beside an RTX 3090: its branch would take the other card away."""
    tree = grow("ubuntu", "6.8.0-60-generic")
    tree.healthy("570.144")
    tree.card(0x128B, address="0000:02:00.0")
    tree.log(
        "NVRM: The NVIDIA GeForce GT 710 GPU installed in this system is",
        "NVRM:  supported through the NVIDIA 470.xx Legacy drivers. Please",
    )
    return tree


def mixed_blackwell(grow: Any) -> Any:
    """A GTX 1070 works with the proprietary module; the open one that the RTX 5090 needs would take it away."""
    tree = blackwell_closed(grow)
    tree.card(0x1B82, address="0000:02:00.0")
    tree.write("/dev/nvidia0", "")
    return tree


def stopped_mismatch(grow: Any) -> Any:
    """The host's own finding knows more than Docker's words."""
    tree = ubuntu_new_kernel(grow)
    error = f"{HOOK}nvidia-container-cli: initialization error: nvml error: driver/library version mismatch: unknown"
    state = {"Name": "/heimdall-training", "State": {"Running": False, "Error": error}, "Config": {"Env": []}}
    tree.write("/var/lib/docker/containers/3f3f/config.v2.json", json.dumps(state))
    tree.write("/var/lib/docker/containers/3f3f/hostconfig.json", json.dumps({"Runtime": "nvidia"}))
    return tree


def over(grow: Any) -> Any:
    """The container's last start failed before the reboot that mended the host."""
    return stopped(
        grow, f"{HOOK}nvidia-container-cli: initialization error: nvml error: driver/library version mismatch: unknown"
    )
