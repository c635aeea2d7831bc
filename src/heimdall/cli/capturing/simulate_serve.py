"""`heimdall simulate --serve`: a network of receivers on loopback to practise with."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from heimdall.cli.output import console, print_json
from heimdall.errors import InputError
from heimdall.formats.quantities import hertz

if TYPE_CHECKING:
    from heimdall.rehearsal.servers import Played
    from heimdall.rehearsal.stage import Stage
    from heimdall.transmitter import KnownTransmitter


@dataclass(frozen=True)
class Play:
    """What was asked for on the command line."""

    scenario: str
    seed: int
    kiwis: int
    dongles: int
    speed: float
    faults: list[str]
    on_off: str | None
    velocity: str
    bandwidth: str | None
    reference: str | None
    port: int


def play(given: Play, json: bool) -> None:
    """Serve until the program is stopped."""
    try:
        stage = _stage(given)
    except ModuleNotFoundError as error:
        raise InputError(f"simulating needs {error.name}: pip install 'heimdall[train]'") from error
    asyncio.run(_serve(stage, given, json))


def _stage(given: Play) -> Stage:
    from heimdall.rehearsal.pace import Pace
    from heimdall.rehearsal.stage import draw_stage, with_reference, with_troubles
    from heimdall.rehearsal.troubles import parse_trouble

    bandwidth_hz = hertz(given.bandwidth) if given.bandwidth else None
    troubles = dict(parse_trouble(each) for each in given.faults)
    stage = draw_stage(given.scenario, given.seed, given.kiwis + given.dongles, bandwidth_hz)
    stage = replace(
        stage,
        velocity_m_s=_pair(given.velocity, "--velocity"),
        keying_s=_pair(given.on_off, "--on-off") if given.on_off else None,
        began_s=Pace().now_ns() / 1e9,
    )
    if given.reference:
        stage = with_reference(stage, hertz(given.reference))
    return with_troubles(stage, troubles)


async def _serve(stage: Stage, given: Play, json: bool) -> None:
    from heimdall.rehearsal.pace import Pace
    from heimdall.rehearsal.servers import network

    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        async with network(stage, given.kiwis, Pace(given.speed), given.port) as played:
            _tell(stage, played, json)
            await stopped.wait()
    except OSError as error:
        raise InputError(f"ports from {given.port} on: {error.strerror or error}; choose others with --port") from None


def _tell(stage: Stage, played: tuple[Played, ...], json: bool) -> None:
    truth = stage.transmitter
    if json:
        print_json(_document(stage, played))
        sys.stdout.flush()
        return
    from heimdall.formats.wording import frequency_text

    console.print(
        f"{frequency_text(stage.frequency_hz)}, {frequency_text(stage.bandwidth_hz)} wide; "
        f"the transmitter is at {truth.latitude_deg:.5f}, {truth.longitude_deg:.5f}. Ctrl-C ends it."
    )
    if stage.reference is not None:
        console.print(_reference_command(stage.reference), soft_wrap=True, highlight=False)
    for each in played:
        fault = f"    # {each.site.trouble.value}" if each.site.trouble else ""
        console.print(f"{each.command}{fault}", soft_wrap=True, highlight=False)


def _reference_command(reference: KnownTransmitter) -> str:
    """What adds it to the known transmitters."""
    position = f"{reference.latitude_deg:.6f},{reference.longitude_deg:.6f},{reference.height_m or 0:.0f}"
    return (
        f"heimdall transmitters add {reference.name} --position={position} --frequency {reference.frequency_hz:.0f}"
        f' --bandwidth {reference.channel_hz:.0f} --kind {reference.kind} --source "{reference.source}"'
    )


def _document(stage: Stage, played: tuple[Played, ...]) -> dict[str, Any]:
    truth = stage.transmitter
    return {
        "frequency_hz": stage.frequency_hz,
        "bandwidth_hz": stage.bandwidth_hz,
        "truth": {"latitude_deg": truth.latitude_deg, "longitude_deg": truth.longitude_deg, "height_m": truth.height_m},
        "reference": None
        if stage.reference is None
        else {**stage.reference.model_dump(mode="json"), "command": _reference_command(stage.reference)},
        "receivers": [
            {
                "name": each.site.name,
                "address": str(each.address),
                "fault": each.site.trouble and each.site.trouble.value,
                "latitude_deg": each.site.place.latitude_deg,
                "longitude_deg": each.site.place.longitude_deg,
                "height_m": each.site.place.height_m,
                "command": each.command,
            }
            for each in played
        ],
    }


def _pair(text: str, option: str) -> tuple[float, float]:
    try:
        first, second = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{option}: {text!r} is not two numbers with a comma between") from None
    return first, second
