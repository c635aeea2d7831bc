"""The page of known transmitters: searched, added, edited, removed, imported and exported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from fastapi import Request
from nicegui import ui
from nicegui.elements.upload_files import FileUpload
from sqlalchemy.orm import Session

from heimdall.errors import InputError
from heimdall.formats.transmitters import MOST_BYTES, SUFFIXES, from_bytes, to_text
from heimdall.service.auth import Role
from heimdall.service.transmitters import listed
from heimdall.service.transmitters.listed import Listed
from heimdall.transmitter import KnownTransmitter
from heimdall.web import dialogs, words
from heimdall.web.layout import frame, panel
from heimdall.web.page_session import Visit, arrive
from heimdall.web.rows import Pages, Rows
from heimdall.web.sign_in import Entry, to_sign_in
from heimdall.web.transmitters.transmitter_form import ask_transmitter
from heimdall.web.transmitters.transmitters_view import Wanted, read_wanted, transmitter_html
from heimdall.web.uploader import Uploader

LOOK_EVERY_S = 5.0


def register(entry: Entry) -> None:
    @ui.page("/transmitters")
    async def show(request: Request) -> object:
        visit = arrive(entry, request)
        if visit is None:
            return to_sign_in(request)
        page = TransmittersPage(visit)
        with frame(visit, "Transmitters"):
            page.build()
        ui.timer(0, page.look, once=True)
        ui.timer(LOOK_EVERY_S, page.look)
        return None


class TransmittersPage:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._wanted = Wanted()
        self._pages = Pages("transmitter", self._turn)
        self._rows = Rows(self._make_row, key=lambda found: found.id)

    def build(self) -> None:
        with ui.element("div").classes("stack"):
            if self._visit.may(Role.OPERATOR):
                self._build_changes()
            self._build_export()
        with panel("Known transmitters", hint="to check fixes, to set clocks, and to name what was found"):
            self._build_filter()
            self._count = ui.label("").classes("muted").props("role=status")
            self._rows.build()
            self._pages.build()

    def _build_changes(self) -> None:
        with panel("Add"):
            ui.button("Add a transmitter", icon="add", on_click=self._add).props("unelevated no-caps")
            label, limit_bytes = f"Import a list ({', '.join(SUFFIXES)})", self._visit.parts.settings.upload_mb * 1e6
            suffixes = ",".join(SUFFIXES)
            Uploader(
                self._visit,
                label,
                "Import transmitters",
                self._uploaded,
                min(limit_bytes, MOST_BYTES),
                accept=suffixes,
            )
            ui.label("Transmitters of the same name are replaced.").classes("muted")

    def _build_export(self) -> None:
        with panel("Export"), ui.element("div").classes("buttons"):
            for suffix, name in zip(SUFFIXES, ("CSV", "GeoJSON", "JSON"), strict=True):
                button = ui.button(name, icon="download", on_click=lambda suffix=suffix: self._export(suffix))
                button.props("outline dense no-caps")

    def _build_filter(self) -> None:
        with ui.element("div").classes("tools"):
            self._text = ui.input(placeholder="Search name or source", on_change=self._filter)
            self._text.props('dense outlined clearable debounce=300 aria-label="Search transmitters"').classes("medium")
            self._low, self._high = ui.input("From, in Hz"), ui.input("To, in Hz")
            for field in (self._low, self._high):
                field.props("dense outlined").classes("narrow")
                field.on("keydown.enter", self._filter).on("blur", self._filter)

    async def look(self) -> None:
        """What is new since the last look."""
        found = await self._visit.do(Role.VIEWER, self._find)
        if found is None:
            return
        wanted = self._wanted
        offset = wanted.offset if wanted.offset < len(found) else 0  # others may have removed what was there
        self._count.set_text(words.count(len(found), "transmitter") if wanted.filters and found else "")
        self._rows.show(found[offset : offset + wanted.limit], ("None found", "The filter leaves no transmitter."))
        self._pages.show(len(found), offset, wanted.limit)

    def _find(self) -> list[Listed]:
        with self._visit.parts.store.reading() as session:
            between = listed.find(session, self._wanted.low_hz, self._wanted.high_hz)
        return [each for each in between if self._wanted.keeps(each)]

    async def _filter(self) -> None:
        try:
            wanted = read_wanted(self._text.value or "", self._low.value or "", self._high.value or "")
        except InputError as error:
            return self._visit.complain(str(error))
        if wanted != replace(self._wanted, offset=0):
            self._wanted = wanted
            await self.look()

    async def _turn(self, offset: int) -> None:
        self._wanted = replace(self._wanted, offset=offset)
        await self.look()

    def _make_row(self) -> _TransmitterRow:
        return _TransmitterRow(self._visit.may(Role.OPERATOR), self._edit, self._ask_delete)

    def _add(self) -> None:
        async def save(given: KnownTransmitter) -> bool:
            return await self._change(lambda session: listed.add(session, given, self._visit.who.name))

        ask_transmitter(self._visit, "Add a transmitter", None, save)

    def _edit(self, found: Listed) -> None:
        async def save(given: KnownTransmitter) -> bool:
            return await self._change(lambda session: listed.change(session, found.id, given))

        ask_transmitter(self._visit, f"Edit {found.transmitter.name}", found.transmitter, save)

    def _ask_delete(self, found: Listed) -> None:
        dialogs.confirm(f"Remove {found.transmitter.name}?", "Remove", lambda: self._delete(found))

    async def _delete(self, found: Listed) -> None:
        await self._change(lambda session: listed.delete(session, found.id))

    async def _change(self, work: Callable[[Session], object]) -> bool:
        done = await self._visit.change(Role.OPERATOR, work)
        if done:
            await self.look()
        return done

    async def _export(self, suffix: str) -> None:
        name = f"transmitters{suffix}"

        def write() -> bytes:
            with self._visit.parts.store.reading() as session:
                return to_text(name, [each.transmitter for each in listed.find(session)]).encode()

        content = await self._visit.do(Role.VIEWER, write)
        if content is not None:
            ui.download.content(content, name)

    async def _uploaded(self, files: Sequence[FileUpload]) -> None:
        content = await files[0].read()

        def apply() -> int:
            given = from_bytes(files[0].name, content)
            with self._visit.parts.store.writing() as session:
                return listed.add_all(session, given, self._visit.who.name)

        count = await self._visit.do(Role.OPERATOR, apply)
        if count is not None:
            ui.notify(f"{words.count(count, 'transmitter')} imported", type="positive", position="bottom")
            await self.look()


class _TransmitterRow:
    """A transmitter in the list, with what an operator can do with one that somebody added."""

    def __init__(self, operator: bool, edit: Callable[[Listed], None], delete: Callable[[Listed], None]) -> None:
        self._actions = {"Edit": edit, "Remove": delete} if operator else {}
        self._found: Listed | None = None
        with ui.element("div").classes("station") as self.element:
            self._content = ui.html("", sanitize=False).classes("grow")

    def show(self, found: Listed) -> None:
        if self._found is None and not found.shipped:
            self._build_buttons()
        self._found = found
        self.element.props["data-transmitter"] = found.transmitter.name
        self._content.set_content(transmitter_html(found))

    def _build_buttons(self) -> None:
        with self.element, ui.element("div").classes("buttons"):
            for name, action in self._actions.items():
                ui.button(name, on_click=lambda action=action: action(self._found)).props("flat dense no-caps")
