"""The dialog that describes a known transmitter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui
from pydantic import ValidationError

from heimdall.errors import InputError
from heimdall.formats.quantities import hertz
from heimdall.formats.wording import frequency_text
from heimdall.transmitter import Kind, KnownTransmitter
from heimdall.web.dialogs import dialog_named, text_input
from heimdall.web.page_session import Visit
from heimdall.web.places import place_text, read_place
from heimdall.web.transmitters.transmitters_view import KINDS
from heimdall.web.words import validation_text


def ask_transmitter(
    visit: Visit, title: str, before: KnownTransmitter | None, save: Callable[[KnownTransmitter], Awaitable[bool]]
) -> None:
    """It closes when `save` is content."""
    with dialog_named(title) as dialog, ui.card().classes("ask"):
        ui.label(title).classes("title")
        fields = _fields(before)

        async def done() -> None:
            try:
                given = read_transmitter(*(field.value or "" for field in fields))
            except InputError as error:
                return visit.complain(str(error))
            if await save(given):
                dialog.close()

        with ui.element("div").classes("buttons"):
            ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
            ui.button("Save", on_click=done).props("unelevated no-caps")


def _fields(before: KnownTransmitter | None) -> tuple[ui.input | ui.select, ...]:
    """The inputs, in the order of `read_transmitter`'s arguments."""
    values = [""] * 5 if before is None else _texts(before)
    return (
        text_input("Name", values[0]),
        text_input("Frequency, such as 77.5k or 98.3M", values[1]),
        _kinds(Kind.OTHER if before is None else before.kind),
        text_input("Latitude, longitude, height in m; or a locator, MGRS, UTM", values[2]),
        text_input("How well its place is known, in m; empty: 30", values[3]),
        text_input("Width, such as 180k; empty: usual for its kind", values[4]),
        text_input("Where this is known from", "" if before is None else before.source),
    )


def _texts(before: KnownTransmitter) -> list[str]:
    """The texts in the inputs, to the last digit: a form must not change what nobody edits."""
    width = "" if before.bandwidth_hz is None else frequency_input(before.bandwidth_hz)
    sigma = repr(before.position_sigma_m)
    return [before.name, frequency_input(before.frequency_hz), place_text(before.place), sigma, width]


def _kinds(kind: Kind) -> ui.select:
    select = ui.select({each.value: text for each, text in KINDS.items()}, value=kind.value, label="Kind")
    return select.props("dense outlined options-dense").classes("wide")


def read_transmitter(
    name: str, frequency: str, kind: str, place: str, sigma: str, width: str, source: str
) -> KnownTransmitter:
    """What was typed. Raises InputError that says which field is wrong."""
    where = read_place(place)
    if where is None:
        raise InputError("a known transmitter needs a position: latitude, longitude in degrees")
    typed = {
        **vars(where),
        "name": name.strip(),
        "frequency_hz": hertz(frequency),
        "kind": kind,
        "bandwidth_hz": hertz(width) if width.strip() else None,
        "source": source.strip(),
        **({"position_sigma_m": sigma.strip()} if sigma.strip() else {}),
    }
    try:
        return KnownTransmitter.model_validate(typed)
    except ValidationError as error:
        raise InputError(validation_text(error)) from error


def frequency_input(frequency_hz: float) -> str:
    """As `hertz` reads it, short where that is exact."""
    text = frequency_text(frequency_hz)
    return text if hertz(text) == frequency_hz else repr(frequency_hz)
