"""`heimdall evaluate`: every method on the same scenes or recordings, in one table."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from heimdall.cli.app import app
from heimdall.cli.locating.reader_notes import Notes
from heimdall.cli.output import JobsOption, JsonOption, OnOption, console, plain_console, print_json, progress
from heimdall.errors import InputError

if TYPE_CHECKING:
    from heimdall.evaluation.comparison import Case, Comparison, Method
    from heimdall.evaluation.summaries import Group, Score
    from heimdall.runs.writer import RunWriter

REFERENCE = "likelihood"
_MANY = 64
"""Cases from which on several processes are worth their start."""
_TABLE_WIDTH = 112


@app.command()
def evaluate(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Observations with known transmitters, as `heimdall locate` reads them.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Model bundle (.heimdall) to compare as well.")] = None,
    scenario: Annotated[
        str | None,
        typer.Option(help="Scenario of simulated scenes to use instead; docs/reference/simulation.md lists them."),
    ] = None,
    corrections: Annotated[
        Path | None,
        typer.Option(help="Receivers' delays and level biases, as `heimdall receivers calibrate` writes them."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Number of scenes.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the scenes.")] = 0,
    plots: Annotated[Path | None, typer.Option(help="Folder to write pictures into.")] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="Folder to write progress, table, pictures and result into.")
    ] = None,
    jobs: JobsOption = None,
    on: OnOption = None,
    json: JsonOption = False,
) -> None:
    """Compare least squares, the likelihood and a model: errors, the bound, coverage of the regions, time."""
    if (scenario is None) == (not paths):
        raise InputError("give either --scenario NAME or paths of observations with known transmitters")
    run = None if run_dir is None else _opened(run_dir)
    if run is not None and run.result.exists():
        console.print(f"{run.path} already has its result")
        return
    work = (
        _simulated(scenario, count, seed, model) if scenario is not None else _recorded(paths or [], model, corrections)
    )
    comparison = _compared(work, jobs, on, run, quiet=json)
    document = _document(comparison, scenario, seed, paths or [], model)
    _write_results(comparison, document, plots, run)
    if json:
        print_json(document)
    else:
        show(_groups(comparison))


def _opened(folder: Path) -> RunWriter:
    from heimdall.runs.writer import RunWriter

    folder.mkdir(parents=True, exist_ok=True)
    return RunWriter(folder)


@dataclass(frozen=True)
class _Work:
    """What is to be compared, in pieces that any process can do by itself."""

    compare: Callable[[int | None, Any], Comparison]
    """Compares the methods on one piece of work, with this many threads for the network; it is sent to other processes."""
    pieces: Iterable[Any]
    total: int | None
    """Cases of all pieces, roughly; None where nobody knows."""


def _simulated(name: str, count: int, seed: int, model: Path | None) -> _Work:
    try:
        from heimdall.simulation import SCENES_PER_DRAW, scenario
    except ModuleNotFoundError as error:
        raise InputError(f"simulating needs {error.name}: pip install 'heimdall[train]'") from error
    scenario(name)
    if model is not None:
        _methods(model, None)
    draws = range(math.ceil(count / SCENES_PER_DRAW))
    return _Work(partial(_compare_draw, model, name, count, seed), draws, count)


def _compare_draw(model: Path | None, name: str, count: int, seed: int, threads: int | None, draw: int) -> Comparison:
    """The comparison on the scenes of one draw, simulated where they are located."""
    from heimdall.evaluation.comparison import compare
    from heimdall.evaluation.simulated_cases import simulated_cases
    from heimdall.simulation import SCENES_PER_DRAW, scenario

    last = min(count, (draw + 1) * SCENES_PER_DRAW)
    return compare(list(simulated_cases(scenario(name), last, seed, draw)), _methods(model, threads))


def _recorded(paths: list[Path], model: Path | None, corrections: Path | None) -> _Work:
    from heimdall.cli.locating.receivers_calibrate import applied, read
    from heimdall.evaluation.comparison import case_of, chunks
    from heimdall.formats.readers.read import count_observations, iterate_observations

    known_of = read(corrections)

    def known() -> Iterator[Case]:
        left_out, notes = 0, Notes()
        for observation in notes.of(each for path in paths for each in iterate_observations(path)):
            if observation.truth is None:
                left_out += 1
            else:
                yield case_of(applied(observation, known_of))
        if left_out:
            have = (
                "1 observation has no truth and is"
                if left_out == 1
                else f"{left_out} observations have no truth and are"
            )
            console.print(f"{have} left out")
        notes.say()

    if model is not None:
        _methods(model, None)
    counts = [count_observations(path) for path in paths]
    total = None if None in counts else sum(count for count in counts if count is not None)
    return _Work(partial(_compare_cases, model), chunks(known()), total)


def _compare_cases(model: Path | None, threads: int | None, cases: list[Case]) -> Comparison:
    from heimdall.evaluation.comparison import compare

    return compare(cases, _methods(model, threads))


@cache
def _methods(model: Path | None, threads: int | None) -> list[Method]:
    from heimdall.evaluation.comparison import Method
    from heimdall.locating import by_least_squares, pipeline

    methods = [Method("least squares", by_least_squares.locate_each), Method(REFERENCE, pipeline.locate_each)]
    if model is None:
        return methods
    from heimdall.inference.calibration import HYBRID, NETWORK
    from heimdall.locating.by_network import Learned

    learned = Learned.load(model, threads)
    return methods + [Method(name, partial(learned.locate_by, method=name)) for name in (NETWORK, HYBRID)]


def _compared(work: _Work, jobs: int | None, on: str | None, run: RunWriter | None, *, quiet: bool) -> Comparison:
    """Run the comparison where a signal stops it at once: it begins anew when it is started again."""
    from heimdall.evaluation.comparison import joined
    from heimdall.execution.processes import cores, in_order
    from heimdall.learning.run.stop import StopSignal

    several = jobs or (cores() if on is None and (work.total or 0) >= _MANY else 1)
    threads = 1 if several > 1 or on is not None else None
    stop = StopSignal()
    stop.listen()
    try:
        with stop.interruptible(), progress("evaluating", work.total, hide=quiet) as report:
            record = _progress(run, work.total)
            record(0)

            def on_progress(done: int) -> None:
                report(done)
                record(done)

            return joined(in_order(partial(work.compare, threads), work.pieces, several, on), on_progress)
    finally:
        stop.release()


def _progress(run: RunWriter | None, total: int | None) -> Callable[[int], None]:
    """Progress for the run folder."""
    begun = time.monotonic()

    def report(done: int) -> None:
        if run is None:
            return
        left_s = (time.monotonic() - begun) / done * max(total - done, 0) if done and total is not None else None
        run.report_progress(
            now=done in (0, total),
            phase="validate",
            step=done,
            steps_total=total,
            fraction=None if total is None else round(done / max(total, 1), 4),
            eta_s=None if left_s is None else round(left_s, 1),
            loss=None,
            accelerator=_ACCELERATOR,
        )

    return report


_ACCELERATOR = {
    "requested": "cpu",
    "used": "cpu",
    "reason": None,
    "device": platform.processor() or platform.machine(),
    "precision": "float64",
}
"""Evaluation runs what `heimdall locate` runs, and that needs no GPU."""


def _groups(comparison: Comparison) -> list[Group]:
    from heimdall.evaluation.summaries import summarise

    return summarise(comparison, REFERENCE)


def _document(
    comparison: Comparison, scenario: str | None, seed: int, paths: list[Path], model: Path | None
) -> dict[str, Any]:
    from heimdall.evaluation.summaries import to_json

    source = {"scenario": scenario, "seed": seed} if scenario is not None else {"paths": [str(path) for path in paths]}
    count = len(comparison.labels)
    return {**source, "count": count, "model": None if model is None else str(model)} | to_json(
        _groups(comparison), REFERENCE
    )


def _write_results(comparison: Comparison, document: dict[str, Any], plots: Path | None, run: RunWriter | None) -> None:
    folder = plots if plots is not None or run is None else run.path / "plots"
    if folder is not None:
        from heimdall.evaluation.plots import draw_plots

        draw_plots(comparison, folder)
    if run is None:
        return
    count, scores = document["count"], _flat_scores(document)
    run.write_json("evaluation.json", document)
    run.append_metrics(count, scores)
    run.report_progress(now=True, phase="done", step=count, steps_total=count, fraction=1.0, eta_s=0.0)
    run.write_json("result.json", {"model": None, "scores": scores, "report": "evaluation.json"})


def _flat_scores(document: dict[str, Any]) -> dict[str, float]:
    """The figures over all cases, one number a name."""
    everything = document["groups"][0]
    scores: dict[str, float] = {}
    for method, score in everything["methods"].items():
        name = method.replace(" ", "_")
        flat = {key: score[key] for key in ("median_m", "q68_m", "q90_m", "bound_ratio", "ms_per_fix")}
        flat |= {f"coverage_{key}": share for key, share in score["coverage"].items()}
        scores |= {f"{name}/{key}": value for key, value in flat.items() if value is not None}
    return scores


def show(groups: list[Group]) -> None:
    """The table for people."""
    table = Table(
        "cases", "method", "median / 68 / 90 % m", "x bound", "x likelihood", "50/68/95 % hold", "ms", box=None
    )
    for group in groups:
        rows = [*([] if group.bound is None else [("bound", group.bound)]), *group.scores.items()]
        name = "all" if group.by == "all" else f"{group.by}: {group.name}"
        for position, (method, score) in enumerate(rows):
            table.add_row(f"{name} ({group.count})" if position == 0 else "", method, *_cells(score))
    wide = plain_console(max(console.width, _TABLE_WIDTH))
    wide.print(table, highlight=False)
    for method, score in groups[0].scores.items() if groups else ():
        wide.print(f"{method}: {_statuses(score)}", highlight=False)


def _statuses(score: Score) -> str:
    """The share of each status, and how often what is `ok` holds the truth."""
    shares = ", ".join(f"{name} {100 * share:.1f} %" for name, share in score.statuses.items())
    held = [
        f"{100 * share:.1f} % inside the {name}"
        for name, share in (("95 % region", score.ok_coverage_95), ("protection level", score.protected))
        if share is not None
    ]
    return f"{shares}; of the ok {' and '.join(held)}" if held else shares


def _cells(score: Score) -> list[str]:
    ratio = score.reference_ratio
    return [
        " / ".join(_metres(value) for value in score.quantiles_m),
        "" if score.bound_ratio is None else f"{score.bound_ratio:.2f}",
        "" if ratio is None else f"{ratio[0]:.2f} [{ratio[1]:.2f}, {ratio[2]:.2f}]",
        " ".join(f"{100 * share:.0f}" for share in score.coverage),
        "" if score.ms_per_fix is None else f"{score.ms_per_fix:.0f}",
    ]


def _metres(value: float) -> str:
    return f"{value:.0f}" if math.isfinite(value) else "none"
