"""The map: NiceGUI's own copy of Leaflet, drawn on by map.js. Nothing comes from another host unless tiles are configured."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from nicegui.element import Element
from nicegui.elements.leaflet import leaflet

from heimdall.web.map.fix_view import EMPTY, Scene
from heimdall.web.map.measure import LatLon, drawing

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
        self._props["measured"] = None
        self._points: list[LatLon] | None = None
        self.on("place", lambda event: self._clicked(float(event.args[0]), float(event.args[1])))

    def show(self, scene: Scene) -> None:
        self._props["scene"] = scene
        self.update()

    def show_evidence(self, shown: bool) -> None:
        self._props["evidence"] = shown
        self.update()

    def zoom_to(self, what: str) -> None:
        """Zooms to `all` or to the `region`."""
        self.run_method("zoomTo", what)

    def on_receiver(self, pick: Callable[[str], None]) -> None:
        """`pick` is told the name of a receiver that was clicked."""
        self.on("receiver", lambda event: pick(str(event.args)))

    def go_to(self, place: LatLon, name: str, zoom: int) -> None:
        """Show a place in the middle, at least so large, with a mark."""
        self.run_method("goTo", {"latitude": place[0], "longitude": place[1], "name": name, "zoom": zoom})

    def forget_place(self) -> None:
        self.run_method("forget")

    def measure(self, on: bool) -> None:
        """Switches measuring by two clicks on or off; what was measured goes when it is switched off."""
        self._points = [] if on else None
        self._draw_measured()

    def _clicked(self, latitude_deg: float, longitude_deg: float) -> None:
        if self._points is None:
            return
        before = self._points if len(self._points) < 2 else []
        self._points = [*before, (latitude_deg, longitude_deg)]
        self._draw_measured()

    def _draw_measured(self) -> None:
        self._props["measured"] = drawing(self._points or [])
        self.update()
