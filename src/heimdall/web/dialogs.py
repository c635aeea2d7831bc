"""Dialogs that several pages share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from nicegui import ui


def dialog_named(name: str) -> ui.dialog:
    """An open dialog with the name that a screen reader says."""
    dialog = ui.dialog(value=True)
    dialog.props["aria-label"] = name
    return dialog


def confirm(question: str, action: str, go: Callable[[], Awaitable[None]], *, otherwise: str = "Cancel") -> None:
    """A dialog before something that cannot be undone."""
    with dialog_named(question) as dialog, ui.card().classes("ask"):
        ui.label(question)

        async def agreed() -> None:
            dialog.close()
            await go()

        with ui.element("div").classes("buttons"):
            ui.button(otherwise, on_click=dialog.close).props("flat no-caps autofocus")
            ui.button(action, on_click=agreed).props("unelevated no-caps color=negative")


def ask(
    title: str, label: str, value: str, answer: Callable[[str], Awaitable[bool]], *, offers: Sequence[str] = ()
) -> None:
    """A dialog with one line of text; it closes when `answer` is content, or when nothing was changed.

    `offers` are texts that a click puts into the line.
    """
    with dialog_named(title) as dialog, ui.card().classes("ask"):
        ui.label(title).classes("title")
        field = ui.input(label, value=value).props("outlined dense autofocus").classes("wide")

        async def save() -> None:
            text = field.value or ""
            if text == value or await answer(text):
                dialog.close()

        field.on("keydown.enter", save)
        if offers:
            with ui.element("div").classes("offers").props('role=group aria-label="Offered"'):
                for each in offers:
                    ui.button(each, on_click=partial(field.set_value, each)).props("outline dense no-caps")
        with ui.element("div").classes("buttons"):
            ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
            ui.button("Save", on_click=save).props("unelevated no-caps")


def text_input(label: str, value: str) -> ui.input:
    """A field of a form in a dialog."""
    return ui.input(label, value=value).props("outlined dense").classes("wide")
