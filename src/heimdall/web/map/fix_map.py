"""The map: NiceGUI's own copy of Leaflet, drawn on by map.js. Nothing comes from another host unless tiles are configured."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from nicegui.element import Element
from nicegui.elements.leaflet import leaflet

from heimdall.web.map.fix_view import EMPTY, Scene

_LEAFLET = Path(leaflet.__file__).parent / "dist"


class FixMap(Element, component="map.js", esm={"nicegui-leaflet": str(_LEAFLET)}):
    def __init__(self, tile_url: str | None, tile_credit: str, pick: Callable[[int], Awaitable[None]]) -> None:
        """`pick` is told which of many fixes was clicked."""
        super().__init__()
        self.on("pick", lambda event: pick(int(event.args)))
        self.add_resource(_LEAFLET)
        self._props["tiles"] = {"address": tile_url, "credit": tile_credit} if tile_url else None
        self._props["scene"] = EMPTY
        self._props["evidence"] = True

    def show(self, scene: Scene) -> None:
        self._props["scene"] = scene
        self.update()

    def show_evidence(self, shown: bool) -> None:
        self._props["evidence"] = shown
        self.update()

    def zoom_to(self, what: str) -> None:
        """To `all`, or to the `region`."""
        self.run_method("zoomTo", what)
