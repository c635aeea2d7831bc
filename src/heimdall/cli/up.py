"""`heimdall up`: start the service with what this host can serve."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from heimdall.cli.app import app
from heimdall.cli.output import JsonOption, console, print_json
from heimdall.deploy.choice import Choice, Request, choose
from heimdall.deploy.dotenv import read_values
from heimdall.deploy.engine import Engine, open_engine
from heimdall.deploy.start import Outcome, Starter
from heimdall.deploy.trial import WAYS, Trial, Way, try_way
from heimdall.errors import InputError


@app.command()
def up(
    services: Annotated[list[str] | None, typer.Argument(help="Services of docker-compose.yml; all of them.")] = None,
    accelerator: Annotated[str, typer.Option(help=f"auto, {', '.join(WAYS)}.")] = "auto",
    project: Annotated[Path, typer.Option(help="Folder with docker-compose.yml.", file_okay=False)] = Path(),
    build: Annotated[bool, typer.Option(help="Build the images first.")] = True,
    timeout_s: Annotated[float, typer.Option(min=1, help="How long to wait until all services are healthy.")] = 600,
    json: JsonOption = False,
) -> int:
    """Ask the doctor, try a container with the GPU, write the choice into .env, start, and wait until all is healthy.

    A GPU that fails at the start costs the GPU, not the service: it goes on with the CPU and says why.
    """
    from heimdall.deploy.diagnosis import look_at_host

    request = _request(accelerator)
    engine = open_engine(project.resolve(), _tell)
    _tell("Asking the doctor about this host.")
    host = look_at_host(engine.project)
    choice = choose(request, host, lambda way: _attempt(engine, way))
    _explain(request, choice)
    outcome = Starter(engine, host, services or [], timeout_s).start(choice, build)
    if json:
        print_json(document(request, outcome))
    _conclude(request, outcome)
    return 0 if outcome.healthy else 1


def _request(accelerator: str) -> Request:
    if accelerator != "auto" and accelerator not in WAYS:
        raise InputError(f"--accelerator {accelerator} is not one of auto, {', '.join(WAYS)}")
    return cast(Request, accelerator)


def _attempt(engine: Engine, way: Way) -> Trial:
    values = {**read_values(engine.project / ".env"), **os.environ}
    _tell(f"Trying a container with {way}.")
    trial = try_way(
        engine, way, values.get("HEIMDALL_GPU_IDS") or "0", values.get("HEIMDALL_GPU_CDI") or "nvidia.com/gpu=all"
    )
    _tell(f"{way}: {trial.detail}")
    return trial


def _explain(request: Request, choice: Choice) -> None:
    if _fell_back(request, choice):
        _tell_loss(choice)
    else:
        _tell(f"Accelerator: {choice.way}, because {choice.reason}")
    if os.environ.get("HEIMDALL_ACCELERATOR", choice.way) != choice.way:
        _tell("HEIMDALL_ACCELERATOR is set in this shell and wins over .env in later commands: unset it.")


def _conclude(request: Request, outcome: Outcome) -> None:
    for state in outcome.states:
        if not state.settled:
            _tell(f"{state.service} is {state.word}: docker compose logs {state.service}")
    if _fell_back(request, outcome.choice):
        # Once more at the end: what was said before the build has scrolled away.
        _tell_loss(outcome.choice)
    if outcome.healthy:
        _tell(f"Everything is healthy, on {outcome.choice.way}.")


def _fell_back(request: Request, choice: Choice) -> bool:
    return choice.way == "cpu" and request != "cpu"


def _tell_loss(choice: Choice) -> None:
    _tell(f"NO GPU: {choice.reason}")
    if choice.fix:
        _tell("To get it, type:")
        for line in [*choice.fix, "heimdall up"]:
            _tell(f"    {line}")


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


def _tell(line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
