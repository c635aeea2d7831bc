"""What this host's Docker can serve: a reservation through the toolkit's hook, CDI devices, or no GPU at all."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from heimdall.doctor.facts.captured import replay
from heimdall.doctor.facts.containers.cdi import CDI_FOLDERS, CdiDevice, cdi_devices
from heimdall.doctor.host import Host
from heimdall.doctor.program import Run, run_program

Mode = Literal["toolkit", "cdi", "none", "unknown"]
HOOK = "nvidia-container-runtime-hook"
INFO = ("docker", "info", "--format", "{{json .}}")
GPU_DEVICE = "nvidia.com/gpu="


@dataclass(frozen=True)
class Engine:
    """The daemon's own account of itself; `fault` says why there is none."""

    fault: str = ""
    installed: bool = True
    version: str = ""
    rootless: bool = False
    has_nvidia_runtime: bool = False
    cdi_folders: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    is_podman: bool = False
    system: str = ""
    kernel: str = ""
    folder: str = ""
    context: str = ""

    @property
    def answers(self) -> bool:
        return not self.fault

    @property
    def is_desktop(self) -> bool:
        return self.system == "Docker Desktop"

    @property
    def is_snap(self) -> bool:
        return "/snap/docker/" in self.folder or self.folder.startswith("/var/snap/docker")

    def runs_on(self, release: str | None) -> bool:
        """Whether the daemon runs under this kernel; another one is a virtual machine's or another computer's."""
        return not self.kernel or not release or self.kernel == release


@dataclass(frozen=True)
class DockerGpuSupport:
    """`mode` says which reservation a container can be given: `driver: nvidia`, `driver: cdi`, or none.

    `devices` are the CDI names Docker would accept. `reason` is one line; `accelerator` is the service of
    docker/accelerators.yml that fits. A prediction: only a container started with the reservation proves it.
    """

    mode: Mode
    reason: str
    engine_version: str = ""
    rootless: bool = False
    has_hook: bool = False
    needs_restart: bool = False
    devices: tuple[str, ...] = field(default=())

    @property
    def accelerator(self) -> str:
        return {"toolkit": "gpu", "cdi": "gpu-cdi"}.get(self.mode, "cpu")


def docker_gpu_support(root: Path = Path("/"), *, run: Run | None = None) -> DockerGpuSupport:
    """Never raises; asks `docker info` with a time limit and reads files below the root."""
    try:
        live = root == Path("/")
        environment = dict(os.environ) if live else {}
        host = Host(root, run or (run_program if live else replay(root)), environment, live)
        return support(host, ask_engine(host))
    except Exception as error:  # the edge: whoever starts containers must get an answer in every case
        return DockerGpuSupport("unknown", f"Docker could not be examined: {type(error).__name__}: {error}")


def ask_engine(host: Host) -> Engine:
    """What `docker info` says of the engine, or why it says nothing."""
    answer = host.run(INFO, 10.0)
    if answer.code is None and _is_podmans_wrapper(host):
        return Engine(is_podman=True)
    if answer.code is None:
        return Engine(answer.stderr, installed=not answer.is_missing)
    try:
        document = json.loads(answer.stdout)
    except ValueError:
        return Engine(_first_line(answer.text) or "docker info gave nothing readable")
    if not isinstance(document, dict):
        return Engine("docker info gave nothing readable")
    if _is_podman(document):
        return _podman(document)
    errors = document.get("ServerErrors") or []
    if errors or not document.get("ServerVersion"):
        return Engine(_first_line(" ".join(map(str, errors)) or answer.stderr) or "the Docker daemon does not answer")
    return _engine(document)


def _is_podmans_wrapper(host: Host) -> bool:
    """The package podman-docker puts a script of a few lines in the place of docker."""
    path = host.find_program("docker")
    raw = (host.read_bytes(path) or b"") if path and not host.live else b""
    return raw.startswith(b"#!") and b"podman" in raw[:4096]


def _is_podman(document: Mapping[str, Any]) -> bool:
    host = document.get("host")
    return isinstance(host, dict) and ("buildahVersion" in host or "ociRuntime" in host)


def _podman(document: Mapping[str, Any]) -> Engine:
    """Podman under the name of docker prints its own document."""
    version, security = document.get("version") or {}, document["host"].get("security") or {}
    told = str(version.get("Version", "")) if isinstance(version, dict) else ""
    return Engine(version=told, rootless=bool(security.get("rootless")), is_podman=True)


def _engine(document: Mapping[str, Any]) -> Engine:
    discovered = document.get("DiscoveredDevices") or []
    names = [str(item.get("ID") or item.get("Name") or "") for item in discovered if isinstance(item, dict)]
    return Engine(
        version=str(document["ServerVersion"]),
        rootless="name=rootless" in " ".join(map(str, document.get("SecurityOptions") or [])),
        has_nvidia_runtime="nvidia" in (document.get("Runtimes") or {}),
        cdi_folders=tuple(map(str, document.get("CDISpecDirs") or [])),
        devices=tuple(name for name in names if name.startswith(GPU_DEVICE)),
        system=str(document.get("OperatingSystem") or ""),
        kernel=str(document.get("KernelVersion") or ""),
        folder=str(document.get("DockerRootDir") or ""),
        context=str((document.get("ClientInfo") or {}).get("Context") or ""),
    )


