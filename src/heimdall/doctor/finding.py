"""What the doctor says: findings in the order of cause, a verdict, and one line why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["ok", "warning", "fault", "unknown"]
Verdict = Literal["cpu", "gpu"]
Confidence = Literal["certain", "likely", "unknown"]
LISTED_BY = "heimdall doctor"
# What the one-line reason must not end in: it takes something away, or rewrites a file, and wants to be read first.
UNSAFE = re.compile(
    r"\b(?:purge|remove|autoremove|erase|uninstall|prune|kill|stop|mv|rm|rmmod|sed|tee|modprobe -r|gpu-reset|mig|disable)\b"
    r"|nvidia-uninstall|pacman -R|NVIDIA-Linux|--allowerasing|--allow-downgrades"
)


@dataclass(frozen=True)
class Way:
    """Another way to the same end, or something to do besides; `name` says which."""

    name: str
    fix: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """`fix` is one way: commands to type in this order; a line that starts with `#` is a remark and safe to paste.

    `alternatives` are never needed beside it. `confidence` says how sure the finding is, `source` what it was read from;
    left empty, they are those of its name (KINDS).
    """

    name: str
    status: Status
    evidence: str
    cause: str
    fix: tuple[str, ...] = ()
    alternatives: tuple[Way, ...] = ()
    confidence: Confidence | None = None
    source: str = ""

    @property
    def commands(self) -> tuple[str, ...]:
        return tuple(line for line in self.fix if not line.startswith("#"))

    @property
    def how_sure(self) -> Confidence:
        return self.confidence or ("unknown" if self.status == "unknown" else "certain")

    @property
    def read_from(self) -> str:
        return self.source or SOURCES.get(self.name, "")


@dataclass(frozen=True)
class Report:
    findings: tuple[Finding, ...]
    verdict: Verdict
    reason: str

    @property
    def exit_code(self) -> int:
        return 1 if any(finding.status == "fault" for finding in self.findings) else 0

    def as_dict(self) -> dict[str, Any]:
        """The document of `heimdall doctor --json`."""
        findings = [_as_dict(finding) for finding in self.findings]
        return {"findings": findings, "verdict": self.verdict, "reason": self.reason}

    def as_text(self) -> str:
        blocks = [_block(finding) for finding in self.findings]
        return "\n".join([*blocks, f"verdict  {self.verdict}: {self.reason}"])


# Every name a finding can have, in the order of cause: what comes first must be mended first.
# The value says whether a fault of that name keeps the GPU from being used, and what the finding is read from.
KINDS: dict[str, tuple[bool, str]] = {
    "card": (False, "the PCI bus in /sys"),
    "card_switched_off": (True, "the PCI bus in /sys, udev's rules and the settings of the tools that switch graphics"),
    "wsl": (True, "/proc/version and /dev/dxg"),
    "jetson": (True, "/etc/nv_tegra_release and the kernel's name"),
    "other_driver_has_card": (True, "the driver link of the card in /sys"),
    "wrong_module_flavour": (True, "the kernel log and the card's PCI device number"),
    "legacy_card": (True, "the kernel log and the card's PCI device number"),
    "secure_boot_refuses_module": (True, "the EFI variables, the kernel log and the module's signature"),
    "driver_not_installed": (True, "the library folders and the modules of the kernel"),
    "module_not_loaded": (True, "/sys/module and the modules of the installed kernels"),
    "driver_library_mismatch": (True, "the versions of the loaded module, the libraries and the modules on disk"),
    "module_in_use": (False, "open files in /proc and the use counts of the modules"),
    "card_not_started": (True, "the kernel log"),
    "driver": (True, "NVML and /proc/driver/nvidia"),
    "gpu_lost": (True, "NVML and the kernel log"),
    "gpu_xid": (False, "the kernel log"),
    "device_permission": (True, "the modes of the device files, NVML and the audit log"),
    "vgpu_licence": (True, "the log of nvidia-gridd and nvidia-smi"),
    "compute_mode": (True, "nvidia-smi"),
    "forward_compatibility": (True, "the cuda-compat folders and a CUDA call"),
    "fabric_manager_missing": (True, "the PCI bus in /sys and the running programs"),
    "mig": (True, "NVML"),
    "device_files_missing": (True, "/dev and the loaded module"),
    "nvidia_uvm": (True, "the device files"),
    "nvml_error": (True, "NVML"),
    "docker": (False, "docker info"),
    "docker_elsewhere": (True, "docker info"),
    "podman": (True, "what answers to the name docker"),
    "snap_docker": (True, "docker info and the snap's folders"),
    "container_toolkit_missing": (True, "docker info and the programs on Docker's path"),
    "docker_not_restarted": (True, "the start of Docker and the installation of the toolkit"),
    "rootless_docker": (True, "docker info and the toolkit's configuration"),
    "toolkit_without_device_rules": (True, "docker info and the toolkit's configuration"),
    "cdi_disabled": (True, "Docker's own words"),
    "stale_cdi": (True, "the CDI specifications"),
    "environment": (True, "environment variables"),
    "service_without_gpu": (True, "the service's settings in Docker, Compose or Kubernetes"),
    "training_not_started": (False, "the container's last error in Docker"),
    "gpu_lost_in_container": (True, "NVML inside and outside the container"),
    "torch": (False, "torch's version file"),
    "torch_without_cuda": (True, "torch's version file"),
    "driver_too_old_for_torch": (True, "torch's version file and the driver's version"),
    "card_not_in_torch": (True, "torch's list of architectures and the card's compute capability"),
    "cuda": (True, "a kernel on the card"),
    "cuda_fails_though_nvml_answers": (True, "a kernel on the card"),
    "cuda_after_fork": (False, "a program's log"),
    "cuda_context_poisoned": (False, "a program's log"),
    "shared_memory": (False, "the mount of /dev/shm, or a program's log"),
    "disk_space": (False, "the file system"),
    "memory_plan": (False, "the recipe's plan and NVML"),
    "check_failed": (False, "the check itself"),
}
NAMES: dict[str, bool] = {name: stops for name, (stops, _) in KINDS.items()}
SOURCES: dict[str, str] = {name: source for name, (_, source) in KINDS.items()}

_ORDER = {name: place for place, name in enumerate(NAMES)}


def in_order_of_cause(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: _ORDER.get(finding.name, len(_ORDER))))


def first_stop(findings: Sequence[Finding]) -> Finding | None:
    """The fault that keeps the GPU from being used and is to be mended first."""
    stops = (item for item in in_order_of_cause(findings) if item.status == "fault" and NAMES.get(item.name, False))
    return next(stops, None)


def as_reason(finding: Finding) -> str:
    """One line: why, and at its end one command that is safe to type."""
    commands = finding.commands
    if finding.status == "ok":
        return _one_line(finding.cause)
    command = commands[0] if commands and is_safe(commands[0]) else LISTED_BY
    where = "On the host, type" if finding.fix[:1] and finding.fix[0].startswith("# on the host") else "Type"
    if command == LISTED_BY and commands:
        where = "What to do is listed by"
    elif len(commands) > 1:
        where = f"{where}, as the first of {len(commands)} steps ({LISTED_BY} lists them)"
    remark = " ".join(f"{line.lstrip('# ').rstrip('.:')}." for line in finding.fix) if not commands else ""
    return _one_line(f"{finding.cause} {remark} {where}: {command}")


def is_safe(command: str) -> bool:
    return UNSAFE.search(command) is None


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _as_dict(finding: Finding) -> dict[str, Any]:
    ways = [{"name": way.name, "fix": list(way.fix)} for way in finding.alternatives]
    sure = {"confidence": finding.how_sure, "source": finding.read_from}
    return {**asdict(finding), "fix": list(finding.fix), "alternatives": ways, **sure}


def _block(finding: Finding) -> str:
    lines = [f"{finding.status:8} {finding.name}: {finding.cause}"]
    sure = ", ".join(part for part in (finding.how_sure, finding.read_from) if part)
    lines += [f"         seen: {finding.evidence} ({sure})"] if finding.evidence else []
    lines += _lines(finding.fix)
    for way in finding.alternatives:
        lines += [f"         {way.name}:", *_lines(way.fix)]
    return "\n".join(lines)


def _lines(fix: Sequence[str]) -> list[str]:
    return [f"           {line if line.startswith('#') else '$ ' + line}" for line in fix]
