"""The history below the map: which fixes, and a slider through their time."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from nicegui import ui

from heimdall.service.auth import Role
from heimdall.service.storage import fix_files
from heimdall.service.storage import fixes as stored_fixes
from heimdall.service.storage.fixes import Wanted
from heimdall.web import words
from heimdall.web.layout import empty, panel
from heimdall.web.map.fix_map import FixMap
from heimdall.web.map.history import SPANS_S, PastFix, history_scene, in_span, past_fix, time_text, wanted_of
from heimdall.web.page_session import Latest, Visit

_STEPS = 1000
_ROWS = 200
_FILES = {"csv": ("CSV", fix_files.to_csv), "geojson": ("GeoJSON", fix_files.to_geojson)}
_COLUMNS = {"time": "time, UTC", "frequency": "frequency", "status": "status", "place": "position"}


class HistoryPanel:
    """`pick` opens the session that a fix belongs to."""

    def __init__(self, visit: Visit, fix_map: FixMap, pick: Callable[[str], Awaitable[None]]) -> None:
        self._visit = visit
        self._map = fix_map
        self._pick = pick
        self._fixes: list[PastFix] = []
        self._ends = [0, _STEPS]
        self._latest = Latest()

    async def build(self) -> None:
        with panel("History", hint="fixes of all recordings"):
            with ui.element("div").classes("tools"):
                self._span = ui.select(SPANS_S, value="86400", label="Time", on_change=self.look)
                self._low = ui.input("From, in Hz")
                self._high = ui.input("To, in Hz")
                for field in (self._span, self._low, self._high):
                    field.props("dense outlined options-dense").classes("narrow")
                for field in (self._low, self._high):
                    field.on("keydown.enter", self.look).on("blur", self.look)
                for suffix, (name, _) in _FILES.items():
                    button = ui.button(name, icon="download", on_click=lambda suffix=suffix: self._download(suffix))
                    button.props("outline dense no-caps").tooltip("The fixes that are shown, as a file")
            self._count = ui.label("").classes("muted").props("role=status")
            with ui.element("div").classes("slider") as self._slider:
                self._build_end("From", 0)
                self._build_end("To", 1)
            self._list = ui.element("div")
        await self.look()

    def _build_end(self, name: str, which: int) -> None:
        with ui.element("label"):
            ui.label(name)
            end = ui.element("input").props(
                f'type=range min=0 max={_STEPS} value={self._ends[which]} aria-label="{name}"'
            )
            end.on(
                "input",
                lambda event: self._moved(which, int(event.args)),
                js_handler="(event) => emit(event.target.value)",
                throttle=0.1,
            )

    async def look(self) -> None:
        is_latest = self._latest.begin()
        found = await self._visit.do(Role.VIEWER, self._find)
        if found is not None and is_latest() and not self._list.is_deleted:
            self._fixes = found
            self._draw(stay=False)

    def _find(self) -> list[PastFix]:
        with self._visit.parts.store.reading() as session:
            return [past_fix(each) for each in stored_fixes.find(session, self._wanted())]

    def _wanted(self) -> Wanted:
        return wanted_of(self._span.value or "", self._low.value or "", self._high.value or "", time.time())

    async def _download(self, suffix: str) -> None:
        since_s, until_s = self._limits()

        def write() -> bytes:
            wanted = replace(self._wanted(), since_unix_s=since_s, until_unix_s=until_s)
            with self._visit.parts.store.reading() as session:
                return _FILES[suffix][1](stored_fixes.find(session, wanted))

        if self._fixes and (content := await self._visit.do(Role.VIEWER, write)) is not None:
            ui.download.content(content, f"fixes.{suffix}")

    def _moved(self, which: int, step: int) -> None:
        self._ends[which] = step
        self._draw(stay=True)

    async def picked(self, index: int) -> None:
        if index < len(self._fixes):
            await self._pick(self._fixes[index].session_id)

    def _draw(self, *, stay: bool) -> None:
        since_s, until_s = self._limits()
        shown = in_span(self._fixes, since_s, until_s)
        self._map.show(history_scene(self._fixes, shown, stay=stay))
        self._slider.set_visibility(len(self._fixes) > 1)
        self._count.set_text(self._told(len(shown), since_s, until_s))
        self._list.clear()
        with self._list:
            if not self._fixes:
                empty("No fix in this time and band", "Record on the page Record, or choose a longer time.")
            else:
                self._draw_table(shown)

    def _limits(self) -> tuple[float, float]:
        """Limits of what the slider leaves, whichever way round its ends are."""
        times_s = [fix.at_unix_s for fix in self._fixes] or [0.0]
        first_s, last_s = min(times_s), max(times_s)
        low_s, high_s = (first_s + (last_s - first_s) * end / _STEPS for end in sorted(self._ends))
        return low_s, high_s if max(self._ends) < _STEPS else last_s

    def _told(self, shown: int, since_s: float, until_s: float) -> str:
        if not self._fixes:
            return ""
        return f"{words.count(shown, 'fix', 'fixes')}, {time_text(since_s)} to {time_text(until_s)} UTC"

    def _draw_table(self, shown: list[int]) -> None:
        rows = [self._fixes[index].to_row(index) for index in reversed(shown[-_ROWS:])]
        columns = [{"name": key, "label": label, "field": key, "align": "left"} for key, label in _COLUMNS.items()]
        table = ui.table(rows=rows, columns=columns, row_key="index", pagination=10).props("flat dense")
        table.classes("fixes").on("rowClick", lambda event: self.picked(int(event.args[1]["index"])))
