"""The map beside a recording: receivers by their state, and where transmitters were found, by time and frequency."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from nicegui import ui

from heimdall.formats.wording import frequency_text
from heimdall.service.auth import Role
from heimdall.service.database.store import StoredFix
from heimdall.service.receivers.online import OnlineView
from heimdall.service.storage import fixes
from heimdall.service.storage.fixes import Wanted
from heimdall.web.map.evidence_grid import box_of
from heimdall.web.map.fix_map import FixMap
from heimdall.web.map.fix_view import EMPTY, Scene
from heimdall.web.map.tile_file import tile_address
from heimdall.web.page_session import Visit

_ALL = "all frequencies"
_MARGIN = 1.2


class History:
    def __init__(
        self, visit: Visit, receivers: Callable[[], Sequence[OnlineView]], chosen: Callable[[], set[str]]
    ) -> None:
        self._visit = visit
        self._receivers = receivers
        self._chosen = chosen
        self._found: list[StoredFix] = []
        self._scene: Scene | None = None

    def build(self) -> None:
        settings = self._visit.parts.settings
        with ui.element("div").classes("map-box"):
            self._map = FixMap(tile_address(settings), settings.tile_credit, self._open)
        with ui.element("div").classes("tools") as self._tools:
            self._frequency = ui.select([_ALL], value=_ALL, label="Frequency", on_change=self.draw)
            self._frequency.props("dense outlined options-dense").classes("history-frequency")
            self._span = ui.range(min=0, max=1, value={"min": 0, "max": 1}, on_change=self.draw).classes("grow")
            self._span.props('aria-label="Time"')
            self._told = ui.label("").classes("muted")
        self._tools.set_visibility(False)

    async def look(self) -> None:
        found = await self._visit.do(Role.VIEWER, self._find)
        if found is None:
            return
        if [each.id for each in found] != [each.id for each in self._found]:
            self._found = found
            self._fill_tools()
        self.draw()

    def _find(self) -> list[StoredFix]:
        with self._visit.parts.store.reading() as session:
            return [each for each in fixes.find(session, Wanted()) if each.latitude_deg is not None]

    def _fill_tools(self) -> None:
        """The slider's ends follow what is new, unless somebody moved them."""
        self._tools.set_visibility(bool(self._found))
        names = [_ALL, *dict.fromkeys(frequency_text(each.frequency_hz) for each in self._found)]
        self._frequency.set_options(names, value=self._frequency.value if self._frequency.value in names else _ALL)
        last, value = max(1, len(self._found) - 1), self._span.value
        at_end = value["max"] == self._span.max
        self._span.max = last
        self._span.set_value({"min": min(value["min"], last), "max": last if at_end else min(value["max"], last)})

    def draw(self) -> None:
        shown = self._shown()
        scene = history_scene(self._receivers(), self._chosen(), shown)
        if scene != self._scene:
            self._scene = scene
            self._map.show(scene)
        self._told.set_text(told(shown))

    def _shown(self) -> list[StoredFix]:
        first, last = int(self._span.value["min"]), int(self._span.value["max"])
        inside = self._found[first : last + 1]
        return [each for each in inside if self._frequency.value in (_ALL, frequency_text(each.frequency_hz))]

    async def _open(self, index: int) -> None:
        shown = self._shown()
        if index < len(shown):
            ui.navigate.to(f"/?session={shown[index].session_id}")


def history_scene(receivers: Sequence[OnlineView], chosen: set[str], shown: Sequence[StoredFix]) -> Scene:
    """All fixes as points and heat; the newest with its regions."""
    placed = [each for each in receivers if each.latitude_deg is not None]
    features = [_receiver(each, each.name in chosen) for each in placed] + (_newest(shown[-1]) if shown else [])
    points = [(each.longitude_deg, each.latitude_deg) for each in placed]
    points += [(each.longitude_deg, each.latitude_deg) for each in shown]
    if not points:
        return EMPTY
    dots = [
        {"index": index, "name": _name(each), "latitude_deg": each.latitude_deg, "longitude_deg": each.longitude_deg}
        for index, each in enumerate(shown)
    ]
    bounds = box_of(np.array(points, dtype=float), _MARGIN).to_bounds()
    return {"features": features, "fixes": dots, "evidence": None, "bounds": bounds}


def told(shown: Sequence[StoredFix]) -> str:
    if not shown:
        return "no fix in this span"
    first, last = (datetime.fromtimestamp(each.at_unix_s, UTC) for each in (shown[0], shown[-1]))
    return (
        f"{len(shown)} fixes, {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
        if len(shown) > 1
        else _name(shown[0])
    )


def _name(fix: StoredFix) -> str:
    return f"{fix.name}: {fix.status}, {datetime.fromtimestamp(fix.at_unix_s, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _receiver(receiver: OnlineView, chosen: bool) -> dict[str, Any]:
    state = receiver.state
    why = "not chosen" if state is None or state.usable else state.reason
    about = {"kind": "receiver", "name": receiver.name, "used": chosen, "reason": why, "clock": _clock(receiver)}
    place = [receiver.longitude_deg, receiver.latitude_deg]
    return {"type": "Feature", "geometry": {"type": "Point", "coordinates": place}, "properties": about}


def _clock(receiver: OnlineView) -> str:
    return "GPS" if receiver.state is not None and receiver.state.has_gps else "its own"


def _newest(fix: StoredFix) -> list[dict[str, Any]]:
    regions = [
        {
            "type": "Feature",
            "geometry": fix.document[name],
            "properties": {"kind": "region", "probability": probability},
        }
        for name, probability in (("region_95", 0.95), ("region_68", 0.68))
        if fix.document.get(name)
    ]
    place = {"type": "Point", "coordinates": [fix.longitude_deg, fix.latitude_deg]}
    return [*regions, {"type": "Feature", "geometry": place, "properties": {"kind": "estimate"}}]
