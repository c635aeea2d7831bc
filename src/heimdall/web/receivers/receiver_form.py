"""The dialog that describes a receiver."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui
from pydantic import ValidationError

from heimdall.errors import InputError
from heimdall.observation import Place
from heimdall.service.receivers.registered import ReceiverFields
from heimdall.web.dialogs import dialog_named, text_input
from heimdall.web.page_session import Visit
from heimdall.web.places import place_text, read_place
from heimdall.web.words import validation_text

_CLOCKS = {
    "": "as its recordings say",
    "5e-08": "GPS-disciplined, 50 ns",
    "2e-06": "corrected by a reference, 2 µs",
    "0.001": "network time, 1 ms",
}


def ask_receiver(
    visit: Visit, title: str, before: ReceiverFields | None, save: Callable[[ReceiverFields], Awaitable[bool]]
) -> None:
    """It closes when `save` is content."""
    with dialog_named(title) as dialog, ui.card().classes("ask"):
        ui.label(title).classes("title")
        name = text_input("Name, as in its recordings", before.name if before else "")
        place = text_input("Latitude, longitude, height in m; or a locator, MGRS, UTM", _place_text(before))
        clock = (
            ui.select(_clocks(before), value=_clock_key(before), label="Clock").props("dense outlined").classes("wide")
        )
        level = text_input("Level uncertainty in dB; empty: as its recordings say", _level_text(before))
        note = text_input("Note", before.note if before else "")

        async def done() -> None:
            texts = (name.value or "", place.value or "", clock.value or "", level.value or "", note.value or "")
            try:
                fields = read_fields(*texts, before)
            except InputError as error:
                return visit.complain(str(error))
            if await save(fields):
                dialog.close()

        with ui.element("div").classes("buttons"):
            ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
            ui.button("Save", on_click=done).props("unelevated no-caps")


def read_fields(
    name: str, place: str, clock: str, level: str, note: str, before: ReceiverFields | None = None
) -> ReceiverFields:
    """What was typed, as a receiver; what no field shows stays as before. Raises InputError that says which field is wrong."""
    where = read_place(place)
    if where is None:
        raise InputError("a receiver needs a position: latitude, longitude in degrees")
    try:
        typed = {
            "name": name,
            "latitude_deg": where.latitude_deg,
            "longitude_deg": where.longitude_deg,
            "height_m": where.height_m or 0.0,
            "clock_sigma_s": float(clock) if clock else None,
            "level_sigma_db": float(level) if level.strip() else None,
            "note": note,
        }
        return ReceiverFields.model_validate((before.model_dump() if before else {}) | typed)
    except ValidationError as error:
        raise InputError(validation_text(error)) from error
    except ValueError:
        raise InputError(f"level uncertainty: {level!r} is not a number") from None


def _place_text(fields: ReceiverFields | None) -> str:
    return "" if fields is None else place_text(Place(fields.latitude_deg, fields.longitude_deg, fields.height_m))


def _level_text(fields: ReceiverFields | None) -> str:
    return "" if fields is None or fields.level_sigma_db is None else repr(fields.level_sigma_db)


def _clock_key(fields: ReceiverFields | None) -> str:
    return "" if fields is None or fields.clock_sigma_s is None else str(fields.clock_sigma_s)


def _clocks(fields: ReceiverFields | None) -> dict[str, str]:
    """With the receiver's own where it is none of the usual ones."""
    key = _clock_key(fields)
    return _CLOCKS if key in _CLOCKS else {**_CLOCKS, key: f"{key} s"}
