"""A machine made of files and of what its programs answer: healthy at first, so that a test breaks one thing of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from heimdall.doctor.examination import examine, examine_host
from heimdall.doctor.facts import Facts, wheels
from heimdall.doctor.finding import Finding, Report
from heimdall.doctor.host import Host, Space
from heimdall.doctor.program import NOT_INSTALLED, ProgramOutput

KERNEL = "6.8.0-60-generic"
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
BOOT_S = 1_760_000_000
GIB = 2**30


class Machine:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.answers: dict[str, ProgramOutput] = {}
        self.environment: dict[str, str] = {}
        self.refused: dict[str, int] = {}
        self.space = Space(500 * GIB, 200 * GIB)
        self.project: Path | None = None
        self.asked: list[str] = []

    def write(self, path: str, text: str | bytes = "") -> None:
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode())

    def link(self, path: str, target: str) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(target)

    def remove(self, *paths: str) -> None:
        for path in paths:
            place = self.root / path.lstrip("/")
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            else:
                place.unlink()

    def says(
        self, command: str, stdout: str | dict[str, Any] | list[Any] = "", stderr: str = "", code: int = 0
    ) -> None:
        """What the program answers to every command line that begins so (a probe goes by its file name)."""
        text = stdout if isinstance(stdout, str) else json.dumps(stdout)
        self.answers[command] = ProgramOutput(code, text, stderr)

    def silent(self, command: str) -> None:
        self.answers[command] = ProgramOutput(None, stderr=f"{command} did not answer within 10 s")

    def without(self, command: str) -> None:
        self.answers.pop(command)

    def run(self, command: Sequence[str], timeout_s: float) -> ProgramOutput:
        words = [Path(word).name if word.endswith(".py") else word for word in command]
        line = " ".join(words[1:] if words[1:] and words[1].endswith(".py") else words)
        self.asked.append(line)
        known = [key for key in self.answers if line.startswith(key)]
        return (
            self.answers[max(known, key=len)] if known else ProgramOutput(None, stderr=f"{command[0]}: {NOT_INSTALLED}")
        )

    # What a driver consists of.

    def card(self, address: str = "0000:01:00.0", driver: str | None = "nvidia", kind: str = "0x030000") -> None:
        folder = f"/sys/bus/pci/devices/{address}"
        self.write(f"{folder}/vendor", "0x10de\n")
        self.write(f"{folder}/class", f"{kind}\n")
        if driver:
            self.link(f"{folder}/driver", f"../../../bus/pci/drivers/{driver}")

    def loaded(self, version: str) -> None:
        text = f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {version}  Sat Sep 20 00:28:09 UTC 2025\nGCC version: 13\n"
        self.write("/proc/driver/nvidia/version", text)
        self.write(
            "/proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t NVIDIA GeForce RTX 3090\nIRQ: 162\n"
        )
        for module, count in (("nvidia", 3), ("nvidia_uvm", 0), ("nvidia_drm", 0), ("nvidia_modeset", 1)):
            self.write(f"/sys/module/{module}/refcnt", f"{count}\n")
        self.write("/sys/module/nvidia/version", f"{version}\n")

    def unloaded(self) -> None:
        self.remove("/proc/driver", "/sys/module", *(f"/dev/{name}" for name in ("nvidia0", "nvidiactl", "nvidia-uvm")))
        self.remove("/sys/bus/pci/devices/0000:01:00.0/driver")

    def libraries(self, version: str, folder: str = LIBRARIES) -> None:
        for library in ("libnvidia-ml.so", "libcuda.so"):
            for old in (self.root / folder.lstrip("/")).glob(f"{library}.*"):
                old.unlink()
            self.write(f"{folder}/{library}.{version}")
            self.link(f"{folder}/{library}.1", f"{library}.{version}")

    def on_disk(self, version: str | None) -> None:
        path = f"/lib/modules/{KERNEL}/updates/dkms/nvidia.ko"
        if version is None:
            self.remove(path)
        else:
            self.write(path, b"\x7fELF\0license=NVIDIA\0version=" + version.encode() + b"\0srcversion=1\0")

    def packages(self, **versions: str) -> None:
        entries = (
            f"Package: {name.replace('_', '-')}\nStatus: install ok installed\nVersion: {version}\n"
            for name, version in versions.items()
        )
        self.write("/var/lib/dpkg/status", "\n".join(entries))

    def nodes(self, *names: str) -> None:
        for name in names:
            self.write(f"/dev/{name}")

    def process(self, pid: int, name: str, *, opens: str = "", cgroup: str = "") -> None:
        self.write(f"/proc/{pid}/comm", f"{name}\n")
        self.write(f"/proc/{pid}/cgroup", cgroup)
        self.link(f"/proc/{pid}/fd/5", opens or "/dev/null")

    # What the programs say.

    def nvml(self, code: int = 0, *, driver: str = "580.95.05", **gpu: Any) -> None:
        card = {
            "name": "NVIDIA GeForce RTX 3090",
            "uuid": "GPU-5d49bdf4",
            "memory_bytes": 24 * GIB,
            "capability": [8, 6],
            "mig": False,
            "mig_uuids": [],
            **gpu,
        }
        document = {"code": code, "message": "", "library": f"13.{driver}", "driver": driver, "gpus": [card]}
        self.says("ask_nvml.py", document if code == 0 else {**document, "message": f"NVML error {code}", "gpus": []})

    def cuda(self, code: int | None = 0, message: str = "", stage: str = "cuInit") -> None:
        done = code == 0
        document = {"stage": "done" if done else stage, "code": code, "message": message}
        self.says(
            "run_cuda.py", {**document, "device": "NVIDIA GeForce RTX 3090", "elapsed_s": 0.4} if done else document
        )

    def docker(self, **changes: Any) -> None:
        info = {
            "ServerVersion": "28.5.1",
            "Runtimes": {"runc": {}, "nvidia": {"path": "nvidia-container-runtime"}},
            "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"],
            "CDISpecDirs": ["/etc/cdi", "/var/run/cdi"],
            **changes,
        }
        self.says("docker info", info)

    def hook(self, installed_s: float = BOOT_S - 1000, daemon_started_s: float = BOOT_S + 20) -> None:
        self.write("/usr/bin/nvidia-container-runtime-hook")
        listed = "/var/lib/dpkg/info/nvidia-container-toolkit.list"
        self.write(listed)
        os.utime(self.root / listed.lstrip("/"), (installed_s, installed_s))
        ticks = round((daemon_started_s - BOOT_S) * os.sysconf("SC_CLK_TCK"))
        self.write("/proc/stat", f"cpu 1 2 3\nbtime {BOOT_S}\n")
        self.write("/run/docker.pid", "701")
        self.write("/proc/701/comm", "dockerd\n")
        self.write("/proc/701/stat", f"701 (dockerd) S {' '.join(['0'] * 18)} {ticks} 0 0")

    def training(self, *, gpu: bool = True, running: bool = True, error: str = "", **environment: str) -> None:
        request = {"Driver": "nvidia", "Count": -1, "DeviceIDs": None, "Capabilities": [["gpu"]]}
        container = {
            "HostConfig": {"DeviceRequests": [request] if gpu else None, "Runtime": "runc", "ShmSize": 2 * GIB},
            "State": {"Running": running, "Error": error},
            "Config": {"Env": [f"{name}={value}" for name, value in environment.items()]},
        }
        self.says("docker inspect heimdall-training", [container])
        self.says(
            "docker exec heimdall-training nvidia-smi", "NVIDIA GeForce RTX 3090, GPU-1, 24576, 8.6, [N/A], 580.95.05\n"
        )
        self.says("docker logs", "")

    def container_torch(self, version: str, cuda: str | None) -> None:
        text = f"__version__ = '{version}'\ncuda: Optional[str] = {cuda!r}\n"
        self.says("docker exec heimdall-training python3", text)

    def torch(
        self, version: str, cuda: str | None, architectures: str = "sm_75 sm_80 sm_86 sm_90 sm_100 sm_120"
    ) -> Path:
        folder = "/opt/heimdall/lib/python3.13/site-packages/torch"
        self.write(
            f"{folder}/version.py", f"__version__ = '{version}'\ndebug = False\ncuda: Optional[str] = {cuda!r}\n"
        )
        self.write(f"{folder}/lib/libtorch_python.so", b"\x7fELF\0noise sm_1\0" + architectures.encode() + b"\0more\0")
        return self.root / folder.lstrip("/")

    def torch_runs(self, message: str = "") -> None:
        done = not message
        document = {"version": "2.14.1+cu130", "cuda": "13.0", "done": done, "message": message, "elapsed_s": 3.1}
        self.says("run_torch.py", {**document, **({"device": "NVIDIA GeForce RTX 3090"} if done else {})})

    # Whole machines.

    def be_healthy(self) -> None:
        """A host with driver 580, the toolkit, and a training container that uses the GPU."""
        self.write("/proc/sys/kernel/osrelease", f"{KERNEL}\n")
        self.write("/proc/version", f"Linux version {KERNEL} (buildd@lcy02)")
        self.write("/proc/mounts", "tmpfs /dev/shm tmpfs rw,nosuid,nodev,size=16384000k 0 0\n")
        self.write("/etc/os-release", "ID=ubuntu\nID_LIKE=debian\n")
        self.packages(nvidia_driver_580="580.95.05-0ubuntu1", nvidia_dkms_580="580.95.05-0ubuntu1")
        self.write(f"/lib/modules/{KERNEL}/build/Makefile")
        self.card()
        self.loaded("580.95.05")
        self.libraries("580.95.05")
        self.on_disk("580.95.05")
        self.nodes("nvidia0", "nvidiactl", "nvidia-uvm")
        self.says("journalctl", "kernel: NVRM: loading NVIDIA UNIX x86_64 Kernel Module  580.95.05\n")
        self.nvml()
        self.cuda()
        self.docker()
        self.hook()
        self.training()
        self.container_torch("2.14.1+cu130", "13.0")
        self.says("run_torch.py", code=3)

    def move_inside(self) -> None:
        """The same machine seen from the training container: no Docker, no modules, no package history; torch."""
        self.write("/.dockerenv")
        self.remove("/lib/modules", "/var/lib/dpkg", "/usr/bin/nvidia-container-runtime-hook")
        self.write("/proc/mounts", "shm /dev/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=2097152k 0 0\n")
        for command in [key for key in self.answers if key.startswith(("docker", "journalctl"))]:
            self.without(command)
        self.torch_runs()

    def host(self) -> Host:
        return Host(
            self.root,
            self.run,
            self.environment,
            live=True,
            project=self.project,
            open_error=lambda path: self.refused.get(f"/dev/{path.name}"),
            space=lambda path: self.space,
        )

    def facts(self, **changes: Any) -> Facts:
        return Facts(self.host(), **changes)

    def report(self, **changes: Any) -> Report:
        """`changes` are those of `Facts`: quick, plan, recipe, log."""
        return examine_host(self.facts(**changes))

    def faults(self) -> list[Finding]:
        return [finding for finding in self.report().findings if finding.status == "fault"]

    def finding(self, name: str) -> Finding:
        return next(finding for finding in self.report().findings if finding.name == name)


# Trees of hosts that are not this machine.

DEBIAN_LIBRARIES = "/usr/lib/x86_64-linux-gnu"
SYSTEMS = {
    "ubuntu": 'ID=ubuntu\nVERSION_ID="24.04"\nID_LIKE=debian\n',
    "debian": 'ID=debian\nVERSION_ID="12"\n',
    "fedora": 'NAME="Fedora Linux"\nID=fedora\nVERSION_ID=43\n',
    "rocky": 'ID="rocky"\nVERSION_ID="9.6"\nID_LIKE="rhel centos fedora"\n',
    "tumbleweed": 'ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n',
    "arch": 'NAME="Arch Linux"\nID=arch\n',
    "nixos": 'NAME=NixOS\nID=nixos\nVERSION_ID="25.05"\n',
    "void": 'ID="void"\n',
    "gentoo": "ID=gentoo\n",
    "alpine": "ID=alpine\nVERSION_ID=3.22.0\n",
    "talos": "ID=talos\n",
}
FOLDERS = {"ubuntu": DEBIAN_LIBRARIES, "debian": DEBIAN_LIBRARIES, "arch": "/usr/lib", "void": "/usr/lib"}
MISMATCH = "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: {}\n"
NO_DEVICES = "No devices were found\n"
FAILED = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n"


class Tree:
    def __init__(self, root: Path, system: str, running: str = "") -> None:
        self.root, self.system, self.running = root, system, running
        self.write("/etc/os-release", SYSTEMS[system])
        self.write("/proc/1/comm", "systemd\n")
        if running:
            self.write("/proc/sys/kernel/osrelease", f"{running}\n")

    def write(self, path: str, content: str | bytes = "x", mtime_s: float | None = None, mode: int = 0o644) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
        place.chmod(mode)
        if mtime_s is not None:
            os.utime(place, (mtime_s, mtime_s))

    def link(self, path: str, target: str) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)

    def card(self, device: int = 0x2204, driver: str | None = "nvidia", address: str = "0000:01:00.0") -> None:
        folder = f"/sys/bus/pci/devices/{address}"
        for name, value in (("vendor", "0x10de"), ("class", "0x030000"), ("device", f"{device:#06x}")):
            self.write(f"{folder}/{name}", f"{value}\n")
        if driver:
            self.link(f"{folder}/driver", f"../../../bus/pci/drivers/{driver}")

    def loaded(self, version: str, is_open: bool = False, nodes: bool = True) -> None:
        kind = "Open Kernel Module for x86_64" if is_open else "x86_64 Kernel Module"
        self.write(
            "/proc/driver/nvidia/version",
            f"NVRM version: NVIDIA UNIX {kind}  {version}  Release Build\nGCC version: 13\n",
        )
        self.write("/sys/module/nvidia/version", f"{version}\n")
        for name in ("nvidiactl", "nvidia-uvm", *(("nvidia0",) if nodes else ())):
            self.write(f"/dev/{name}", "")

    def libraries(
        self,
        version: str,
        folder: str = "",
        names: tuple[str, ...] = ("libnvidia-ml", "libcuda"),
        mtime_s: float | None = None,
    ) -> None:
        folder = folder or FOLDERS.get(self.system, "/usr/lib64")
        for name in names:
            self.write(f"{folder}/{name}.so.{version}", "x", mtime_s)
            self.link(f"{folder}/{name}.so.1", f"{name}.so.{version}")

    def module(
        self,
        release: str,
        version: str,
        place: str = "updates/dkms/nvidia.ko",
        image: bool = False,
        mtime_s: float | None = None,
    ) -> None:
        content = b"\x7fELF" + b"\0" * 60 + b"\0version=" + version.encode() + b"\0license=NVIDIA\0"
        self.write(f"/lib/modules/{release}/{place}", content, mtime_s)
        if image:
            self.write(f"/boot/vmlinuz-{release}")

    def dpkg(self, packages: dict[str, str]) -> None:
        entries = (
            f"Package: {name}\nStatus: install ok installed\nVersion: {version}\n" for name, version in packages.items()
        )
        self.write("/var/lib/dpkg/status", "\n".join(entries))

    def log(self, *lines: str) -> None:
        self.write(
            "/var/log/dmesg",
            "\n".join(["[    0.000000] Linux version 6", *(f"[    9.1] {line}" for line in lines), ""]),
        )

    def docker(self, **info: Any) -> None:
        document = {
            "ServerVersion": "28.5.1",
            "Runtimes": {"runc": {}},
            "SecurityOptions": [],
            "KernelVersion": self.running,
            **info,
        }
        self.write("/docker-info.json", json.dumps(document))

    def smi(self, text: str) -> None:
        self.write("/nvidia-smi.txt", text)

    def healthy(self, version: str = "580.95.05") -> None:
        self.card()
        self.loaded(version)
        self.libraries(version)
        self.module(self.running, version)

    def report(self) -> Report:
        return examine(self.root)


@pytest.fixture(scope="session")
def grow(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Tree]:
    """Plants the tree of a host: its system, and the kernel that runs."""
    return lambda system, running="": Tree(tmp_path_factory.mktemp("tree"), system, running)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Healthy, and without the torch of the interpreter that runs the tests."""
    monkeypatch.setattr(wheels, "_importable", lambda: None)
    made = Machine(tmp_path / "machine")
    made.be_healthy()
    return made


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with nothing in it."""
    monkeypatch.setattr(wheels, "_importable", lambda: None)
    made = Machine(tmp_path / "bare")
    made.root.mkdir()
    return made


@pytest.fixture(scope="session")
def compile_library(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Compiles C into a shared library and returns its folder."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler for the stand-in libraries")

    def compile_it(name: str, source: str) -> Path:
        folder = tmp_path_factory.mktemp("library")
        (folder / "source.c").write_text(source)
        subprocess.run([compiler, "-shared", "-fPIC", "-o", folder / name, folder / "source.c"], check=True, timeout=60)
        return folder

    return compile_it
