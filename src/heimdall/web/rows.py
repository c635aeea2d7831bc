"""A list that is looked at again and again: a row stays the element it was while its content changes.

An open menu, the keyboard's focus and the place on the page would be lost if the list were drawn anew.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from nicegui import ui

from heimdall.web.layout import empty
from heimdall.web.words import count

State = TypeVar("State")
StateShown = TypeVar("StateShown", contravariant=True)


class Row(Protocol[StateShown]):
    """One row on the page."""

    element: ui.element

    def show(self, state: StateShown) -> None:
        """Put into the row what the state says."""


def show_current(row: ui.element, pick: ui.element, current: bool) -> None:
    """Mark the row that is looked at; `pick` is the button that chooses it."""
    row.classes(**{"add" if current else "remove": "current"})
    pick.props["aria-pressed"] = "true" if current else "false"


@dataclass(frozen=True)
class Pick:
    """One of several things to look at."""

    id: str
    html: str
    current: bool


class PickRow:
    """A `Pick` on the page; `choose` is told which was picked."""

    def __init__(self, choose: Callable[[str], object]) -> None:
        with ui.element("div").classes("row") as self.element:
            with ui.element("button").classes("pick").props("type=button") as self._button:
                self._content = ui.html("", sanitize=False)
            self._button.on("click", lambda: choose(self._id))

    def show(self, state: Pick) -> None:
        self._id = state.id
        self._content.set_content(state.html)
        show_current(self.element, self._button, state.current)


class Pages:
    """Through a long list page by page; `go` is told how many rows lie before the page."""

    def __init__(self, noun: str, go: Callable[[int], Awaitable[None]]) -> None:
        self._noun = noun
        self._go = go
        self._shown: tuple[int, int, int] | None = None

    def build(self) -> None:
        self._box = ui.element("div").classes("pages")

    def show(self, total: int, offset: int, limit: int) -> None:
        """Nothing where one page holds them all."""
        if self._shown == (total, offset, limit):
            return
        self._shown = total, offset, limit
        self._box.clear()
        pages, number = math.ceil(total / limit), offset // limit
        if pages < 2:
            return
        with self._box:
            self._button("chevron_left", "Previous page", offset - limit).set_enabled(number > 0)
            ui.label(f"page {number + 1} of {pages}, {count(total, self._noun)}").classes("muted")
            self._button("chevron_right", "Next page", offset + limit).set_enabled(number + 1 < pages)

    def _button(self, icon: str, name: str, offset: int) -> ui.button:
        button = ui.button(icon=icon, on_click=lambda: self._go(offset))
        return button.props(f'flat round dense aria-label="{name}"')


class Rows(Generic[State]):
    """`make` builds an empty row, in the container that is open; `key` tells the rows apart."""

    def __init__(self, make: Callable[[], Row[State]], key: Callable[[State], str]) -> None:
        self._make = make
        self._key = key
        self._rows: dict[str, Row[State]] = {}
        self._shown: dict[str, State] = {}
        self._nothing: tuple[str, str] | None = None

    def build(self, classes: str = "") -> None:
        self._empty = ui.element("div")
        self._container = ui.element("div").classes(classes)

    def show(
        self, states: Sequence[State], nothing: tuple[str, str], *, below: Callable[[], None] | None = None
    ) -> None:
        """The rows in this order; `nothing` is the title and the text where there is none, with what `below` adds."""
        self._show_nothing(None if states else nothing, below)
        wanted = {self._key(state): state for state in states}
        for gone in self._rows.keys() - wanted.keys():
            self._rows.pop(gone).element.delete()
            del self._shown[gone]
        for index, (key, state) in enumerate(wanted.items()):
            self._put(index, key, state)

    def _show_nothing(self, nothing: tuple[str, str] | None, below: Callable[[], None] | None) -> None:
        if nothing == self._nothing:
            return
        self._nothing = nothing
        self._empty.clear()
        if nothing is not None:
            with self._empty:
                empty(*nothing)
                if below is not None:
                    below()

    def _put(self, index: int, key: str, state: State) -> None:
        if key not in self._rows:
            with self._container:
                self._rows[key] = self._make()
        row = self._rows[key]
        if self._container.default_slot.children[index] is not row.element:
            row.element.move(target_index=index)
        if key not in self._shown or self._shown[key] != state:
            self._shown[key] = state
            row.show(state)
