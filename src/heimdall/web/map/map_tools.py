"""What can be done on any map: go to a place, measure between two."""

from __future__ import annotations

import math

from nicegui import ui

from heimdall.errors import InputError
from heimdall.web.map.fix_map import FixMap
from heimdall.web.page_session import Visit
from heimdall.web.places import notations, read_place

_ZOOM = 9
"""Zoom at which a city and its surroundings fill the map."""


class MapTools:
    def __init__(self, visit: Visit, fix_map: FixMap, hint: ui.element | None = None) -> None:
        """`hint` lies on the map until one of them is used."""
        self._visit = visit
        self._map = fix_map
        self._hint = hint

    def build(self) -> None:
        self._search = ui.input(placeholder="Degrees, locator, MGRS, UTM").classes("place-search")
        self._search.props('dense outlined clearable aria-label="Go to a place"')
        self._search.on("keydown.enter", self._go).on("clear", self._map.forget_place)
        measure = ui.switch("Measure", on_change=lambda event: self._measure(bool(event.value)))
        measure.tooltip("Click two places: their distance, and the bearing from the first to the second and back")

    def _go(self) -> None:
        try:
            place = read_place(self._search.value or "", math.inf)
        except InputError as error:
            return self._visit.complain(str(error))
        if place is None:
            return self._map.forget_place()
        self._uncover()
        at = place.latitude_deg, place.longitude_deg
        self._map.go_to(at, notations(*at)["degrees"], _ZOOM)

    def _measure(self, on: bool) -> None:
        self._uncover()
        self._map.measure(on)

    def _uncover(self) -> None:
        if self._hint is not None:
            self._hint.set_visibility(False)
