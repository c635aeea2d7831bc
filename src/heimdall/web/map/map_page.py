"""The first page: upload, sessions, the map, and the fix of what is chosen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace

from fastapi import Request
from nicegui import events, ui

from heimdall.locating import Method
from heimdall.service.auth import Role
from heimdall.service.concurrent_locating import Deadline
from heimdall.service.receivers import registered
from heimdall.service.storage.uploads import file_name
from heimdall.web import clipboard
from heimdall.web.layout import frame, panel
from heimdall.web.map import fix_panel
from heimdall.web.map.choice import METHODS, Choice
from heimdall.web.map.fix_map import FixMap
from heimdall.web.map.fix_view import EMPTY, Scene, receivers_scene
from heimdall.web.map.history_panel import HistoryPanel
from heimdall.web.map.map_tools import MapTools
from heimdall.web.map.session_fixes import Shown, locate_chosen
from heimdall.web.map.tile_file import tile_address
from heimdall.web.page_session import FAILURES, Latest, Visit, arrive
from heimdall.web.sessions.session_list import LOOK_EVERY_S, SessionList
from heimdall.web.sessions.upload_panel import UploadPanel
from heimdall.web.sign_in import Entry, to_sign_in

_START = "Upload recordings or measurements, or pick a session: the estimate and its regions appear here."
_FORMS = {"geojson": "GeoJSON", "kml": "KML", "cot": "CoT", "png": "PNG", "html": "Report"}
_OF_ONE = ("png",)
"""A picture shows one fix."""


def register(entry: Entry) -> None:
    @ui.page("/")
    async def show(request: Request) -> object:
        visit = arrive(entry, request)
        if visit is None:
            return to_sign_in(request)
        page = MapPage(visit, Choice.read(request))
        with frame(visit, "Map"):
            page.build()
        visit.on_back(page.go_back)
        visit.on_leave(page.leave)
        ui.timer(0, page.open, once=True)
        ui.timer(LOOK_EVERY_S, page.sessions.look)
        return None


class MapPage:
    def __init__(self, visit: Visit, choice: Choice) -> None:
        self._visit = visit
        self._choice = choice
        self._shown: Shown | None = None
        self._latest = Latest()
        self._deadline = visit.parts.locator.deadline()
        self.sessions = SessionList(visit, lambda: self._choice.session, self._pick, self._changed)

    def build(self) -> None:
        settings = self._visit.parts.settings
        with ui.element("aside").classes("side").props('aria-label="Sessions"'):
            UploadPanel(self._visit, self._pick).build()
            self.sessions.build()
            with panel("History"):
                ui.label("Fixes of all recordings, by time and frequency.").classes("muted")
                ui.button("Show the history", on_click=self._show_history).props("outline no-caps").classes("go")
        with ui.element("div").classes("main"):
            with ui.element("div").classes("map-box"):
                self._map = FixMap(tile_address(settings), settings.tile_credit, self._pick_fix)
                self._history = HistoryPanel(self._visit, self._map, self._pick)
                self._hint = ui.label(_START).classes("map-hint")
                self._busy = ui.element("div").classes("map-busy").props("role=status")
                with self._busy:
                    ui.spinner(size="2em")
                    ui.label("Locating …")
                self._busy.set_visibility(False)
            with ui.element("div").classes("tools"):
                self._build_tools()
                MapTools(self._visit, self._map, self._hint).build()
            self._details = ui.element("div").classes("details")

    async def open(self) -> None:
        """After the page is there: what its address names."""
        await self.sessions.look()
        await self._locate()

    async def go_back(self, query: str) -> None:
        """Goes to what the address names now."""
        choice = Choice.of_address(query)
        if choice != self._choice:
            self._choice = choice
            self._method.set_value(choice.method.value)
            await self.open()

    def leave(self) -> None:
        """Nobody waits any more for what is being located."""
        self._deadline.abandon()

    def _build_tools(self) -> None:
        self._method = ui.select(
            {each.value: name for each, name in METHODS.items()}, value=self._choice.method.value, label="Method"
        )
        self._method.props("dense outlined options-dense").classes("narrow").on_value_change(self._method_chosen)
        evidence = ui.switch("Evidence", value=True, on_change=lambda event: self._map.show_evidence(bool(event.value)))
        evidence.tooltip(
            "How likely each place is, given what the receivers heard; the darkest is the likeliest in view"
        )
        self._corrections = ui.switch("Corrections", value=self._choice.corrected, on_change=self._corrections_chosen)
        self._corrections.tooltip("Take off what calibration found of the receivers").set_visibility(False)
        for what, hint in (("all", "Show everything"), ("region", "Show the region")):
            button = ui.button(what.capitalize(), on_click=lambda what=what: self._map.zoom_to(what))
            button.props("flat dense no-caps").tooltip(hint)
        self._stepper = ui.element("div").classes("stepper")
        self._downloads = ui.element("div").classes("downloads")
        with self._downloads:
            self._buttons = {
                suffix: ui.button(name, on_click=lambda suffix=suffix: self._download(suffix)).props(
                    "outline dense no-caps"
                )
                for suffix, name in _FORMS.items()
            }
            ui.button("Copy link", icon="link", on_click=self._copy_link).props("flat dense no-caps")
        self._downloads.set_visibility(False)

    async def _choose(self, choice: Choice) -> None:
        if choice != self._choice:
            ui.navigate.history.push(choice.address)
        self._choice = choice
        await self.open()

    async def _pick(self, session_id: str) -> None:
        await self._choose(replace(self._choice, session=session_id, index=0, every=False, history=False))

    async def _show_history(self) -> None:
        await self._choose(Choice(method=self._choice.method, history=True))

    async def _pick_fix(self, index: int) -> None:
        if self._choice.history:
            return await self._history.picked(index)
        await self._choose(replace(self._choice, index=index, every=False))

    async def _show_every(self) -> None:
        await self._choose(replace(self._choice, every=True))

    async def _changed(self, session_id: str, gone: bool) -> None:
        if session_id == self._choice.session:
            await self._choose(Choice(method=self._choice.method) if gone else self._choice)

    async def _method_chosen(self, event: events.ValueChangeEventArguments[str]) -> None:
        await self._choose(replace(self._choice, method=Method(event.value)))

    async def _corrections_chosen(self, event: events.ValueChangeEventArguments[bool | None]) -> None:
        await self._choose(replace(self._choice, corrected=bool(event.value)))

    async def _locate(self) -> None:
        """What is chosen now, drawn only if it is still chosen when it is there."""
        self._deadline.abandon()
        self._shown, choice, is_latest = None, self._choice, self._latest.begin()
        self._deadline = deadline = self._visit.parts.locator.deadline()
        if choice.history:
            return await self._draw_history()
        if choice.session is None:
            return await self._show_stations()
        self._busy.set_visibility(True)
        self._hint.set_visibility(False)
        try:
            shown = await self._located(choice, deadline, is_latest)
        finally:
            if is_latest():
                self._busy.set_visibility(False)
        if is_latest():
            self._shown = shown
            self._draw()

    async def _located(self, choice: Choice, deadline: Deadline, is_latest: Callable[[], bool]) -> Shown | None:
        """None, with the reason said, where it cannot be located; None in silence where nobody wants to see it any more."""
        queued = await self._visit.do(Role.VIEWER, self._queued, choice, deadline)
        if queued is None:
            return None
        try:
            return await asyncio.wrap_future(queued)
        except FAILURES as error:
            if is_latest():
                self._visit.tell(error)
        return None

    def _queued(self, choice: Choice, deadline: Deadline) -> Future[Shown]:
        parts = self._visit.parts
        parts.rate.check(self._visit.who.id or self._visit.who.name)
        return parts.locator.run(lambda: locate_chosen(parts, choice, deadline), deadline)

    async def _show_stations(self) -> None:
        def known() -> Scene:
            with self._visit.parts.store.reading() as session:
                return receivers_scene(registered.find(session))

        is_latest = self._latest.begin()
        scene = await self._visit.do(Role.VIEWER, known)
        if is_latest():
            self._busy.set_visibility(False)
            self._draw_nothing(scene or EMPTY)

    async def _draw_history(self) -> None:
        self._draw_nothing()
        self._busy.set_visibility(False)
        self._hint.set_visibility(False)
        with self._details:
            await self._history.build()

    def _draw_nothing(self, scene: Scene = EMPTY) -> None:
        self._map.show(scene)
        self._hint.set_visibility(True)
        self._downloads.set_visibility(False)
        self._stepper.clear()
        self._details.clear()

    def _draw(self) -> None:
        if self._shown is None:
            return self._draw_nothing()
        shown = self._shown
        self._map.show(shown.scene)
        self._downloads.set_visibility(True)
        for suffix in _OF_ONE:
            self._buttons[suffix].set_visibility(shown.details is not None)
        self._corrections.set_visibility(shown.has_corrections or not self._choice.corrected)
        self._stepper.clear()
        with self._stepper:
            if shown.count > 1:
                fix_panel.stepper(self._choice, shown.count, self._pick_fix, self._show_every)
        self._details.clear()
        with self._details:
            if shown.details is None:
                fix_panel.show_every(shown.name, shown.rows, shown.count, self._pick_fix)
            else:
                fix_panel.show(shown.answer, shown.details)

    async def _download(self, suffix: str) -> None:
        if self._shown is None:
            return
        shown = self._shown
        content = await self._visit.do(Role.VIEWER, shown.answer.to_bytes, f".{suffix}")
        if content is not None:
            ui.download.content(content, f"{file_name(shown.name)}.{suffix}")

    async def _copy_link(self) -> None:
        clipboard.copy(await ui.run_javascript("location.href"), "Link copied")
