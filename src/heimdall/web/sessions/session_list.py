"""The stored sessions: found by name, in pages, with what can be done to each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from nicegui import events, ui

from heimdall.service.auth import Role
from heimdall.service.database.tables import StoredSession
from heimdall.service.storage import retention, sessions
from heimdall.service.storage.retention import Amount
from heimdall.service.storage.sessions import Sort, Wanted
from heimdall.service.storage.uploads import receiving
from heimdall.web import words
from heimdall.web.layout import panel
from heimdall.web.page_session import Visit
from heimdall.web.rows import Pages, Rows, show_current
from heimdall.web.sessions import example_session
from heimdall.web.sessions.session_actions import SessionActions
from heimdall.web.sessions.session_bin import SessionBin
from heimdall.web.sessions.session_row import SessionRow, row_of

LOOK_EVERY_S = 5.0
"""How soon a page learns of what another browser or the API has changed."""
_SORTS = {Sort.NEWEST: "newest first", Sort.OLDEST: "oldest first", Sort.NAME: "by name", Sort.LARGEST: "largest first"}


class SessionList:
    """`chosen` says which session is looked at; `choose` looks at another, `changed` is told what was edited or deleted."""

    def __init__(
        self,
        visit: Visit,
        chosen: Callable[[], str | None],
        choose: Callable[[str], Awaitable[None]],
        changed: Callable[[str, bool], Awaitable[None]],
    ) -> None:
        self._visit = visit
        self._chosen = chosen
        self._choose = choose
        self._changed = changed
        self._wanted = Wanted()
        self._marked: dict[str, SessionRow] = {}
        """Sessions with a tick, also on other pages of the list."""
        self._actions = SessionActions(visit, self._told, self._offer_undo)
        self._bin = SessionBin(visit, self._actions.restore, self.look)
        self._pages = Pages("session", lambda offset: self._want(replace(self._wanted, offset=offset)))
        self._rows = Rows(lambda: _Row(choose, self._mark, self._actions), key=lambda state: state.row.id)

    def build(self) -> None:
        with panel("Sessions"):
            with ui.element("div").classes("list-tools"):
                search = ui.input(placeholder="Search name or person", on_change=self._searched)
                search.props('dense outlined clearable debounce=300 aria-label="Search sessions"').classes("wide")
                sort = ui.select({each.value: name for each, name in _SORTS.items()}, value=Sort.NEWEST.value)
                sort.props('dense outlined options-dense aria-label="Order"').on_value_change(self._sorted)
                ui.checkbox("transmitter known", on_change=self._filtered).props("dense")
            self._undo = ui.element("div").classes("undo").props("role=status")
            self._bar = ui.element("div").classes("marked")
            self._rows.build("list")
            self._pages.build()
            self._bin_button = ui.button("Bin", icon="delete_outline", on_click=self._bin.open)
            self._bin_button.props("flat dense no-caps").classes("quiet")

    async def look(self) -> None:
        """Fill the list, or what is new in it."""
        found = await self._visit.do(Role.VIEWER, self._find)
        if found is None:
            return
        stored, total, binned = found
        self._bin_button.set_text(_bin_text(binned))
        self._show(stored)
        self._pages.show(total, self._wanted.offset, self._wanted.limit)

    def _show(self, stored: Sequence[StoredSession]) -> None:
        chosen = self._chosen()
        states = [_State(row, row.id == chosen, row.id in self._marked) for row in map(row_of, stored)]
        if self._wanted.text or self._wanted.known:
            self._rows.show(states, ("None found", "No session has this name, or the filter leaves none."))
        else:
            nothing = "No session yet", "What is uploaded stays here, to be located again."
            self._rows.show(states, nothing, below=self._offer_example)

    def _find(self) -> tuple[Sequence[StoredSession], int, Amount]:
        with self._visit.parts.store.reading() as session:
            return *sessions.search(session, self._wanted), retention.bin_amount(session)

    async def _want(self, wanted: Wanted) -> None:
        self._wanted = wanted
        await self.look()

    async def _searched(self, event: events.ValueChangeEventArguments[str | None]) -> None:
        await self._want(replace(self._wanted, text=event.value or "", offset=0))

    async def _sorted(self, event: events.ValueChangeEventArguments[str]) -> None:
        await self._want(replace(self._wanted, sort=Sort(event.value), offset=0))

    async def _filtered(self, event: events.ValueChangeEventArguments[bool | None]) -> None:
        await self._want(replace(self._wanted, known=bool(event.value), offset=0))

    def _offer_example(self) -> None:
        if self._visit.may(Role.OPERATOR):
            ui.button("Open an example", on_click=self._open_example).props("outline no-caps").classes("go")

    async def _open_example(self) -> None:
        stored_id = await self._visit.do(Role.OPERATOR, self._store_example)
        if stored_id is not None:
            await self._choose(stored_id)

    def _store_example(self) -> str:
        parts = self._visit.parts
        with receiving(parts.settings) as upload:
            example_session.put_example(upload)
            summary = sessions.prepare(upload)
            name, by = example_session.NAME, self._visit.who.name
            return sessions.add(parts.store, parts.settings, upload, summary, name=name, created_by=by).id

    def _mark(self, row: SessionRow, marked: bool) -> None:
        self._marked.pop(row.id, None)
        if marked:
            self._marked[row.id] = row
        self._draw_bar()

    def _draw_bar(self) -> None:
        """What can be done with all that have a tick."""
        self._bar.clear()
        rows = list(self._marked.values())
        if not rows:
            return
        with self._bar:
            size = words.bytes_text(sum(row.size_bytes for row in rows))
            ui.label(f"{len(rows)} selected, {size}").classes("muted")
            self._bar_button("Download", lambda: self._actions.download(rows))
            if self._visit.may(Role.OPERATOR):
                pinned = all(row.pinned for row in rows)
                self._bar_button("Unpin" if pinned else "Pin", lambda: self._actions.pin(rows, not pinned))
                self._bar_button("Delete", lambda: self._actions.delete(rows))
            self._bar_button("Clear", self._clear_marks)

    def _bar_button(self, name: str, action: Callable[[], object]) -> None:
        button = ui.button(name, on_click=action).props("flat dense no-caps")
        button.props["aria-label"] = f"{name} those selected" if name != "Clear" else "Clear the selection"

    async def _clear_marks(self) -> None:
        self._marked.clear()
        self._draw_bar()
        await self.look()

    def _offer_undo(self, rows: Sequence[SessionRow]) -> None:
        self._undo.clear()
        if not rows:
            return
        what = f"{rows[0].name} is" if len(rows) == 1 else f"{words.count(len(rows), 'session')} are"
        with self._undo:
            ui.label(f"{what} in the bin").classes("grow")
            ui.button("Undo", on_click=lambda: self._take_back(rows)).props("flat dense no-caps")
            close = ui.button(icon="close", on_click=self._undo.clear).props('flat round dense aria-label="Close"')
            close.classes("quiet")

    async def _take_back(self, rows: Sequence[SessionRow]) -> None:
        if await self._actions.restore([row.id for row in rows]):
            self._undo.clear()
            if len(rows) == 1:
                await self._choose(rows[0].id)

    async def _told(self, session_id: str, gone: bool) -> None:
        """A session is another now, or gone."""
        self._marked.pop(session_id, None)
        self._draw_bar()
        await self.look()
        await self._changed(session_id, gone)


@dataclass(frozen=True)
class _State:
    row: SessionRow
    current: bool
    marked: bool


class _Row:
    """A session in the list."""

    def __init__(
        self,
        choose: Callable[[str], Awaitable[None]],
        mark: Callable[[SessionRow, bool], None],
        actions: SessionActions,
    ) -> None:
        with ui.element("div").classes("row") as self.element:
            self._tick = ui.checkbox(on_change=lambda event: mark(self._row, bool(event.value))).props("dense")
            with ui.element("button").classes("pick").props("type=button") as self._pick:
                self._name = ui.label().classes("strong")
                self._about = ui.label().classes("muted")
                self._stored = ui.label().classes("muted")
            self._pick.on("click", lambda: choose(self._row.id))
            self._show_menu = actions.build_menu(lambda: self._row)

    def show(self, state: _State) -> None:
        row = self._row = state.row
        self._tick.props["aria-label"] = f"Select {row.name}"
        self._tick.set_value(state.marked)
        show_current(self.element, self._pick, state.current)
        self._name.set_text(row.name)
        self._about.set_text(f"{row.about} · pinned" if row.pinned else row.about)
        self._stored.set_text(row.stored)
        self._show_menu()


def _bin_text(binned: Amount) -> str:
    return (
        f"Bin: {words.count(binned.count, 'session')}, {words.bytes_text(binned.size_bytes)}" if binned.count else "Bin"
    )
