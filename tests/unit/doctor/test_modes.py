"""Every failure mode on its own: the healthy machine with one thing broken gives one fault, its fix, and no other cause."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from heimdall.doctor.finding import is_safe

KERNEL = "6.8.0-60-generic"
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
RECREATE = "docker compose up -d --force-recreate training"
NO_DRIVER = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
CDI_SPEC = """---
cdiVersion: 0.5.0
containerEdits:
  deviceNodes:
  - path: /dev/nvidiactl
  mounts:
  - containerPath: /usr/lib/x86_64-linux-gnu/libcuda.so.{version}
    hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.{version}
    options: [ro, bind]
devices:
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
  name: all
kind: nvidia.com/gpu
"""


@dataclass(frozen=True)
class Mode:
    """`mode` is its row in the table of docs/reference/doctor.md; `commands` is the whole of what is to be typed."""

    mode: str
    break_it: Callable[[Any], None]
    name: str
    commands: tuple[str, ...]
    says: str
    beside: tuple[str, ...] = ()


def _upgraded(machine: Any) -> None:
    machine.libraries("580.105.08")
    machine.on_disk("580.105.08")
    machine.nvml(18, driver="580.105.08")


def _upgraded_without_module(machine: Any) -> None:
    machine.libraries("580.105.08")
    machine.write("/usr/src/nvidia-580.105.08/dkms.conf")
    machine.nvml(18, driver="580.105.08")


def _upgraded_nothing_built(machine: Any) -> None:
    _upgraded_without_module(machine)
    machine.on_disk(None)
    machine.remove(f"/lib/modules/{KERNEL}/build")


def _upgraded_distribution_modules(machine: Any) -> None:
    machine.libraries("580.105.08")
    machine.packages(nvidia_utils_580="580.105.08-0ubuntu1", linux_modules_nvidia_580_open_generic="6.8.0-60.63")
    machine.nvml(18, driver="580.105.08")


def _second_copy(machine: Any) -> None:
    machine.libraries("535.183.01", "/usr/local/lib")
    machine.nvml(18, driver="535.183.01")


def _image_brings_libraries(machine: Any) -> None:
    machine.move_inside()
    machine.libraries("570.133.07", "/usr/lib/x86_64-linux-gnu/nvidia/current")
    machine.nvml(18, driver="570.133.07")


def _container_older_than_driver(machine: Any) -> None:
    machine.move_inside()
    machine.loaded("580.105.08")
    machine.nvml(18)


def _upgraded_in_use(machine: Any) -> None:
    _upgraded(machine)
    machine.process(4242, "python3", opens="/dev/nvidia0", cgroup=f"0::/system.slice/docker-{'3f' * 32}.scope\n")
    machine.process(811, "nvidia-persiste", opens="/dev/nvidiactl")


def _upgraded_on_a_desktop(machine: Any) -> None:
    _upgraded(machine)
    machine.write("/sys/module/nvidia_drm/refcnt", "7\n")
    machine.process(1200, "Xorg", opens="/dev/nvidia0")


def _not_loaded(machine: Any) -> None:
    machine.unloaded()
    machine.says("ask_nvml.py", code=3)
    machine.says("nvidia-smi", NO_DRIVER, code=9)


def _dkms_not_built(machine: Any) -> None:
    _not_loaded(machine)
    machine.on_disk(None)
    machine.remove(f"/lib/modules/{KERNEL}/build")
    machine.write(f"/lib/modules/{KERNEL}/kernel/net/dummy.ko")
    machine.write("/var/lib/dkms/nvidia/580.95.05/source/dkms.conf")


def _blacklisted(machine: Any) -> None:
    _not_loaded(machine)
    machine.write("/etc/modprobe.d/blacklist-nvidia.conf", "blacklist nvidia\n")


def _never_installed(machine: Any) -> None:
    _not_loaded(machine)
    machine.on_disk(None)
    machine.remove("/usr/lib", "/var/lib/dpkg/status")


def _libraries_missing(machine: Any) -> None:
    machine.remove("/usr/lib")
    machine.nvml(12)
    machine.says("ask_nvml.py", {"code": 12, "message": "NVML Shared Library Not Found", "library": None, "gpus": []})


def _taken_by(driver: str) -> Callable[[Any], None]:
    def break_it(machine: Any) -> None:
        _not_loaded(machine)
        machine.link("/sys/bus/pci/devices/0000:01:00.0/driver", f"../../../bus/pci/drivers/{driver}")

    return break_it


def _rejected(machine: Any) -> None:
    _not_loaded(machine)
    machine.write("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", b"\x06\0\0\0\x01")
    machine.write("/var/lib/shim-signed/mok/MOK.der")
    machine.says("journalctl", "kernel: Loading of module with unavailable key is rejected\n")


def _unsigned(machine: Any) -> None:
    _rejected(machine)
    machine.says("journalctl", code=1)


def _no_toolkit(machine: Any) -> None:
    machine.remove("/usr/bin/nvidia-container-runtime-hook")
    machine.docker(Runtimes={"runc": {}})
    refused = 'could not select device driver "nvidia" with capabilities: [[gpu]]'
    machine.training(running=False, error=refused)


def _docker_older(machine: Any) -> None:
    machine.hook(installed_s=1_760_000_500, daemon_started_s=1_760_000_020)
    machine.docker(Runtimes={"runc": {}})


def _stale_cdi(machine: Any) -> None:
    machine.remove("/usr/bin/nvidia-container-runtime-hook")
    machine.docker(Runtimes={"runc": {}}, DiscoveredDevices=[{"Source": "cdi", "ID": "nvidia.com/gpu=all"}])
    machine.write("/etc/cdi/nvidia.yaml", CDI_SPEC.format(version="580.82.07"))


def _stale_and_fresh_cdi(machine: Any) -> None:
    _stale_cdi(machine)
    machine.write("/etc/cdi/nvidia.yaml", CDI_SPEC.format(version="580.95.05"))
    machine.write("/var/run/cdi/nvidia.yaml", CDI_SPEC.format(version="580.82.07"))


def _lost_inside(machine: Any) -> None:
    machine.move_inside()
    machine.nvml(999)
    machine.refused["/dev/nvidia0"] = errno.EPERM


def _lost_seen_from_host(machine: Any) -> None:
    machine.says("docker exec heimdall-training nvidia-smi", "Failed to initialize NVML: Unknown Error\n", code=255)


def _rootless(machine: Any) -> None:
    machine.docker(SecurityOptions=["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"])
    machine.write("/etc/nvidia-container-runtime/config.toml", "[nvidia-container-cli]\n#no-cgroups = true\n")


def _old_driver(machine: Any) -> None:
    machine.loaded("570.195.03")
    machine.libraries("570.195.03")
    machine.on_disk("570.195.03")
    machine.packages(nvidia_driver_570="570.195.03-0ubuntu1")
    machine.nvml(driver="570.195.03")


def _old_driver_inside(machine: Any) -> None:
    _old_driver(machine)
    machine.move_inside()
    _importable(machine, machine.torch("2.14.1+cu130", "13.0"))


def _importable(machine: Any, folder: Any) -> None:
    from heimdall.doctor.facts import wheels

    machine.monkeypatch.setattr(wheels, "_importable", lambda: folder)


def _old_card(machine: Any) -> None:
    machine.nvml(capability=[7, 0], name="Tesla V100-SXM2-16GB")


def _torch_for_cpu(machine: Any) -> None:
    machine.container_torch("2.14.1+cpu", None)


def _uvm_missing(machine: Any) -> None:
    machine.remove("/dev/nvidia-uvm", "/sys/module/nvidia_uvm")
    machine.cuda(999, "CUDA_ERROR_UNKNOWN")


def _uvm_stuck(machine: Any) -> None:
    machine.cuda(999, "CUDA_ERROR_UNKNOWN")


def _half_replaced(machine: Any) -> None:
    machine.cuda(803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH")


def _no_fabric_manager(machine: Any) -> None:
    machine.card("0000:c0:00.0", driver="nvidia-nvswitch", kind="0x068000")
    machine.nvml(name="NVIDIA H100 80GB HBM3", capability=[9, 0])
    machine.cuda(802, "CUDA_ERROR_SYSTEM_NOT_READY")


def _compat(machine: Any) -> None:
    machine.write("/usr/local/cuda-13.0/compat/libcuda.so.580.82.07")
    machine.cuda(804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE")


def _fell_off(machine: Any) -> None:
    machine.nvml(15)
    machine.says("journalctl", "kernel: NVRM: Xid (PCI:0000:01:00): 79, pid='<unknown>', GPU has fallen off the bus.\n")


def _needs_reset(machine: Any) -> None:
    machine.nvml(16)


def _gsp_timeout(machine: Any) -> None:
    machine.nvml(999)
    machine.says(
        "journalctl", "kernel: NVRM: Xid (PCI:0000:01:00): 119, pid=811, Timeout after 6s of waiting for RPC\n"
    )


def _mig_without_instance(machine: Any) -> None:
    machine.nvml(name="NVIDIA A100-SXM4-80GB", mig=True)


def _wsl_old_windows_driver(machine: Any) -> None:
    machine.unloaded()
    machine.remove("/usr/lib", "/lib/modules", "/sys/bus")
    machine.write("/proc/version", "Linux version 5.15.167.4-microsoft-standard-WSL2")
    machine.nodes("dxg")
    machine.says("ask_nvml.py", {"code": 17, "message": "blocked", "library": None, "gpus": []})


def _wsl_linux_driver(machine: Any) -> None:
    _wsl_old_windows_driver(machine)
    machine.libraries("580.95.05")


def _small_shared_memory(machine: Any) -> None:
    machine.move_inside()
    machine.write("/proc/mounts", "shm /dev/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=65536k 0 0\n")


def _bus_error(machine: Any) -> None:
    machine.says("docker logs", "ERROR: Unexpected bus error encountered in worker.\nRuntimeError: Bus error\n")


def _forked(machine: Any) -> None:
    line = "RuntimeError: Cannot re-initialize CUDA in forked subprocess. To use CUDA with multiprocessing, use spawn\n"
    machine.says("docker logs", line)


def _poisoned(machine: Any) -> None:
    machine.says("docker logs", "RuntimeError: CUDA error: device-side assert triggered\n")


def _void(machine: Any) -> None:
    machine.move_inside()
    machine.remove("/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm")
    machine.environment["NVIDIA_VISIBLE_DEVICES"] = "void"


def _only_utility(machine: Any) -> None:
    machine.training(NVIDIA_DRIVER_CAPABILITIES="utility")


def _hidden_from_cuda(machine: Any) -> None:
    machine.environment["CUDA_VISIBLE_DEVICES"] = ""
    machine.cuda(100, "CUDA_ERROR_NO_DEVICE")


MODES = [
    Mode(
        "driver/library mismatch",
        _upgraded,
        "driver_library_mismatch",
        ("sudo reboot",),
        "a reboot loads the new one",
    ),
    Mode(
        "driver/library mismatch",
        _upgraded_without_module,
        "driver_library_mismatch",
        (f"sudo dkms install nvidia/580.105.08 -k {KERNEL} --force", "sudo reboot"),
        "a reboot does not help",
    ),
    Mode(
        "driver/library mismatch",
        _upgraded_nothing_built,
        "driver_library_mismatch",
        (
            f"sudo apt-get install linux-headers-{KERNEL}",
            f"sudo dkms install nvidia/580.105.08 -k {KERNEL} --force",
            "sudo reboot",
        ),
        "is missing: a reboot does not help",
    ),
    Mode(
        "driver/library mismatch",
        _upgraded_distribution_modules,
        "driver_library_mismatch",
        (
            "sudo apt-get update",
            f"sudo apt-get install linux-modules-nvidia-580-open-{KERNEL}",
            "sudo reboot",
        ),
        "a reboot does not help",
    ),
    Mode(
        "driver/library mismatch",
        _second_copy,
        "driver_library_mismatch",
        (
            "sudo mv /usr/local/lib/libnvidia-ml.so.535.183.01 /usr/local/lib/libnvidia-ml.so.535.183.01.off",
            "sudo mv /usr/local/lib/libcuda.so.535.183.01 /usr/local/lib/libcuda.so.535.183.01.off",
            "sudo ldconfig",
        ),
        "libraries of another version",
    ),
    Mode(
        "driver/library mismatch",
        _image_brings_libraries,
        "driver_library_mismatch",
        ("docker compose build training", RECREATE),
        "They belong to the image",
    ),
    Mode(
        "driver/library mismatch",
        _container_older_than_driver,
        "driver_library_mismatch",
        (RECREATE,),
        "changed after the container was created",
    ),
    Mode(
        "reload without reboot",
        _upgraded_in_use,
        "driver_library_mismatch",
        ("sudo reboot",),
        "a reboot loads the new one",
        beside=("module_in_use",),
    ),
    Mode(
        "reload without reboot",
        _upgraded_on_a_desktop,
        "driver_library_mismatch",
        ("sudo reboot",),
        "a reboot loads the new one",
        beside=("module_in_use",),
    ),
    Mode(
        "module not loaded, DKMS not built",
        _not_loaded,
        "module_not_loaded",
        ("sudo modprobe -a nvidia nvidia_uvm", "sudo dmesg | grep -iE 'nvidia|NVRM' | tail"),
        "built for this kernel, but not loaded",
    ),
    Mode(
        "module not loaded, DKMS not built",
        _dkms_not_built,
        "module_not_loaded",
        (
            f"sudo apt-get install linux-headers-{KERNEL}",
            f"sudo dkms autoinstall -k {KERNEL}",
            "sudo modprobe -a nvidia nvidia_uvm",
        ),
        f"DKMS has not built the nvidia module for the running kernel {KERNEL}",
    ),
    Mode(
        "module not loaded, DKMS not built",
        _blacklisted,
        "module_not_loaded",
        (
            "sudo sed -i '/nvidia/s/^/# /' /etc/modprobe.d/blacklist-nvidia.conf",
            "sudo update-initramfs -u",
            "sudo modprobe -a nvidia nvidia_uvm",
        ),
        "forbids it",
    ),
    Mode(
        "module not loaded, DKMS not built",
        _never_installed,
        "driver_not_installed",
        ("sudo apt-get update", "sudo apt-get install nvidia-driver-580", "sudo reboot"),
        "no NVIDIA driver is installed",
    ),
    Mode(
        "module not loaded, DKMS not built",
        _libraries_missing,
        "driver_not_installed",
        ("sudo apt-get update", "sudo apt-get install libnvidia-compute-580 nvidia-utils-580"),
        "user-space libraries are not installed",
    ),
    Mode(
        "nouveau or vfio has the card",
        _taken_by("nouveau"),
        "other_driver_has_card",
        (
            r"printf 'blacklist nouveau\noptions nouveau modeset=0\n' | sudo tee /etc/modprobe.d/blacklist-nouveau.conf",
            "sudo update-initramfs -u",
            "sudo reboot",
        ),
        "The driver nouveau of the kernel has the card",
    ),
    Mode(
        "nouveau or vfio has the card",
        _taken_by("vfio-pci"),
        "other_driver_has_card",
        ("grep -rn vfio /etc/modprobe.d /etc/default/grub",),
        "this is intended",
    ),
    Mode(
        "Secure Boot refuses the module",
        _rejected,
        "secure_boot_refuses_module",
        (
            "sudo mokutil --import /var/lib/shim-signed/mok/MOK.der",
            "sudo reboot",
        ),
        "Secure Boot refuses the nvidia module",
    ),
    Mode(
        "Secure Boot refuses the module",
        _unsigned,
        "secure_boot_refuses_module",
        (
            "sudo mokutil --import /var/lib/shim-signed/mok/MOK.der",
            "sudo reboot",
        ),
        "Secure Boot refuses the nvidia module",
    ),
    Mode(
        "no container toolkit",
        _no_toolkit,
        "container_toolkit_missing",
        (
            "sudo apt-get install nvidia-container-toolkit",
            "sudo nvidia-ctk runtime configure --runtime=docker",
            "sudo systemctl restart docker",
        ),
        "Container Toolkit is not installed",
    ),
    Mode(
        "toolkit installed, Docker not restarted",
        _docker_older,
        "docker_not_restarted",
        ("sudo systemctl restart docker",),
        "Docker was not restarted since",
    ),
    Mode(
        "stale CDI spec",
        _stale_cdi,
        "stale_cdi",
        ("sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml", "nvidia-ctk cdi list"),
        "no longer fits the driver",
    ),
    Mode(
        "stale CDI spec",
        _stale_and_fresh_cdi,
        "stale_cdi",
        (
            "sudo mv /var/run/cdi/nvidia.yaml /var/run/cdi/nvidia.yaml.stale",
            "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",
            "nvidia-ctk cdi list",
        ),
        "no longer fits the driver",
    ),
    Mode(
        "GPU lost in a running container",
        _lost_inside,
        "gpu_lost_in_container",
        (RECREATE,),
        "lost its right to the GPU",
    ),
    Mode(
        "GPU lost in a running container",
        _lost_seen_from_host,
        "gpu_lost_in_container",
        (RECREATE,),
        "lost its right to the GPU",
    ),
    Mode(
        "rootless Docker",
        _rootless,
        "rootless_docker",
        (
            "sudo nvidia-ctk config --set nvidia-container-cli.no-cgroups --in-place",
            "nvidia-ctk runtime configure --runtime=docker --config=$HOME/.config/docker/daemon.json",
            "systemctl --user restart docker",
        ),
        "Docker is rootless",
    ),
    Mode(
        "driver too old for the wheel",
        _old_driver,
        "driver_too_old_for_torch",
        ("HEIMDALL_TORCH_VERSION=2.10.0 docker compose up -d --build training",),
        "is built for CUDA 13.0 and needs driver 580 or newer; the driver is 570.195.03 (CUDA 12.8)",
    ),
    Mode(
        "driver too old for the wheel",
        _old_driver_inside,
        "driver_too_old_for_torch",
        ("HEIMDALL_TORCH_VERSION=2.10.0 docker compose up -d --build training",),
        "needs driver 580 or newer",
    ),
    Mode(
        "card not in the wheel",
        _old_card,
        "card_not_in_torch",
        ("HEIMDALL_TORCH_VERSION=2.10.0 docker compose up -d --build training",),
        "compute capability 7.0",
    ),
    Mode(
        "card not in the wheel",
        _torch_for_cpu,
        "torch_without_cuda",
        ("HEIMDALL_TORCH_VERSION=2.14.1 docker compose up -d --build training",),
        "built without CUDA",
    ),
    Mode(
        "nvidia_uvm missing or stuck",
        _uvm_missing,
        "nvidia_uvm",
        ("sudo nvidia-modprobe -c 0 -u",),
        "nvidia-uvm) is missing",
    ),
    Mode(
        "nvidia_uvm missing or stuck",
        _uvm_stuck,
        "nvidia_uvm",
        ("sudo modprobe -r nvidia_uvm", "sudo modprobe nvidia_uvm"),
        "is stuck",
    ),
    Mode(
        "NVML healthy, CUDA not",
        _half_replaced,
        "cuda_fails_though_nvml_answers",
        ("sudo reboot",),
        "CUDA itself does not start (error 803)",
    ),
    Mode(
        "fabric manager missing",
        _no_fabric_manager,
        "fabric_manager_missing",
        (
            "sudo apt-get install nvidia-fabricmanager-580='580.95.05-*'",
            "sudo systemctl enable --now nvidia-fabricmanager",
        ),
        "exact version 580.95.05",
    ),
    Mode(
        "forward compatibility",
        _compat,
        "forward_compatibility",
        ("sudo apt-get purge 'cuda-compat-*'", "sudo ldconfig"),
        "this card does not support them",
    ),
    Mode("GPU lost, Xid", _fell_off, "gpu_lost", ("sudo reboot",), "fallen off the PCI bus"),
    Mode("GPU lost, Xid", _needs_reset, "gpu_lost", ("sudo nvidia-smi --gpu-reset",), "needs a reset"),
    Mode(
        "GPU lost, Xid",
        _gsp_timeout,
        "gpu_lost",
        ("sudo nvidia-smi --gpu-reset",),
        "GSP",
    ),
    Mode(
        "MIG",
        _mig_without_instance,
        "mig",
        ("sudo nvidia-smi mig -cgi 0 -C",),
        "nobody has made an instance",
    ),
    Mode(
        "WSL2",
        _wsl_old_windows_driver,
        "wsl",
        ("wsl.exe --update", "wsl.exe --shutdown"),
        "Windows does not hand its GPU",
    ),
    Mode(
        "WSL2",
        _wsl_linux_driver,
        "wsl",
        ("sudo apt-get purge 'nvidia-driver-*' 'nvidia-dkms-*' 'nvidia-utils-*' 'libnvidia-*'", "sudo ldconfig"),
        "the Linux driver installed inside hides it",
    ),
    Mode("small /dev/shm", _small_shared_memory, "shared_memory", (RECREATE,), "die with a bus error"),
    Mode("small /dev/shm", _bus_error, "shared_memory", (RECREATE,), "ran out of /dev/shm"),
    Mode("CUDA after fork", _forked, "cuda_after_fork", ("docker compose restart training",), "forked"),
    Mode("poisoned context", _poisoned, "cuda_context_poisoned", ("docker compose restart training",), "must end"),
    Mode("environment", _void, "environment", (RECREATE,), "hand out no GPU"),
    Mode("environment", _only_utility, "environment", (RECREATE,), "leaves out compute"),
    Mode("environment", _hidden_from_cuda, "environment", ("unset CUDA_VISIBLE_DEVICES",), "hides every GPU"),
]


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: f"{mode.mode}: {mode.break_it.__name__.strip('_')}")
def test_a_broken_machine_gives_one_fault_with_its_fix_and_no_other_cause(
    machine: Any, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.monkeypatch = monkeypatch
    mode.break_it(machine)
    report = machine.report()
    faults = [finding for finding in report.findings if finding.status == "fault"]
    assert [fault.name for fault in faults] == [mode.name]
    assert faults[0].commands == mode.commands
    assert mode.says in faults[0].cause
    assert faults[0].evidence
    assert tuple(finding.name for finding in report.findings if finding.status == "warning") == mode.beside
    assert report.exit_code == 1


def test_the_healthy_machine_has_no_fault_and_its_verdict_is_the_gpu(machine: Any) -> None:
    """Without this every other test of this file would prove nothing."""
    report = machine.report()
    assert [finding for finding in report.findings if finding.status != "ok"] == []
    assert report.verdict == "gpu"
    assert "proved by a kernel" in report.reason
    assert report.exit_code == 0


def test_the_healthy_container_has_no_fault_and_its_verdict_is_the_gpu(machine: Any) -> None:
    machine.move_inside()
    report = machine.report()
    assert [finding for finding in report.findings if finding.status != "ok"] == []
    assert report.verdict == "gpu"


def test_all_23_modes_are_broken_here() -> None:
    assert len({mode.mode for mode in MODES}) == 23


OF_A_GPU_THAT_WORKS = ("shared_memory", "cuda_after_fork", "cuda_context_poisoned")
STOPPING = [mode for mode in MODES if mode.name not in OF_A_GPU_THAT_WORKS]


@pytest.mark.parametrize("mode", STOPPING, ids=lambda mode: mode.break_it.__name__.strip("_"))
def test_the_reason_is_one_line_that_begins_with_the_cause(
    machine: Any, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.monkeypatch = monkeypatch
    mode.break_it(machine)
    report = machine.report()
    fault = next(finding for finding in report.findings if finding.status == "fault")
    assert report.verdict == "cpu"
    assert report.reason.startswith(fault.cause)
    assert report.reason.endswith(fault.commands[0] if is_safe(fault.commands[0]) else "heimdall doctor")
    assert "\n" not in report.reason
