"""The first page: sessions, the map, and the fix of the session that is chosen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

from fastapi import Request
from nicegui import events, ui
from nicegui.elements.upload_files import FileUpload

from heimdall.errors import HeimdallError
from heimdall.service.auth import Role
from heimdall.service.concurrent_locating import Answer, Deadline, Method
from heimdall.service.database.store import StoredSession
from heimdall.service.receivers import registered
from heimdall.service.storage import sessions
from heimdall.service.storage.uploads import Upload, harmless, receiving
from heimdall.web import fix_panel, words
from heimdall.web.entry import Entry, to_sign_in
from heimdall.web.fix_map import FixMap
from heimdall.web.fix_view import EMPTY, Scene, details_of, scene_of, stations_scene
from heimdall.web.frame import empty, frame, panel
from heimdall.web.uploader import Uploader
from heimdall.web.visit import Latest, Visit, arrive

_METHODS = {Method.AUTO: "auto", Method.LIKELIHOOD: "likelihood", Method.LEARNED: "learned"}
_START = "Upload recordings or measurements, or pick a session: the estimate and its regions appear here."


@dataclass(frozen=True)
class Choice:
    """What is looked at; it stands in the page's address."""

    session: str | None = None
    index: int = 0
    method: Method = Method.AUTO

    @property
    def address(self) -> str:
        if self.session is None:
            return "/"
        rest = {"fix": str(self.index + 1)} if self.index else {}
        rest |= {"method": self.method.value} if self.method is not Method.AUTO else {}
        return "/?" + urlencode({"session": self.session} | rest)

    @classmethod
    def read(cls, request: Request) -> Choice:
        query = request.query_params
        index = int(query["fix"]) - 1 if query.get("fix", "").isdigit() else 0
        method = Method(query["method"]) if query.get("method") in list(Method) else Method.AUTO
        return cls(query.get("session"), max(0, index), method)


@dataclass(frozen=True)
class Shown:
    """A located observation, ready to be drawn."""

    answer: Answer
    scene: Scene
    details: fix_panel.Details


def register(entry: Entry) -> None:
    @ui.page("/")
    async def show(request: Request) -> object:
        visit = arrive(entry, request)
        if visit is None:
            return to_sign_in(request)
        page = MapPage(visit, Choice.read(request))
        with frame(visit, "Map"):
            page.build()
        ui.timer(0, page.open, once=True)
        return None


