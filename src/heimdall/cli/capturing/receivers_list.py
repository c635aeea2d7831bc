"""`heimdall receivers add`, `list`, `probe`, `remove`: the receivers that `heimdall record` knows, and their state."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.table import Table

from heimdall.cli.locating.receivers import receivers
from heimdall.cli.output import JsonOption, console, print_json, print_table
from heimdall.cli.values import place_of
from heimdall.errors import HeimdallError, InputError
from heimdall.validation.complaints import complaint

if TYPE_CHECKING:
    from heimdall.capture.interface import Target
    from heimdall.capture.listing import ReceiverList
    from heimdall.capture.network.access import Access
    from heimdall.capture.probing import Probed

_Model = TypeVar("_Model")

FileOption = Annotated[
    Path | None,
    typer.Option(
        "--file",
        help="List of receivers; by default HEIMDALL_RECEIVERS, or receivers.json in the user's configuration.",
    ),
]


def list_path(file: Path | None) -> Path:
    from heimdall.capture.listing import default_path

    return file or default_path()


@receivers.command()
def add(
    address: Annotated[
        str,
        typer.Argument(
            help="Address of the receiver: kiwi://host:8073, rtl_tcp://host:1234, http://host:8073 and others."
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Short name; by default made from the receiver's own.")] = None,
    password: Annotated[str | None, typer.Option(help="Password that the receiver asks for.")] = None,
    position: Annotated[
        str | None,
        typer.Option(help="Position as latitude,longitude[,height in m], instead of what the receiver says."),
    ] = None,
    gain: Annotated[float | None, typer.Option(help="Gain of the tuner in dB.")] = None,
    ppm: Annotated[float, typer.Option(help="Known error of the oscillator in parts per million.")] = 0.0,
    allow_network: Annotated[
        list[str] | None, typer.Option(help="Loopback or private network that may be reached, such as 192.168.1.0/24.")
    ] = None,
    contact: Annotated[
        str | None, typer.Option(help="How operators of receivers can reach you; sent with every request.")
    ] = None,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Add the receiver without asking it for its state.")
    ] = False,
    file: FileOption = None,
    json: JsonOption = False,
) -> None:
    """Ask a receiver for its state and add it by its address."""
    from heimdall.capture.listing import ListedReceiver, free_name, load, save, with_receiver
    from heimdall.capture.probing import Probed

    path = list_path(file)
    listed = _told(load(path), allow_network or [], contact)
    given = _listed(ListedReceiver, name=name or "new", address=address, password=password, gain_db=gain, ppm=ppm)
    given = given.model_copy(update=_place(position))
    probed = Probed(given.target(), None) if unchecked else _asked(given.target(), listed.access)
    title = (probed.status.tdoa_name or probed.status.title) if probed.status else ""
    chosen = name or free_name(listed, title or probed.target.address.host or probed.target.address.kind)
    given = given.model_copy(update={"name": chosen, "address": str(probed.target.address)})
    save(path, with_receiver(listed, given))
    named = replace(probed, target=replace(probed.target, name=chosen))
    if json:
        return print_json(named.to_json())
    console.print(f"added {chosen} ({probed.target.address})")
    if probed.status is not None:
        _show([named])


def _asked(target: Target, access: Access) -> Probed:
    """With the receiver's state. Raises HeimdallError where it gives none."""
    from heimdall.capture.faults import Fault
    from heimdall.capture.probing import probe_all

    (probed,) = probe_all([target], access)
    if probed.status is None:
        allow = "; --allow-network allows it" if probed.fault is Fault.PRIVATE else ""
        raise HeimdallError(f"not added: {probed.reason}{allow}")
    return probed


@receivers.command("list")
def list_(
    file: FileOption = None,
    ask: Annotated[
        bool, typer.Option("--ask/--no-ask", help="Ask each receiver for its state, or only print the list.")
    ] = True,
    json: JsonOption = False,
) -> None:
    """List the receivers with their state: users, GPS, signal-to-noise ratio, and what is wrong."""
    from heimdall.capture.listing import load

    _report(load(list_path(file)), [], ask=ask, json=json)


