"""The command itself, for both doors: `heimdall doctor`, and `python3 -m heimdall.doctor` on a bare host."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heimdall.doctor.examination import examine
from heimdall.doctor.finding import Report
from heimdall.doctor.host import Host
from heimdall.doctor.repair.steps import plan_repair, repair
from heimdall.errors import InputError


@dataclass(frozen=True)
class Options:
    as_json: bool = False
    root: Path = Path("/")
    fix: bool = False
    recipe: str | None = None
    plan_json: Path | None = None
    log: Path | None = None


def run_doctor(options: Options, ask: Callable[[str], bool] | None = None) -> int:
    """Exit code: 0 nothing at fault, 1 a fault was found. Raises InputError where the call is wrong."""
    _check(options)
    plan = _read_json(options.plan_json) if options.plan_json else None
    log = _read(options.log) if options.log else ""
    report = examine(options.root, recipe=options.recipe, plan=plan, log=log)
    if options.as_json:
        print(json.dumps(report.as_dict(), indent=2, ensure_ascii=False))
        return report.exit_code
    print(report.as_text())
    if options.fix:
        report = _fix(report, options, ask or ask_person)
    return report.exit_code


def _check(options: Options) -> None:
    if not options.root.is_dir():
        raise InputError(f"--root {options.root} is not a folder: give the top of the tree to examine")
    if options.fix and options.as_json:
        raise InputError("--fix asks before it does anything, so it does not go with --json: leave one of them out")
    if options.fix and options.root != Path("/"):
        raise InputError("--fix changes this machine, and --root examines another tree: leave one of them out")


def _fix(report: Report, options: Options, ask: Callable[[str], bool]) -> Report:
    host = Host()
    plan = plan_repair(host, report.findings)
    _tell(plan.as_text())
    if not plan.steps or not ask(f"Do these {len(plan.steps)} steps?"):
        return report
    repair(host, plan, _tell)
    after = examine(recipe=options.recipe)
    print(after.as_text())
    return after


def ask_person(question: str) -> bool:
    """No is the answer of whoever cannot be asked."""
    try:
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
        return input().strip().lower() in ("y", "yes")
    except EOFError:
        print(file=sys.stderr)
        return False


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(_read(path))
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}): give the output of heimdall train --plan --json") from error
    if not isinstance(document, dict):
        raise InputError(f"{path} holds no JSON object: give the output of heimdall train --plan --json")
    return document
