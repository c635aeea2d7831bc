"""Receivers by address: add one, see how each is, and choose which are recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from html import escape

from nicegui import ui
from pydantic import ValidationError

from heimdall.errors import InputError
from heimdall.formats.wording import frequency_text
from heimdall.service.auth import Role
from heimdall.service.receivers import online
from heimdall.service.receivers.online import OnlineChange, OnlineFields, OnlineView
from heimdall.web import words
from heimdall.web.layout import empty
from heimdall.web.page_session import Visit
from heimdall.web.places import read_place

USABLE, GPS = "usable now", "with GPS"


class ReceiverList:
    """The chosen ones are those that are ticked; nobody has to tick any: all that are switched on is the default."""

    def __init__(self, visit: Visit, changed: Callable[[], Awaitable[None]]) -> None:
        self._visit = visit
        self._changed = changed
        self._untouched = True
        self._shown: list[OnlineView] | None = None
        self.known: list[OnlineView] = []
        self.chosen: set[str] = set()
        """Names."""

    def build(self) -> None:
        if self._visit.may(Role.OPERATOR):
            with ui.element("div").classes("buttons"):
                ui.button("Add by address", icon="add", on_click=self._ask).props("unelevated no-caps")
                ui.button("Ask all again", icon="refresh", on_click=self._refresh).props("outline no-caps")
        self._filter = ui.select([USABLE, GPS], multiple=True, label="Show only", value=[], on_change=self._draw)
        self._filter.props("dense outlined options-dense")
        self._list = ui.element("div")

    async def look(self) -> None:
        found = await self._visit.do(Role.VIEWER, self._find)
        if found is None:
            return
        self.known = found
        names = {each.name for each in found}
        self.chosen &= names
        if self._untouched:
            self.chosen = {each.name for each in found if each.enabled and _is_usable(each)}
        if found != self._shown:
            self._shown = found
            self._draw()

    def _find(self) -> list[OnlineView]:
        with self._visit.parts.store.reading() as session:
            return [online.view_online(each) for each in online.find(session)]

    def _draw(self) -> None:
        wanted = self._filter.value or []
        shown = [each for each in self.known if _passes(each, wanted)]
        self._list.clear()
        with self._list:
            if not self.known:
                empty(
                    "No receiver by address",
                    "Add the address of a KiwiSDR, an OpenWebRX or an rtl_tcp server, such as kiwi.example.org:8073.",
                )
            elif not shown:
                empty("None of them", "No receiver is like that at the moment.")
            for each in shown:
                self._draw_one(each)

    def _draw_one(self, receiver: OnlineView) -> None:
        with ui.element("div").classes("station"):
            tick = ui.checkbox(
                value=receiver.name in self.chosen, on_change=lambda event: self._pick(receiver, event.value)
            )
            tick.props(f'dense aria-label="Record {escape(receiver.name, quote=True)}"').set_enabled(receiver.enabled)
            ui.html(receiver_html(receiver), sanitize=False).classes("grow")
            if self._visit.may(Role.OPERATOR):
                with ui.element("div").classes("buttons"):
                    switch = "Switch off" if receiver.enabled else "Switch on"
                    ui.button(switch, on_click=lambda: self._switch(receiver)).props("flat dense no-caps")
                    ui.button("Remove", on_click=lambda: self._ask_remove(receiver)).props("flat dense no-caps")

    async def _pick(self, receiver: OnlineView, ticked: bool) -> None:
        self._untouched = False
        (self.chosen.add if ticked else self.chosen.discard)(receiver.name)
        await self._changed()

    def _ask(self) -> None:
        with words.dialog_named("Add a receiver by address") as dialog, ui.card().classes("ask"):
            ui.label("Add a receiver by address").classes("title")
            address = _input("Address, such as kiwi.example.org:8073")
            name = _input("Name; empty: what it calls itself")
            place = _input("Place, if it does not say: latitude, longitude; or a locator, MGRS, UTM")
            password = _input("Password, if it asks for one").props("type=password")

            async def done() -> None:
                typed = (address.value or "", name.value or "", place.value or "", password.value or "")
                if await self._add(*typed):
                    dialog.close()

            with ui.element("div").classes("buttons"):
                ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
                ui.button("Add", on_click=done).props("unelevated no-caps")

    async def _add(self, address: str, name: str, place: str, password: str) -> bool:
        parts = self._visit.parts

        def apply() -> str:
            fields = read_fields(address, name, place, password)
            return online.add(parts.store, parts.settings, fields, self._visit.who.name).name

        added = await self._visit.do(Role.OPERATOR, apply)
        if added is not None:
            ui.notify(f"{added} added", type="positive", position="bottom")
            await self._again()
        return added is not None

    async def _refresh(self) -> None:
        parts = self._visit.parts
        if await self._visit.do(Role.OPERATOR, online.refresh, parts.store, parts.settings) is not None:
            await self._again()

    async def _switch(self, receiver: OnlineView) -> None:
        def apply() -> bool:
            with self._visit.parts.store.writing() as session:
                online.change(session, receiver.id, OnlineChange(enabled=not receiver.enabled))
            return True

        if await self._visit.do(Role.OPERATOR, apply):
            self.chosen.discard(receiver.name)
            await self._again()

    def _ask_remove(self, receiver: OnlineView) -> None:
        words.confirm(f"Remove {receiver.name}? Its recordings stay.", "Remove", lambda: self._remove(receiver))

    async def _remove(self, receiver: OnlineView) -> None:
        def apply() -> bool:
            with self._visit.parts.store.writing() as session:
                online.delete(session, receiver.id)
            return True

        if await self._visit.do(Role.OPERATOR, apply):
            await self._again()

    async def _again(self) -> None:
        await self.look()
        await self._changed()


def read_fields(address: str, name: str, place: str, password: str) -> OnlineFields:
    """What was typed. Raises InputError that says which field is wrong."""
    where = read_place(place)
    typed: dict[str, object] = {"address": address.strip(), "name": name.strip(), "password": password or None}
    if where is not None:
        typed |= {"latitude_deg": where.latitude_deg, "longitude_deg": where.longitude_deg, "height_m": where.height_m}
    try:
        return OnlineFields.model_validate(typed)
    except ValidationError as error:
        raise InputError(words.validation_text(error)) from error


def receiver_html(receiver: OnlineView) -> str:
    lines = [receiver.address, " · ".join(_facts(receiver)), (receiver.state.reason if receiver.state else None) or ""]
    told = "".join(f'<p class="muted">{escape(line)}</p>' for line in lines if line)
    return f'<span class="strong">{escape(receiver.name)}</span> {_chip(receiver)}{told}'


def _chip(receiver: OnlineView) -> str:
    tone, text = "", "not asked yet"
    if not receiver.enabled:
        text = "switched off"
    elif receiver.state is not None:
        tone, text = ("good", "ready") if receiver.state.usable else ("bad", "not usable")
    return f'<span class="chip {tone}">{text}</span>'


def _facts(receiver: OnlineView) -> list[str]:
    state = receiver.state
    if state is None:
        return []
    place = "" if receiver.latitude_deg is None else f"{receiver.latitude_deg:.3f}, {receiver.longitude_deg:.3f}"
    users = "" if state.users is None else f"{state.users} of {state.slots or '?'} slots taken"
    band = (
        ""
        if state.band_hz is None
        else f"{frequency_text(max(state.band_hz[0], 1.0))} to {frequency_text(state.band_hz[1])}"
    )
    snr = "" if state.snr_db is None else f"SNR {state.snr_db:.0f} dB"
    gps = {True: "GPS", False: "no GPS", None: ""}[state.has_gps]
    asked = (
        ""
        if receiver.asked_utc is None
        else f"asked {words.ago_text(receiver.asked_utc.timestamp(), datetime.now(UTC))}"
    )
    return [each for each in (place or "place not known", gps, users, snr, band, asked) if each]


def _passes(receiver: OnlineView, wanted: list[str]) -> bool:
    has_gps = receiver.state is not None and receiver.state.has_gps is True
    return (USABLE not in wanted or _is_usable(receiver)) and (GPS not in wanted or has_gps)


def _is_usable(receiver: OnlineView) -> bool:
    return receiver.enabled and receiver.state is not None and receiver.state.usable


def _input(label: str) -> ui.input:
    return ui.input(label).props("outlined dense").classes("wide")
