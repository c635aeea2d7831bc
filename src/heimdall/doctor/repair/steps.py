"""`heimdall doctor --fix`: does of the fixes only what is safe to undo or to repeat, and nothing to a GPU in use."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from heimdall.doctor.facts import hardware
from heimdall.doctor.finding import Finding
from heimdall.doctor.host import Host
from heimdall.doctor.repair.reload import PERSISTENCE

STEP_LIMIT_S = 1800.0


@dataclass(frozen=True)
class Rule:
    """What may be done without harm. `needs_idle_gpu` says that it must wait until no program has the card open."""

    pattern: str
    why: str
    undo: str = ""
    needs_idle_gpu: bool = False


RULES = (
    Rule(r"sudo modprobe -a nvidia nvidia_uvm", "loads what is installed", "sudo modprobe -r nvidia_uvm nvidia"),
    Rule(r"sudo modprobe nvidia_uvm", "loads what is installed", "sudo modprobe -r nvidia_uvm"),
    Rule(r"sudo modprobe -r nvidia[\w ]*", "nothing uses the card", "sudo modprobe -a nvidia nvidia_uvm", True),
    Rule(
        r"sudo systemctl stop nvidia-persistenced",
        "it is started again",
        "sudo systemctl start nvidia-persistenced",
        True,
    ),
    Rule(r"sudo systemctl start nvidia-persistenced", "can be repeated"),
    Rule(r"sudo nvidia-modprobe -c 0 -u", "makes a device file; can be repeated"),
    Rule(
        r"sudo nvidia-ctk cdi generate --output=/(etc|var/run|run)/cdi/[\w.-]+",
        "writes a generated file; can be repeated",
    ),
    Rule(r"nvidia-ctk cdi list", "only reads"),
    Rule(r"sudo mv (\S+) \1\.stale", "puts the file aside", "the same command with its two paths exchanged"),
    Rule(
        r"sudo apt-mark hold [\w.+: '*-]+",
        "changes nothing that is installed",
        "sudo apt-mark unhold with the same names",
    ),
    Rule(r"sudo dkms autoinstall -k \S+", "builds a module; can be repeated"),
)


@dataclass(frozen=True)
class Step:
    finding: str
    command: str
    rule: Rule


@dataclass(frozen=True)
class RepairPlan:
    """What can be done here, and what is left to the person."""

    steps: tuple[Step, ...]
    by_hand: tuple[tuple[str, str], ...]

    def as_text(self) -> str:
        lines = ["To be done now:"] if self.steps else ["Nothing can be done safely from here."]
        for step in self.steps:
            undo = f"; undo: {step.rule.undo}" if step.rule.undo else ""
            lines += [f"  $ {step.command}", f"      for {step.finding}; {step.rule.why}{undo}"]
        lines += ["Left to you:"] if self.by_hand else []
        lines += [f"  {line if line.startswith('#') else '$ ' + line}    ({name})" for name, line in self.by_hand]
        return "\n".join(lines)


def plan_repair(host: Host, findings: Iterable[Finding]) -> RepairPlan:
    """A run of commands is taken as a whole or not at all: half of it could be worse than none."""
    idle = not gpu_in_use(host)
    steps: list[Step] = []
    by_hand: list[tuple[str, str]] = []
    for finding in findings:
        for section in _sections(finding) if finding.status in ("fault", "warning") else ():
            rules = [_rule_for(line) for line in section if not line.startswith("#")]
            if rules and all(rule is not None and (idle or not rule.needs_idle_gpu) for rule in rules):
                steps += [Step(finding.name, line, rule) for line in section for rule in [_rule_for(line)] if rule]
            else:
                by_hand += [(finding.name, line) for line in section]
    return RepairPlan(tuple(dict.fromkeys(steps)), tuple(by_hand))


def _sections(finding: Finding) -> list[list[str]]:
    """The fix, and each alternative for itself; a remark between commands begins a further step."""
    sections: list[list[str]] = []
    for lines in (finding.fix, *(way.fix for way in finding.alternatives)):
        sections.append([])
        for line in lines:
            if line.startswith("#") and any(not before.startswith("#") for before in sections[-1]):
                sections.append([])
            sections[-1].append(line)
    return [section for section in sections if section]


def _rule_for(command: str) -> Rule | None:
    return next((rule for rule in RULES if re.fullmatch(rule.pattern, command)), None)


def gpu_in_use(host: Host) -> bool:
    """A program has an NVIDIA device open, or the kernel counts users that only root could name."""
    programs = [holder for holder in hardware.holders(host) if holder.name != PERSISTENCE]
    return bool(programs) or any(hardware.use_count(host, name) > 0 for name in ("nvidia_uvm", "nvidia_drm"))


def repair(
    host: Host,
    plan: RepairPlan,
    tell: Callable[[str], None],
    perform: Callable[[Sequence[str]], int] | None = None,
) -> bool:
    """Run the steps in order; stops at the first that fails. Whether a GPU is in use is looked up before every step."""
    for step in plan.steps:
        if step.rule.needs_idle_gpu and gpu_in_use(host):
            tell(f"not done, because a program uses the GPU now: {step.command}")
            return False
        tell(f"$ {step.command}")
        code = (perform or run_step)(_argv(step.command))
        if code != 0:
            tell(f"it ended with {code}; nothing further is done")
            return False
    return True


def _argv(command: str) -> list[str]:
    words = shlex.split(command)
    return words[1:] if words[0] == "sudo" and os.geteuid() == 0 else words


def run_step(argv: Sequence[str]) -> int:
    """Shares the terminal, so that sudo can ask for its password."""
    try:
        return subprocess.run(list(argv), check=False, timeout=STEP_LIMIT_S).returncode
    except subprocess.TimeoutExpired:
        return 124
    except OSError:
        return 127
