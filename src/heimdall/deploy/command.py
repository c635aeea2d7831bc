"""`heimdall up`: start the service with what this host can serve."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from heimdall.deploy.accelerator_choice import Choice, Request, choose
from heimdall.deploy.compose.dotenv import read_values
from heimdall.deploy.compose.engine import Engine, open_engine
from heimdall.deploy.compose.memory_limits import memory_limits
from heimdall.deploy.diagnosis import look_at_host
from heimdall.deploy.start import Outcome, Starter
from heimdall.deploy.trial import WAYS, Trial, Way, try_way
from heimdall.errors import InputError

ACCELERATORS = ("auto", *WAYS)


@dataclass(frozen=True)
class Options:
    services: Sequence[str] = ()
    accelerator: str = "auto"
    project: Path = Path()
    build: bool = True
    timeout_s: float = 600.0
    as_json: bool = False


def run_up(options: Options) -> int:
    """Exit code 0: everything is healthy, on whatever it is; 1: it is not."""
    request = _request(options.accelerator)
    engine = open_engine(options.project.resolve(), tell)
    engine = engine.with_environment(revision(engine.project))
    tell("Asking the doctor about this host.")
    host = look_at_host(engine.project)
    choice = choose(request, host, lambda way: _attempt(engine, way))
    _explain(request, choice)
    limits = memory_limits(engine, {**read_values(engine.project / ".env"), **os.environ})
    outcome = Starter(engine, host, options.services, options.timeout_s, limits).start(choice, options.build)
    if options.as_json:
        json.dump(document(request, outcome), sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
    _conclude(request, outcome)
    return 0 if outcome.healthy else 1


def revision(project: Path) -> dict[str, str]:
    """The commit for the label of the images, marked `-dirty` if files have been changed; nothing without git."""
    head = _git(project, "rev-parse", "HEAD")
    if not head or "HEIMDALL_REVISION" in os.environ:
        return {}
    return {"HEIMDALL_REVISION": f"{head}-dirty" if _git(project, "status", "--porcelain") else head}


def _git(project: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(project), *arguments], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _request(accelerator: str) -> Request:
    if accelerator != "auto" and accelerator not in WAYS:
        raise InputError(f"--accelerator {accelerator} is not one of auto, {', '.join(WAYS)}")
    return cast(Request, accelerator)


def _attempt(engine: Engine, way: Way) -> Trial:
    values = {**read_values(engine.project / ".env"), **os.environ}
    tell(f"Trying a container with {way}.")
    trial = try_way(engine, way, values)
    tell(f"{way}: {trial.detail}")
    return trial


def _explain(request: Request, choice: Choice) -> None:
    if _fell_back(request, choice):
        _tell_loss(choice)
    else:
        tell(f"Accelerator: {choice.way}, because {choice.reason}")
    if os.environ.get("HEIMDALL_ACCELERATOR", choice.way) != choice.way:
        tell("HEIMDALL_ACCELERATOR is set in this shell and wins over .env in later commands: unset it.")


def _conclude(request: Request, outcome: Outcome) -> None:
    for state in outcome.states:
        if not state.settled:
            tell(f"{state.service} is {state.word}: docker compose logs {state.service}")
    if _fell_back(request, outcome.choice):
        # Once more at the end: what was said before the build has scrolled away.
        _tell_loss(outcome.choice)
    if outcome.healthy:
        tell(f"Everything is healthy, on {outcome.choice.way}.")


def _fell_back(request: Request, choice: Choice) -> bool:
    return choice.way == "cpu" and request != "cpu"


def _tell_loss(choice: Choice) -> None:
    tell(f"NO GPU: {choice.reason}")
    if choice.fix:
        tell("To get it, type:")
        for line in [*choice.fix, "heimdall up"]:
            tell(f"    {line}")


def document(request: Request, outcome: Outcome) -> dict[str, Any]:
    choice = outcome.choice
    return {
        "requested": request,
        "accelerator": choice.way,
        "reason": choice.reason,
        "fix": list(choice.fix),
        "fell_back": _fell_back(request, choice),
        "trials": [{"accelerator": trial.way, "ok": trial.ok, "detail": trial.detail} for trial in choice.trials],
        "torch_version": choice.torch_version or None,
        "environment": choice.variables,
        "backup": str(outcome.backup) if outcome.backup else None,
        "services": [{"name": state.service, "state": state.state, "health": state.word} for state in outcome.states],
        "healthy": outcome.healthy,
    }


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