def support(host: Host, engine: Engine) -> DockerGpuSupport:
    if not engine.answers:
        return DockerGpuSupport("unknown", engine.fault)
    if engine.is_podman:
        return DockerGpuSupport("none", "docker is Podman here, which ignores Compose's reservations", engine.version)
    if not host.is_wsl and (engine.is_desktop or not engine.runs_on(host.kernel_release)):
        where = engine.system or engine.kernel
        return DockerGpuSupport("none", f"Docker does not run on this host's kernel ({where})", engine.version)
    daemon = find_daemon(host)
    hook = host.find_program(HOOK, _daemon_path(host, daemon))
    late = hook is not None and is_older(host, daemon, hook)
    devices = engine.devices or tuple(device.name for device in served_cdi_devices(host, engine))
    mode, reason = _choose(engine, hook, late, devices)
    return DockerGpuSupport(mode, reason, engine.version, engine.rootless, hook is not None, late, devices)


def _choose(engine: Engine, hook: str | None, late: bool, devices: Sequence[str]) -> tuple[Mode, str]:
    if hook and not late:
        return "toolkit", f"the NVIDIA Container Toolkit is registered with Docker ({hook})"
    if devices:
        return "cdi", f"Docker serves the CDI devices {', '.join(devices)}"
    if late:
        return "none", f"{hook} was installed after Docker had started"
    if engine.has_nvidia_runtime:
        return "toolkit", "Docker has a runtime named nvidia"
    return "none", "Docker has neither the NVIDIA Container Toolkit's hook nor a CDI device"


def served_cdi_devices(host: Host, engine: Engine) -> tuple[CdiDevice, ...]:
    """Before Docker 28.2 the daemon does not list its devices; where CDI is on, it says where it looks for them."""
    if not engine.cdi_folders:
        return ()
    found = cdi_devices(host, engine.cdi_folders)
    return tuple(device for device in found if device.name.startswith(GPU_DEVICE))


def all_cdi_folders(engine: Engine) -> tuple[str, ...]:
    return tuple(dict.fromkeys(engine.cdi_folders + CDI_FOLDERS))


def find_daemon(host: Host) -> int | None:
    """The process id of dockerd, by its pid file or by its name."""
    for path in ("/run/docker.pid", "/var/run/docker.pid"):
        text = (host.read(path) or "").strip()
        if text.isdigit() and host.exists(f"/proc/{text}"):
            return int(text)
    named = (pid for pid in host.processes() if (host.read(f"/proc/{pid}/comm") or "").strip() == "dockerd")
    return next(named, None)


def _daemon_path(host: Host, daemon: int | None) -> tuple[str, ...]:
    """Where the daemon looks for programs, readable to root only; then the usual places must do."""
    raw = host.read(f"/proc/{daemon}/environ") or "" if daemon else ""
    found = re.search(r"(?:^|\0)PATH=([^\0]*)", raw)
    return tuple(folder for folder in found.group(1).split(":") if folder.startswith("/")) if found else ()


def is_older(host: Host, daemon: int | None, hook: str) -> bool:
    """Whether the daemon started before the hook was installed; it looks for the hook once, when it starts."""
    started_s, installed_s = daemon_start_s(host, daemon), _installed_s(host, hook)
    return started_s is not None and installed_s is not None and started_s < installed_s


def boot_time_s(host: Host) -> float | None:
    """Seconds since the epoch."""
    booted = re.search(r"^btime (\d+)", host.read("/proc/stat") or "", re.MULTILINE)
    return float(booted.group(1)) if booted else None


def daemon_start_s(host: Host, daemon: int | None) -> float | None:
    """Seconds since the epoch, from the process's start in clock ticks after boot."""
    booted = boot_time_s(host)
    # The name in the second field may hold spaces; what follows its closing bracket is field 3 onwards.
    fields = (host.read(f"/proc/{daemon}/stat") or "").rpartition(")")[2].split() if daemon else []
    if booted is None or len(fields) < 20 or not fields[19].isdigit():
        return None
    return booted + int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _installed_s(host: Host, hook: str) -> float | None:
    """dpkg writes a package's file list when it installs it; the hook's own time is when it was built."""
    for name in ("nvidia-container-toolkit", "nvidia-container-toolkit-base"):
        if host.exists(f"/var/lib/dpkg/info/{name}.list"):
            return host.modified_s(f"/var/lib/dpkg/info/{name}.list")
    try:
        return host.at(hook).stat().st_ctime if host.live else host.modified_s(hook)
    except OSError:
        return None


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
