"""`heimdall benchmark clocks`: positions by clocks from a reference transmitter against those by GPS, on the same scenes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from heimdall.cli.learning.benchmark import benchmarks
from heimdall.cli.output import JsonOption, console, print_json, print_table, progress
from heimdall.errors import InputError

if TYPE_CHECKING:
    from heimdall.benchmark.clock_benchmark import ClockScore, Heard
    from heimdall.simulation.scenarios import Scenario


@benchmarks.command()
def clocks(
    scenario: Annotated[
        str, typer.Option(help="Scenario for signals and propagation; it must have a single bandwidth.")
    ] = "wideband-1mhz",
    count: Annotated[int, typer.Option(min=8, help="Number of scenes.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the scenes.")] = 0,
    seconds: Annotated[float, typer.Option(min=0.1, max=2.0, help="Length of the recordings in s.")] = 0.2,
    apart: Annotated[
        float | None,
        typer.Option(min=0, help="Take the reference from another recording, begun this many seconds earlier."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Compare positions by 8-bit dongles that take their clocks from an FM station with those by the same receivers with GPS."""
    try:
        from heimdall.simulation.dongles import dongles
    except ModuleNotFoundError as error:
        raise InputError(f"simulating needs {error.name}: pip install 'heimdall[train]'") from error
    from heimdall.benchmark.clock_benchmark import score
    from heimdall.simulation.scenarios import scenario as known

    known(scenario)
    with progress("locating", count, hide=json) as report:
        found = score(_scenes(dongles(scenario, seconds), seed, count, apart, report))
    print_json({"scenario": scenario, "seed": seed, **asdict(found)}) if json else _show(found)


def _scenes(
    law: Scenario, seed: int, count: int, apart_s: float | None, report: Callable[[int], None]
) -> Iterator[Heard]:
    from heimdall.benchmark.clock_benchmark import hear

    for index in range(count):
        yield hear(law, seed, index, apart_s)
        report(index + 1)


def _show(found: ClockScore) -> None:
    table = Table("clocks", "median", "in 68 %", "in 95 %", box=None)
    table.add_row("reference", f"{found.median_m:.0f} m", f"{found.coverage_68:.0%}", f"{found.coverage_95:.0%}")
    table.add_row("GPS", f"{found.gps_median_m:.0f} m", f"{found.gps_coverage_68:.0%}", f"{found.gps_coverage_95:.0%}")
    print_table(table)
    middle, low, high = found.ratio
    console.print(
        f"{found.scenes} scenes, ratio of medians {middle:.2f} [{low:.2f}, {high:.2f}]; {found.synchronised:.0%} of the "
        f"receivers have a clock from the reference, good to {found.clock_sigma_s * 1e9:.0f} ns in the median"
    )
