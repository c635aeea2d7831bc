"""Receivers by address: added, asked for their state, filtered, switched off."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from heimdall.errors import InputError
from heimdall.observation import Place
from heimdall.service.auth import Role
from heimdall.service.receivers import online
from heimdall.service.receivers.online_schemas import OnlineChange, OnlineView, view_online
from heimdall.web import dialogs, words
from heimdall.web.layout import panel
from heimdall.web.page_session import Visit
from heimdall.web.receivers.online_form import ask_change, read_new
from heimdall.web.receivers.online_view import Filter, is_usable, read_filter, receiver_html
from heimdall.web.rows import Rows

LOOK_EVERY_S = 5.0


class OnlinePanel:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._all: list[OnlineView] | None = None
        self._filter = Filter()
        self._rows = Rows(self._make_row, key=lambda state: state[0].id)

    def build_form(self) -> None:
        """What adds one."""
        with panel("Add by address"):
            with ui.element("div").classes("form"):
                self._address = self._input("Address, such as kiwi://host:8073")
                self._name = self._input("Name; empty: what the receiver calls itself")
                with ui.element("details"):
                    with ui.element("summary"):
                        ui.label("Place and password")
                    with ui.element("div").classes("form"):
                        self._place = self._input("Latitude, longitude, or a locator, MGRS, UTM")
                        self._password = self._input("Password, if it asks for one")
                        self._unchecked = ui.checkbox("Add it although it does not answer")
            self._add_button = ui.button("Add", icon="add", on_click=self._add).props("unelevated no-caps")
            self._add_button.classes("go")
        self._address.on("keydown.enter", self._add)

    def build_list(self) -> None:
        with panel("Receivers by address"):
            with ui.element("div").classes("tools"):
                self._near = self._input("Near a place").on("keydown.enter", self._filtered)
                self._near.on("blur", self._filtered)
                self._within = ui.number("Within, km", min=1, on_change=self._filtered).props("dense outlined")
                self._band = self._input("Receives, in Hz").on("keydown.enter", self._filtered)
                self._band.on("blur", self._filtered)
                for field in (self._near, self._within, self._band):
                    field.classes("narrow")
                self._gps = ui.checkbox("With GPS", on_change=self._filtered)
                ui.space()
                if self._visit.may(Role.OPERATOR):
                    self._ask_button = ui.button("Ask all", icon="refresh", on_click=self._refresh)
                    self._ask_button.props("outline dense no-caps")
            self._count = ui.label("").classes("muted").props("role=status")
            self._rows.build()
        ui.timer(LOOK_EVERY_S, self.look)

    def _input(self, label: str) -> ui.input:
        return ui.input(label).props("dense outlined")

    async def look(self) -> None:
        """What is new since the last look."""
        found = await self._visit.do(Role.VIEWER, self._find)
        if found is not None and found != self._all:
            self._all = found
            self._draw()

    def _find(self) -> list[OnlineView]:
        with self._visit.parts.store.reading() as session:
            return [view_online(each) for each in online.find(session)]

    def _filtered(self) -> None:
        try:
            wanted = read_filter(
                self._near.value or "", self._within.value, self._band.value or "", bool(self._gps.value)
            )
        except InputError as error:
            return self._visit.complain(str(error))
        if wanted != self._filter:
            self._filter = wanted
            self._draw()

    def _draw(self) -> None:
        known = self._all or []
        shown = [each for each in known if self._filter.keeps(each)]
        ready = sum(is_usable(each) for each in shown)
        hidden = f", {len(known) - len(shown)} hidden by the filter" if len(shown) < len(known) else ""
        self._count.set_text(f"{ready} of {words.count(len(shown), 'receiver')} ready{hidden}" if known else "")
        nothing = "No receivers yet", "Add the addresses of KiwiSDRs, rtl_tcp servers or OpenWebRX."
        if known and not shown:
            nothing = "None found", "The filter leaves no receiver."
        self._rows.show([(each, self._filter.near) for each in shown], nothing)

    def _make_row(self) -> _ReceiverRow:
        return _ReceiverRow(self._visit.may(Role.OPERATOR), self._switch, self._edit, self._ask_delete)

    async def _add(self) -> None:
        self._add_button.props("loading")
        added = await self._visit.do(Role.OPERATOR, self._add_typed)
        self._add_button.props(remove="loading")
        if added is not None:
            for field in (self._address, self._name, self._place, self._password):
                field.set_value("")
            ui.notify(f"{added} added", type="positive", position="bottom")
            await self.look()

    def _add_typed(self) -> str:
        texts = [field.value or "" for field in (self._address, self._name, self._place, self._password)]
        fields = read_new(texts[0], texts[1], texts[2], texts[3], bool(self._unchecked.value))
        parts = self._visit.parts
        return online.add(parts.store, parts.settings, fields, self._visit.who.name).name

    async def _refresh(self) -> None:
        def ask() -> bool:
            parts = self._visit.parts
            online.refresh(parts.store, parts.settings)
            return True

        self._ask_button.props("loading")
        await self._visit.do(Role.OPERATOR, ask)
        self._ask_button.props(remove="loading")
        await self.look()

    async def _switch(self, receiver: OnlineView, on: bool) -> None:
        await self._change(receiver, OnlineChange(enabled=on))

    def _edit(self, receiver: OnlineView) -> None:
        ask_change(self._visit, receiver, lambda change: self._change(receiver, change))

    async def _change(self, receiver: OnlineView, change: OnlineChange) -> bool:
        done = await self._visit.change(Role.OPERATOR, lambda session: online.change(session, receiver.id, change))
        await self.look()
        return done

    def _ask_delete(self, receiver: OnlineView) -> None:
        dialogs.confirm(f"Remove {receiver.name}? Its recordings stay.", "Remove", lambda: self._delete(receiver))

    async def _delete(self, receiver: OnlineView) -> None:
        await self._visit.change(Role.OPERATOR, lambda session: online.delete(session, receiver.id))
        await self.look()


class _ReceiverRow:
    """A receiver in the list, with what an operator can do with it."""

    def __init__(
        self,
        operator: bool,
        switch: Callable[[OnlineView, bool], Awaitable[None]],
        edit: Callable[[OnlineView], None],
        delete: Callable[[OnlineView], None],
    ) -> None:
        self._on: ui.switch | None = None
        with ui.element("div").classes("station") as self.element:
            self._content = ui.html("", sanitize=False).classes("grow")
            if operator:
                with ui.element("div").classes("buttons"):
                    self._on = ui.switch(on_change=lambda event: self._switched(bool(event.value), switch))
                    self._on.tooltip("Off: neither asked nor recorded")
                    ui.button("Edit", on_click=lambda: edit(self._receiver)).props("flat dense no-caps")
                    ui.button("Remove", on_click=lambda: delete(self._receiver)).props("flat dense no-caps")

    def show(self, state: tuple[OnlineView, Place | None]) -> None:
        self._receiver, near = state
        self.element.props["data-receiver"] = self._receiver.name
        self._content.set_content(receiver_html(self._receiver, near))
        if self._on is not None:
            self._on.props["aria-label"] = f"{self._receiver.name} is used"
            self._on.set_value(self._receiver.enabled)

    async def _switched(self, on: bool, switch: Callable[[OnlineView, bool], Awaitable[None]]) -> None:
        if on != self._receiver.enabled:  # by the person, not by show
            await switch(self._receiver, on)
            if self._on is not None:
                self._on.set_value(self._receiver.enabled)  # where it could not be switched
