"""`heimdall receivers synchronise`: clocks for receivers without GPS, from a transmitter of known place that they recorded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from heimdall.cli.locating.receivers import receivers
from heimdall.cli.locating.transmitters import TransmittersOption
from heimdall.cli.output import JsonOption, console, print_json, print_table
from heimdall.errors import HeimdallError, InputError
from heimdall.formats.quantities import hertz

if TYPE_CHECKING:
    from heimdall.estimation.clocks.synchronise import Synchronised
    from heimdall.observation import Observation

AUTO = "auto"
ReferenceOption = Annotated[
    str | None,
    typer.Option(help="Set the clocks from this known transmitter in the recordings; auto takes the best one."),
]

ReferenceSessionOption = Annotated[
    Path | None,
    typer.Option(
        help="Take the reference from this recording, made with the same clocks still running; docs/how-to/clock-reference.md."
    ),
]


@receivers.command()
def synchronise(
    session: Annotated[Path, typer.Argument(help="A recorded session, as `heimdall locate` reads it.")],
    output: Annotated[Path | None, typer.Option(help="Folder to create for the session with clocks.")] = None,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Put the clocks into SESSION itself, a folder with a SigMF collection.")
    ] = False,
    reference: Annotated[str, typer.Option(help="Name of a known transmitter; auto takes the best one.")] = AUTO,
    reference_session: ReferenceSessionOption = None,
    frequency: Annotated[
        str | None,
        typer.Option(help="Centre of the channel to locate, if not that of the recordings, such as 433.9M."),
    ] = None,
    bandwidth: Annotated[str | None, typer.Option(help="Width of the channel to locate, such as 1M.")] = None,
    most_offset: Annotated[
        float | None, typer.Option(min=0.001, max=30, help="How far start times may be off, in s; 2 by default.")
    ] = None,
    transmitters: TransmittersOption = None,
    json: JsonOption = False,
) -> None:
    """Give each receiver the time of a transmitter whose place is known; docs/how-to/clock-reference.md.

    Exit 1 if it gives no receiver a clock; then nothing is written.
    """
    from heimdall.estimation.clocks.synchronise import channelled
    from heimdall.formats.readers.sigmf.collection import about_session
    from heimdall.formats.readers.sigmf.session import CLOCKS_KEY
    from heimdall.formats.writers.sigmf_replace import replace_recordings
    from heimdall.formats.writers.sigmf_write import write_sigmf

    if in_place and output is not None:
        raise InputError("--in-place changes the session itself: leave out --output")
    if in_place and CLOCKS_KEY in (about := about_session(session)):
        return console.print(f"{session} has its clocks from {about[CLOCKS_KEY]} already")
    recorded = one_session(session)
    wanted_hz, width_hz = (None if each is None else hertz(each) for each in (frequency, bandwidth))
    located = (wanted_hz or recorded.frequency_hz, width_hz or recorded.bandwidth_hz)
    channelled(recorded, *located)
    source = None if reference_session is None else one_session(reference_session)
    found = by_reference(recorded, reference, transmitters, most_offset, located, source)
    print_json(_document(found)) if json else _show(found)
    if found.clocks.refused is not None:
        raise HeimdallError(f"{recorded.id}: no clock is taken from {_name(found)}: {found.clocks.refused}")
    timed = channelled(found.observation, *located)
    if in_place:
        replace_recordings(session, timed, _name(found), _remarks(found))
    if output is not None:
        write_sigmf(timed, output)
        console.print(f"wrote {output}: heimdall locate {output}")


def by_reference(
    observation: Observation,
    reference: str,
    transmitters: Path | None,
    most_offset_s: float | None = None,
    located: tuple[float, float] | None = None,
    source: Observation | None = None,
) -> Synchronised:
    """The observation by the clocks of a known transmitter, or of the best of all known ones; in `source`, if there is one."""
    from heimdall.estimation.clocks.carried_clocks import carry_over
    from heimdall.estimation.clocks.clock_reference import MOST_OFFSET_S
    from heimdall.estimation.clocks.synchronise import synchronise, synchronise_by_any
    from heimdall.formats.transmitters import known
    from heimdall.transmitter import named

    listed, heard, most_s = known(transmitters), source or observation, most_offset_s or MOST_OFFSET_S
    channel = located or (observation.frequency_hz, observation.bandwidth_hz)
    if reference == AUTO:
        found = synchronise_by_any(heard, listed, most_s, channel)
    else:
        found = synchronise(heard, named(listed, reference), most_s, channel)
    return found if source is None else carry_over(found.clocks, source, observation, located)


def one_session(path: Path) -> Observation:
    from heimdall.formats.readers.read import read_observations

    observations = read_observations(path)
    if len(observations) != 1:
        raise InputError(f"{path} holds {len(observations)} sessions: give one")
    return observations[0]


def _name(found: Synchronised) -> str:
    return found.clocks.transmitter.name


def _remarks(found: Synchronised) -> dict[str, str]:
    """What a session that has these clocks says of each receiver."""
    clocks, name = found.clocks, _name(found)
    remarks = {}
    for index, each in enumerate(clocks.reports):
        if each.synchronised and each.clock_sigma_s is not None:
            sigma, residual = (_figure(value, 1e9, ".0f", " ns") for value in (each.clock_sigma_s, each.residual_s))
            remarks[each.receiver] = f"clock from {name}, good to {sigma}, residual {residual}"
        elif index == clocks.hub:
            remarks[each.receiver] = f"the other clocks are set against its own, by {name}"
        elif each.reason:
            remarks[each.receiver] = f"no clock from {name}: {each.reason}"
    return remarks


def _document(found: Synchronised) -> dict[str, object]:
    clocks = found.clocks
    return {
        "reference": clocks.transmitter.model_dump(mode="json"),
        "hub": None if clocks.hub is None else clocks.reports[clocks.hub].receiver,
        "refused": clocks.refused,
        "receivers": [vars(report) for report in clocks.reports],
    }


def _show(found: Synchronised) -> None:
    table = Table("receiver", "km", "SNR", "offset", "drift", "carrier", "residual", "clock", "", box=None)
    for each in found.clocks.reports:
        table.add_row(
            each.receiver,
            _figure(each.distance_m, 1e-3, ".1f"),
            _figure(each.snr_db, 1, ".0f", " dB"),
            _figure(each.offset_s, 1e3, "+.3f", " ms"),
            _figure(each.drift_ppm, 1, "+.3f", " ppm"),
            _figure(each.carrier_ppm, 1, "+.2f", " ppm"),
            _figure(each.residual_s, 1e9, ".0f", " ns"),
            _figure(each.clock_sigma_s, 1e9, ".0f", " ns"),
            each.reason or "",
        )
    print_table(table)
    for note in found.observation.notes:
        console.print(note, highlight=False)


def _figure(value: float | None, factor: float, form: str, unit: str = "") -> str:
    return "" if value is None else f"{value * factor:{form}}{unit}"