class MapPage:
    def __init__(self, visit: Visit, choice: Choice) -> None:
        self._visit = visit
        self._choice = choice
        self._shown: Shown | None = None
        self._latest = Latest()
        self._deadline = visit.parts.locator.deadline()

    def build(self) -> None:
        settings = self._visit.parts.settings
        with ui.element("aside").classes("side"):
            self._build_upload()
            with panel("Sessions"):
                self._list = ui.element("div").classes("list")
        with ui.element("div").classes("main"):
            with ui.element("div").classes("map-box"):
                self._map = FixMap(settings.tile_url, settings.tile_credit)
                self._hint = ui.label(_START).classes("map-hint")
                self._busy = ui.element("div").classes("map-busy")
                with self._busy:
                    ui.spinner(size="2em")
                    ui.label("Locating …")
                self._busy.set_visibility(False)
            with ui.element("div").classes("tools"):
                self._build_tools()
            self._details = ui.element("div").classes("details")

    async def open(self) -> None:
        """After the page is there: what its address names."""
        await self._fill_list()
        await self._locate()

    def _build_upload(self) -> None:
        if not self._visit.may(Role.OPERATOR):
            return
        limit = self._visit.parts.settings.upload_mb
        with panel("Upload"):
            label, name = "Choose files or drop them here", "Upload recordings"
            Uploader(self._visit, label, name, self._uploaded, limit * 1e6, multiple=True)
            ui.label(
                "A SigMF session, KiwiSDR *_iq.wav with their .txt, a measurement file, or an archive; "
                f"together at most {limit:g} MB."
            ).classes("muted")

    def _build_tools(self) -> None:
        method = ui.select(
            {each.value: name for each, name in _METHODS.items()}, value=self._choice.method.value, label="Method"
        )
        method.props("dense outlined options-dense").classes("narrow").on_value_change(self._method_chosen)
        ui.switch("Evidence", value=True, on_change=lambda event: self._map.show_evidence(bool(event.value)))
        ui.button("All", on_click=lambda: self._map.zoom_to("all")).props("flat dense no-caps").tooltip(
            "Show everything"
        )
        ui.button("Region", on_click=lambda: self._map.zoom_to("region")).props("flat dense no-caps").tooltip(
            "Show the region"
        )
        self._stepper = ui.element("div").classes("stepper")
        ui.space()
        self._downloads = ui.element("div").classes("downloads")
        with self._downloads:
            for suffix, name in (
                ("geojson", "GeoJSON"),
                ("kml", "KML"),
                ("cot", "CoT"),
                ("png", "PNG"),
                ("html", "Report"),
            ):
                ui.button(name, on_click=lambda suffix=suffix: self._download(suffix)).props("outline dense no-caps")
            ui.button("Copy link", icon="link", on_click=self._copy_link).props("flat dense no-caps")
        self._downloads.set_visibility(False)

    async def _uploaded(self, files: Sequence[FileUpload]) -> None:
        stored: StoredSession | None = None
        with receiving(self._visit.parts.settings) as upload:
            try:
                for file in files:
                    await file.save(upload.room_for(file.name, file.size()))
                stored = await self._visit.do(Role.OPERATOR, self._store, upload)
            except HeimdallError as error:
                self._visit.complain(str(error))
        if stored is not None:
            ui.notify(f"Stored as {stored.name}", type="positive", position="bottom")
            await self._choose(Choice(stored.id, 0, self._choice.method))

    def _store(self, upload: Upload) -> StoredSession:
        parts = self._visit.parts
        summary = sessions.prepare(upload)
        return sessions.add(parts.store, parts.settings, upload, summary, name="", created_by=self._visit.who.name)

    async def _choose(self, choice: Choice) -> None:
        self._choice = choice
        ui.navigate.history.replace(choice.address)
        await self._fill_list()
        await self._locate()

    async def _method_chosen(self, event: events.ValueChangeEventArguments[str]) -> None:
        await self._choose(replace(self._choice, method=Method(event.value)))

    async def _fill_list(self) -> None:
        found = await self._visit.do(Role.VIEWER, self._stored)
        self._list.clear()
        with self._list:
            if not found:
                empty("No session yet", "Upload one, or store one over the API: it stays here to be located again.")
            for stored in found or []:
                self._row(stored)

    def _stored(self) -> list[StoredSession]:
        with self._visit.parts.store.reading() as session:
            return list(sessions.find(session))

    def _row(self, stored: StoredSession) -> None:
        summary = sessions.Summary.model_validate(stored.summary)
        current = stored.id == self._choice.session
        with ui.element("div").classes("row current" if current else "row"):
            with (
                ui.element("button")
                .classes("pick")
                .props(f"type=button aria-pressed={'true' if current else 'false'}") as pick
            ):
                ui.label(stored.name).classes("strong")
                ui.label(words.about_session(summary)).classes("muted")
            pick.on("click", lambda: self._choose(Choice(stored.id, 0, self._choice.method)))
            if self._visit.may(Role.OPERATOR):
                with (
                    ui.button(icon="more_vert").props('flat round dense aria-label="More"').classes("quiet"),
                    ui.menu(),
                ):
                    ui.menu_item("Known transmitter …", lambda: self._ask_truth(stored, summary))
                    ui.menu_item("Rename …", lambda: self._ask_name(stored))
                    ui.menu_item("Delete …", lambda: self._ask_delete(stored))

    async def _locate(self) -> None:
        """What is chosen now, drawn only if it is still chosen when it is there."""
        self._deadline.abandon()
        self._shown, choice, is_latest = None, self._choice, self._latest.begin()
        self._deadline = deadline = self._visit.parts.locator.deadline()
        if choice.session is None:
            return await self._show_stations()
        self._busy.set_visibility(True)
        self._hint.set_visibility(False)
        shown = await self._located(choice, deadline, is_latest)
        if is_latest():
            self._busy.set_visibility(False)
            self._shown = shown
            self._draw()

    async def _located(self, choice: Choice, deadline: Deadline, is_latest: Callable[[], bool]) -> Shown | None:
        """None, with the reason said, where it cannot be located; None in silence where nobody wants to see it any more."""
        queued = await self._visit.do(Role.VIEWER, self._queued, choice, deadline)
        if queued is None:
            return None
        try:
            return await asyncio.wrap_future(queued)
        except HeimdallError as error:
            if is_latest():
                self._visit.complain(str(error))
        return None

    def _queued(self, choice: Choice, deadline: Deadline) -> Future[Shown]:
        parts = self._visit.parts
        parts.rate.check(self._visit.who.name)
        return parts.locator.run(lambda: self._work(choice, deadline), deadline)

    def _work(self, choice: Choice, deadline: Deadline) -> Shown:
        parts = self._visit.parts
        assert choice.session is not None
        with parts.store.reading() as session:
            stored = sessions.get(session, choice.session)
        observations = sessions.read(parts.settings, stored)
        index = min(choice.index, len(observations) - 1)
        answer = parts.locator.locate([observations[index]], choice.method, deadline=deadline)
        return Shown(answer, scene_of(answer, 0), fix_panel.Details(*details_of(answer, 0), index, len(observations)))

    async def _show_stations(self) -> None:
        def known() -> Scene:
            with self._visit.parts.store.reading() as session:
                return stations_scene(registered.find(session))

        is_latest = self._latest.begin()
        scene = await self._visit.do(Role.VIEWER, known)
        if is_latest():
            self._busy.set_visibility(False)
            self._draw_nothing(scene or EMPTY)

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
        self._stepper.clear()
        with self._stepper:
            fix_panel.stepper(shown.details, lambda index: self._choose(replace(self._choice, index=index)))
        self._details.clear()
        with self._details:
            fix_panel.show(shown.answer, shown.details)

    async def _download(self, suffix: str) -> None:
        if self._shown is None:
            return
        answer = self._shown.answer
        content = await self._visit.do(Role.VIEWER, answer.to_bytes, f".{suffix}")
        if content is not None:
            ui.download.content(content, f"{Path(harmless(answer.fixes[0].id)).stem}.{suffix}")

    async def _copy_link(self) -> None:
        ui.clipboard.write(await ui.run_javascript("location.href"))
        ui.notify("Link copied", type="positive", position="bottom")

    def _ask_truth(self, stored: StoredSession, summary: sessions.Summary) -> None:
        label = "Latitude, longitude in degrees, height in m if known; empty if nobody knows"
        if summary.truth is None and summary.with_truth:
            own = words.count(summary.with_truth, "observation")
            label = f"{own} with a place of its own: one place typed here replaces them all"
        before = "" if summary.truth is None else words.place_text(summary.truth.to_place())
        words.ask("Known transmitter", label, before, lambda text: self._set_truth(stored, text))

    async def _set_truth(self, stored: StoredSession, text: str) -> bool:
        def change() -> bool:
            parts = self._visit.parts
            truth = words.read_place(text)
            sessions.set_truth(parts.store, parts.settings, stored.id, truth)
            return True

        return await self._changed(await self._visit.do(Role.OPERATOR, change))

    def _ask_name(self, stored: StoredSession) -> None:
        words.ask("Rename", "Name", stored.name, lambda text: self._set_name(stored, text))

    async def _set_name(self, stored: StoredSession, text: str) -> bool:
        def change() -> bool:
            with self._visit.parts.store.writing() as session:
                sessions.rename(session, stored.id, text)
            return True

        return await self._changed(await self._visit.do(Role.OPERATOR, change))

    async def _changed(self, done: bool | None) -> bool:
        if done:
            await self._choose(self._choice)
        return bool(done)

    def _ask_delete(self, stored: StoredSession) -> None:
        question = f"Delete {stored.name} ({words.bytes_text(stored.size_bytes)}) and its recordings?"
        words.confirm(question, "Delete", lambda: self._delete(stored))

    async def _delete(self, stored: StoredSession) -> None:
        def change() -> bool:
            parts = self._visit.parts
            sessions.delete(parts.store, parts.settings, stored.id)
            return True

        if await self._visit.do(Role.OPERATOR, change):
            gone = stored.id == self._choice.session
            await self._choose(Choice(method=self._choice.method) if gone else self._choice)
