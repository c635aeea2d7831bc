"""The clipboard of the person's computer."""

from __future__ import annotations

from nicegui import ui


def copy(text: str, told: str = "Copied") -> None:
    """Puts the text there and says so."""
    ui.clipboard.write(text)
    ui.notify(told, type="positive", position="bottom")
