"""`heimdall benchmark capture`: what asking many receivers and recording several cost, against a rehearsal beside it."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heimdall.cli.learning.benchmark import benchmarks, machine
from heimdall.cli.output import JsonOption, console, print_json
from heimdall.errors import HeimdallError
from heimdall.execution.own_program import HEIMDALL

if TYPE_CHECKING:
    from heimdall.capture.interface import Target


@benchmarks.command("capture")
def capture(
    asked: Annotated[
        int, typer.Option(min=1, max=200, help="Number of receivers that are asked for their state at once.")
    ] = 100,
    recorded: Annotated[int, typer.Option(min=1, max=200, help="Number of 12 kHz receivers that are recorded.")] = 8,
    seconds: Annotated[float, typer.Option(min=2, max=600, help="Length of the recording in s.")] = 30.0,
    as_json: JsonOption = False,
) -> None:
    """Ask and record simulated KiwiSDRs that another process plays; only the processor time of this process counts."""
    from heimdall.capture.interface import Target
    from heimdall.capture.network.address import parse_address

    with _rehearsal(max(asked, recorded)) as played:
        targets = [Target(each["name"], parse_address(each["address"])) for each in played["receivers"]]
        probing_s = _ask(targets[:asked])
        wall_s, processor_s = _record(targets[:recorded], played, seconds)
    document = {
        "asked": asked,
        "probing_s": probing_s,
        "recorded": recorded,
        "seconds": seconds,
        "processor_s": processor_s,
        "share_of_a_core": processor_s / wall_s,
        "machine": machine(),
    }
    print_json(document) if as_json else _show(document)


def _ask(targets: list[Target]) -> float:
    from heimdall.capture.probing import probe_all

    begun_s = time.perf_counter()
    problems = [each for each in probe_all(targets, _access()) if each.problem is not None]
    taken_s = time.perf_counter() - begun_s
    if problems:
        raise HeimdallError(f"{len(problems)} of {len(targets)} did not answer: {problems[0].problem}")
    return taken_s


def _record(targets: list[Target], played: dict[str, Any], seconds: float) -> tuple[float, float]:
    from heimdall.capture.interface import Tuning
    from heimdall.capture.recording.record import record_session

    tuning = Tuning(played["frequency_hz"], played["bandwidth_hz"])
    with tempfile.TemporaryDirectory() as folder:
        wall_s, processor_s = time.perf_counter(), time.process_time()
        recorded = record_session(targets, tuning, seconds, Path(folder) / "session", _access())
        wall_s, processor_s = time.perf_counter() - wall_s, time.process_time() - processor_s
    if recorded.useful < len(targets):
        raise HeimdallError(f"{recorded.useful} of {len(targets)} were recorded")
    return wall_s, processor_s


def _access() -> Any:
    import ipaddress

    from heimdall.capture.network.access import Access

    return Access((ipaddress.ip_network("127.0.0.0/8"),))


@contextmanager
def _rehearsal(receivers: int) -> Iterator[dict[str, Any]]:
    command = [
        *HEIMDALL,
        "simulate",
        "--serve",
        "--port",
        "0",
        "--json",
        "--kiwis",
        str(receivers),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines: list[str] = []
            for line in process.stdout:
                lines.append(line)
                if line == "}\n":
                    break
            if not lines:
                raise HeimdallError("the rehearsal did not start: see above")
            yield json.loads("".join(lines))
        finally:
            process.terminate()


def _show(document: dict[str, Any]) -> None:
    console.print(f"{document['asked']} receivers asked in {document['probing_s']:.2f} s", highlight=False)
    console.print(
        f"{document['recorded']} receivers recorded for {document['seconds']:g} s: "
        f"{100 * document['share_of_a_core']:.1f} % of a core",
        highlight=False,
    )
