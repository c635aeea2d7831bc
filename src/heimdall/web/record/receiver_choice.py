"""Which receivers are to be recorded: a list with boxes to tick, and what the map shows of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from nicegui import ui

from heimdall.service.receivers.online_schemas import OnlineView
from heimdall.web import words
from heimdall.web.map.evidence_grid import box_of
from heimdall.web.map.fix_view import EMPTY, Scene
from heimdall.web.receivers.online_view import is_usable, short_text
from heimdall.web.rows import Rows

_MARGIN = 1.2


class ReceiverChoice:
    """All that are ready are chosen at first. `changed` is called when somebody chooses otherwise."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._refused: set[str] = set()
        self._asked_for: set[str] = set()
        self.receivers: list[OnlineView] = []
        self._rows = Rows(lambda: _Choice(self._set), key=lambda state: state.name)

    def build(self) -> None:
        self._count = ui.label("").classes("muted").props("role=status")
        self._rows.build("choices")

    @property
    def chosen(self) -> list[str]:
        """Names."""
        return [each.name for each in self.receivers if self._is_chosen(each)]

    def _is_chosen(self, receiver: OnlineView) -> bool:
        if not receiver.enabled or receiver.name in self._refused:
            return False
        return is_usable(receiver) or receiver.name in self._asked_for

    def show(self, receivers: list[OnlineView]) -> None:
        self.receivers = receivers
        self._draw()

    def turn(self, name: str) -> None:
        """Choose a receiver that is not chosen, and the other way round."""
        self._set(name, name not in self.chosen)

    def _set(self, name: str, wanted: bool) -> None:
        (self._asked_for.add if wanted else self._asked_for.discard)(name)
        (self._refused.discard if wanted else self._refused.add)(name)
        self._draw()
        self._changed()

    def scene(self) -> Scene:
        return choice_scene(self.receivers, self.chosen)

    def _draw(self) -> None:
        chosen = self.chosen
        known = words.count(len(self.receivers), "receiver")
        self._count.set_text(f"{len(chosen)} of {known} chosen" if self.receivers else "")
        states = [_State(each.name, short_text(each), each.enabled, each.name in chosen) for each in self.receivers]
        self._rows.show(states, ("No receivers yet", "Add some on the page Receivers."))


@dataclass(frozen=True)
class _State:
    name: str
    about: str
    enabled: bool
    chosen: bool


class _Choice:
    """A receiver with its box to tick."""

    def __init__(self, set_chosen: Callable[[str, bool], None]) -> None:
        self._set_chosen = set_chosen
        with ui.element("div").classes("choice") as self.element:
            self._box = ui.checkbox(on_change=lambda event: self._ticked(bool(event.value))).props("dense")
            self._about = ui.label("").classes("muted")

    def show(self, state: _State) -> None:
        self._state = state
        self._box.set_text(state.name)
        self._box.set_value(state.chosen)
        self._box.set_enabled(state.enabled)
        self._about.set_text(state.about)

    def _ticked(self, chosen: bool) -> None:
        if chosen != self._state.chosen:  # by the person, not by show
            self._set_chosen(self._state.name, chosen)


def choice_scene(receivers: Sequence[OnlineView], chosen: Sequence[str]) -> Scene:
    """Shows the receivers whose position is known; one that cannot be recorded now is pale."""
    placed = [each for each in receivers if each.latitude_deg is not None and each.longitude_deg is not None]
    if not placed:
        return EMPTY
    points = np.array([[each.longitude_deg, each.latitude_deg] for each in placed], dtype=float)
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [each.longitude_deg, each.latitude_deg]},
            "properties": {
                "kind": "receiver",
                "name": each.name,
                "used": is_usable(each),
                "chosen": each.name in chosen,
                "title": f"{each.name}: {short_text(each)}; {'chosen' if each.name in chosen else 'not chosen'}",
            },
        }
        for each in placed
    ]
    return {"features": features, "evidence": None, "bounds": box_of(points, _MARGIN).to_bounds()}