@receivers.command()
def probe(
    which: Annotated[list[str], typer.Argument(help="Receivers to ask: names in the list, or addresses.")],
    allow_network: Annotated[
        list[str] | None,
        typer.Option(help="Loopback or private network that may be reached this time, such as 192.168.1.0/24."),
    ] = None,
    file: FileOption = None,
    json: JsonOption = False,
) -> None:
    """Ask receivers for their state, by name or by address; exit 1 where one of them cannot be recorded now."""
    from heimdall.capture.listing import load

    listed = _told(load(list_path(file)), allow_network or [], None)
    problems = _report(listed, which, ask=True, json=json)
    if problems:
        raise HeimdallError(f"{problems} of {len(which)} cannot be recorded now")


@receivers.command()
def remove(
    name: Annotated[str, typer.Argument(help="Name of the receiver, as `heimdall receivers list` shows it.")],
    file: FileOption = None,
) -> None:
    """Take a receiver off the list; recordings stay."""
    from heimdall.capture.listing import load, save, without_receiver

    path = list_path(file)
    save(path, without_receiver(load(path), name))
    console.print(f"removed {name}")


def _report(listed: ReceiverList, which: list[str], *, ask: bool, json: bool) -> int:
    """Print the state of receivers; how many have a problem."""
    from heimdall.capture.probing import Probed, probe_all

    targets = [_target(listed, each) for each in which] or listed.targets()
    probed = probe_all(targets, listed.access) if ask else [Probed(target, None) for target in targets]
    if json:
        print_json({"receivers": [each.to_json() for each in probed]})
    elif not probed:
        console.print("the list is empty: heimdall receivers add ADDRESS")
    else:
        _show(probed)
    return sum(each.problem is not None for each in probed)


def _target(listed: ReceiverList, which: str) -> Target:
    from heimdall.capture.interface import Target
    from heimdall.capture.network.address import parse_address

    if "://" in which or (":" in which and all(which != each.name for each in listed.receivers)):
        return Target(which, parse_address(which))
    return listed.targets([which])[0]


def _told(listed: ReceiverList, networks: list[str], contact: str | None) -> ReceiverList:
    """The list with what the call adds to it."""
    from heimdall.capture.listing import ReceiverList, parse_network

    allowed = dict.fromkeys([*listed.allowed_networks, *(str(parse_network(each)) for each in networks)])
    changed = {"allowed_networks": tuple(allowed), **({} if contact is None else {"contact": contact})}
    return _listed(ReceiverList, **{**dict(listed), **changed})


def _listed(model: type[_Model], **fields: Any) -> _Model:
    """The model, or one line that says which field is wrong."""
    from pydantic import ValidationError

    try:
        return model(**fields)
    except ValidationError as error:
        raise InputError(complaint(error)) from None


def _place(position: str | None) -> dict[str, float | None]:
    return {} if position is None else vars(place_of(position, "--position"))


def _show(probed: list[Probed]) -> None:
    table = Table("name", "gives", "users", "GPS", "SNR", "place", "state", box=None)
    for each in probed:
        status = each.status
        place = status.place if status else each.target.place
        table.add_row(
            each.target.name,
            status.gives.value if status else "",
            f"{status.users}/{status.slots}" if status and status.users is not None else "",
            _gps(each),
            f"{status.snr_db:.0f} dB" if status and status.snr_db is not None else "",
            f"{place.latitude_deg:.3f}, {place.longitude_deg:.3f}" if place else "",
            each.problem or ("ready" if status else str(each.target.address)),
        )
    print_table(table)
    for each in probed:
        for note in each.status.notes if each.status else ():
            console.print(f"{each.target.name}: {note}")


def _gps(probed: Probed) -> str:
    status = probed.status
    if status is None or status.gps_satellites is None:
        return ""
    return f"{status.gps_satellites} satellites" if status.has_gps else "none"
