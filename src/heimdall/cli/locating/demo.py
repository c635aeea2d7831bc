"""`heimdall demo`: the main job in one run, through the doors that users use, ending in a report page."""

from __future__ import annotations

import json as json_format
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from heimdall.cli.app import app
from heimdall.cli.locating.demo_page import DemoStep, demo_page
from heimdall.cli.output import JsonOption, console, print_json
from heimdall.errors import HeimdallError
from heimdall.execution.own_program import HEIMDALL

REAL_DATA_VARIABLE = "HEIMDALL_REAL_DATA"
_REAL_DATA_DEFAULT = Path("../shared/data")
_DCF77_TRUTH = "50.0155,9.0108"
_SESSIONS = 3
_MATCHED_SCENES, _MISMATCHED_SCENES = 300, 100
_LOCARDS_EVERY, _POWDER_EVERY = 8, 50


@app.command()
def demo(
    output: Annotated[
        Path, typer.Option(help="Folder to work in; what an earlier demo left there is replaced.")
    ] = Path("out/demo"),
    examples: Annotated[Path, typer.Option(help="Folder with the converters of the real recordings.")] = Path(
        "examples"
    ),
    json: JsonOption = False,
) -> None:
    """Train `quick`, compare it with the likelihood, and locate simulated recordings and, where there are any, real ones."""
    if output.exists():
        shutil.rmtree(output)
    output.mkdir(parents=True)
    run = _Demo(output)
    _train_and_compare(run)
    _locate_simulated(run)
    _locate_real(run, examples)
    report = output / "report.html"
    report.write_text(demo_page(run.steps, output), encoding="utf-8")
    console.print(f"report: {report}")
    if json:
        print_json({"report": str(report), "steps": [vars(step) for step in run.steps]})


@dataclass
class _Demo:
    """The demo so far: its folder, and each command with what it printed."""

    output: Path
    steps: list[DemoStep] = field(default_factory=list)

    def heimdall(self, title: str, *arguments: str | Path, pictures: tuple[str, ...] = ()) -> dict[str, Any]:
        """Run one `heimdall` command as a user would; returns its JSON document. Raises HeimdallError where it fails."""
        words = [str(argument) for argument in arguments]
        command = " ".join(["heimdall", *words])
        console.rule(title)
        console.print(f"$ {command}", highlight=False)
        begun = time.monotonic()
        done = subprocess.run([*HEIMDALL, *words, "--json"], stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise HeimdallError(f"the demo stopped: `{command}` ended with exit code {done.returncode}, see above")
        document: dict[str, Any] = json_format.loads(done.stdout)
        seconds = time.monotonic() - begun
        console.print(f"{seconds:.0f} s", highlight=False)
        self.steps.append(DemoStep(title, command, seconds, document, pictures))
        return document

    def skip(self, title: str, reason: str) -> None:
        console.rule(title)
        console.print(reason)
        self.steps.append(DemoStep(title, "", 0.0, {"skipped": reason}, ()))


def _train_and_compare(run: _Demo) -> None:
    out = run.output
    run.heimdall(
        "Train quick and export it", "train", "--recipe", "quick", "--run-dir", out / "train", "--track", "off"
    )
    shutil.copy(next((out / "train").glob("*.heimdall")), out / "quick.heimdall")
    pictures = tuple(f"matched/{name}.png" for name in ("errors", "coverage", "bound"))
    run.heimdall(
        "Compare all methods on scenes that follow the likelihood's assumptions",
        *("evaluate", "--scenario", "matched", "--count", str(_MATCHED_SCENES), "--seed", "777"),
        *("--model", out / "quick.heimdall", "--plots", out / "matched"),
        pictures=pictures,
    )
    run.heimdall(
        "Compare all methods where the assumptions are wrong: links blocked in clusters",
        *("evaluate", "--scenario", "clustered-blocking", "--count", str(_MISMATCHED_SCENES), "--seed", "777"),
        *("--model", out / "quick.heimdall", "--plots", out / "mismatched"),
        pictures=("mismatched/errors.png", "mismatched/coverage.png"),
    )


def _locate_simulated(run: _Demo) -> None:
    out = run.output
    run.heimdall(
        "Simulate SigMF sessions",
        *("simulate", out / "sessions", "--scenario", "matched", "--count", str(_SESSIONS), "--seed", "7"),
    )
    run.heimdall(
        "Locate them by the trained model, without torch",
        *("locate", out / "sessions", "--model", out / "quick.heimdall", "--output", out / "sessions.html"),
    )
    first = sorted(path for path in (out / "sessions").iterdir() if path.is_dir())[0]
    run.heimdall(
        "One of them as a picture",
        *("locate", first, "--model", out / "quick.heimdall", "--output", out / "simulated.png"),
        pictures=("simulated.png",),
    )


def _locate_real(run: _Demo, examples: Path) -> None:
    data = Path(os.environ.get(REAL_DATA_VARIABLE, _REAL_DATA_DEFAULT))
    out = run.output
    if not (data / "kiwisdr_dcf77").is_dir():
        run.skip("Real recordings", f"none at {data}: set {REAL_DATA_VARIABLE} to the folder that holds them")
        return
    run.heimdall(
        "Locate the time signal DCF77 from three KiwiSDR recordings",
        *("locate", data / "kiwisdr_dcf77", "--truth", _DCF77_TRUTH, "--output", out / "dcf77.png"),
        pictures=("dcf77.png",),
    )
    _measured(run, examples, data, "locards_toa", _LOCARDS_EVERY, "Aircraft from arrival times (LocaRDS)")
    _measured(run, examples, data, "powder_rss", _POWDER_EVERY, "Hand-held radios from power alone (POWDER)")


def _measured(run: _Demo, examples: Path, data: Path, name: str, every: int, title: str) -> None:
    """Turn a table into a measurement file with its example converter, and compare the methods on it."""
    table = run.output / f"{name}.jsonl"
    converter = examples / f"{name.split('_')[0]}_to_measurements.py"
    subprocess.run(
        [sys.executable, converter, data / name, table, "--every", str(every)], stdout=sys.stderr, check=True
    )
    plots = run.output / name
    run.heimdall(title, "evaluate", table, "--plots", plots, pictures=(f"{name}/errors.png", f"{name}/coverage.png"))
