"""What the doctor says: findings in the order of cause, a verdict, and one line why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["ok", "warning", "fault", "unknown"]
Verdict = Literal["cpu", "gpu"]
REASON_COMMANDS_MAX = 3


@dataclass(frozen=True)
class Finding:
    """`fix` holds commands to type in this order; a line that starts with `#` is a remark and safe to paste."""

    name: str
    status: Status
    evidence: str
    cause: str
    fix: tuple[str, ...] = ()

    @property
    def commands(self) -> tuple[str, ...]:
        return tuple(line for line in self.fix if not line.startswith("#"))


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
        findings = [{**asdict(finding), "fix": list(finding.fix)} for finding in self.findings]
        return {"findings": findings, "verdict": self.verdict, "reason": self.reason}

    def as_text(self) -> str:
        blocks = [_block(finding) for finding in self.findings]
        return "\n".join([*blocks, f"verdict  {self.verdict}: {self.reason}"])


# Every name a finding can have, in the order of cause: what comes first must be mended first.
# The value says whether a fault of that name keeps the GPU from being used.
NAMES: dict[str, bool] = {
    "card": False,
    "wsl": True,
    "other_driver_has_card": True,
    "secure_boot_refuses_module": True,
    "driver_not_installed": True,
    "module_not_loaded": True,
    "driver_library_mismatch": True,
    "module_in_use": False,
    "driver": True,
    "gpu_lost": True,
    "gpu_xid": False,
    "forward_compatibility": True,
    "fabric_manager_missing": True,
    "mig": True,
    "nvidia_uvm": True,
    "nvml_error": True,
    "docker": False,
    "container_toolkit_missing": True,
    "docker_not_restarted": True,
    "rootless_docker": True,
    "stale_cdi": True,
    "environment": True,
    "service_without_gpu": True,
    "gpu_lost_in_container": True,
    "torch": False,
    "torch_without_cuda": True,
    "driver_too_old_for_torch": True,
    "card_not_in_torch": True,
    "cuda": True,
    "cuda_fails_though_nvml_answers": True,
    "cuda_after_fork": False,
    "cuda_context_poisoned": False,
    "shared_memory": False,
    "disk_space": False,
    "memory_plan": False,
    "check_failed": False,
}

_ORDER = {name: place for place, name in enumerate(NAMES)}


def in_order_of_cause(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: _ORDER.get(finding.name, len(_ORDER))))


def first_stop(findings: Sequence[Finding]) -> Finding | None:
    """The fault that keeps the GPU from being used and is to be mended first."""
    stops = (item for item in in_order_of_cause(findings) if item.status == "fault" and NAMES.get(item.name, False))
    return next(stops, None)


def as_reason(finding: Finding) -> str:
    """One line: why, and what to type; of alternatives the first."""
    commands = _first_way(finding.fix)
    if not commands:
        remark = " ".join(line.lstrip("# ") for line in finding.fix)
        return _one_line(f"{finding.cause} {remark}")
    where = "On the host, type" if finding.fix[0].startswith("# on the host") else "Type"
    if len(commands) > REASON_COMMANDS_MAX:
        return _one_line(
            f"{finding.cause} {where}: {commands[0]} (the first of {len(commands)} steps: heimdall doctor)"
        )
    return _one_line(f"{finding.cause} {where}: {' && '.join(commands)}")


def _first_way(fix: Sequence[str]) -> list[str]:
    """The commands up to the remark that begins an alternative or a further step."""
    commands: list[str] = []
    for line in fix:
        if line.startswith("#") and commands:
            break
        commands += [] if line.startswith("#") else [line]
    return commands


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _block(finding: Finding) -> str:
    lines = [f"{finding.status:8} {finding.name}: {finding.cause}"]
    lines += [f"         seen: {finding.evidence}"] if finding.evidence else []
    lines += [f"           {line if line.startswith('#') else '$ ' + line}" for line in finding.fix]
    return "\n".join(lines)
