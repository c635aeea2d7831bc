"""The dialog that adds a receiver by address, or changes what is known of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui
from pydantic import ValidationError

from heimdall.errors import InputError
from heimdall.observation import Place
from heimdall.service.receivers.online_schemas import OnlineChange, OnlineFields, OnlineView
from heimdall.web.dialogs import dialog_named, text_input
from heimdall.web.page_session import Visit
from heimdall.web.places import place_text, read_place
from heimdall.web.words import validation_text


def ask_change(visit: Visit, before: OnlineView, save: Callable[[OnlineChange], Awaitable[bool]]) -> None:
    """It closes when `save` is content."""
    title = f"Edit {before.name}"
    with dialog_named(title) as dialog, ui.card().classes("ask"):
        ui.label(title).classes("title")
        place = text_input("Latitude, longitude, height in m; empty: as the receiver states", _own_place(before))
        password = text_input("New password" if before.has_password else "Password, if it asks for one", "")
        gain = text_input(
            "Gain in dB; empty: chosen by its driver", "" if before.gain_db is None else repr(before.gain_db)
        )
        ppm = text_input("Error of its oscillator in ppm", repr(before.ppm))
        note = text_input("Note", before.note)

        async def done() -> None:
            try:
                texts = (place.value or "", password.value or "", gain.value or "", ppm.value or "", note.value or "")
                change = read_change(*texts)
            except InputError as error:
                return visit.complain(str(error))
            if await save(change):
                dialog.close()

        with ui.element("div").classes("buttons"):
            ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
            ui.button("Save", on_click=done).props("unelevated no-caps")


def read_new(address: str, name: str, place: str, password: str, unchecked: bool) -> OnlineFields:
    """What was typed. Raises InputError that says which field is wrong."""
    typed: dict[str, Any] = {"address": address.strip(), "name": name.strip(), "unchecked": unchecked}
    typed |= {"password": password} if password else {}
    try:
        return OnlineFields.model_validate(typed | _place_fields(place))
    except ValidationError as error:
        raise InputError(_said(error)) from error


def read_change(place: str, password: str, gain: str, ppm: str, note: str) -> OnlineChange:
    """An empty password stays as it is. Raises InputError that says which field is wrong."""
    none: dict[str, Any] = {"latitude_deg": None, "longitude_deg": None, "height_m": None}
    typed: dict[str, Any] = {"gain_db": gain.strip() or None, "ppm": ppm.strip() or 0.0, "note": note}
    typed |= {"password": password} if password else {}
    try:
        return OnlineChange.model_validate(typed | none | _place_fields(place))
    except ValidationError as error:
        raise InputError(_said(error)) from error


def _said(error: ValidationError) -> str:
    if error.errors()[0]["loc"] == ("name",):
        return "the name may have letters, digits, and the signs - _ . only"
    return validation_text(error)


def _place_fields(text: str) -> dict[str, Any]:
    place = read_place(text)
    return {} if place is None else vars(place)


def _own_place(receiver: OnlineView) -> str:
    if not receiver.placed or receiver.latitude_deg is None or receiver.longitude_deg is None:
        return ""
    return place_text(Place(receiver.latitude_deg, receiver.longitude_deg, receiver.height_m))
