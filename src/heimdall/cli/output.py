"""What every command shares: one JSON document on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]

JobsOption = Annotated[
    int | None, typer.Option(min=1, help="Number of processes; by default one per core if there is much to do.")
]
OnOption = Annotated[
    str | None, typer.Option("--on", help="Spread the work over a Ray cluster: ray, ray://HOST:PORT or ray:HOST:PORT.")
]

_LINE_EVERY_S = 20.0
_NOTHING_CUT = 1000
"""Characters: wider than any table of ours."""


_CONTROLS = dict.fromkeys(
    [*(code for code in range(32) if chr(code) not in "\t\n"), *range(127, 160)], "\N{REPLACEMENT CHARACTER}"
)


class _PlainConsole(Console):
    """Names come from data: what they hold is neither markup nor an order to the terminal."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(text.translate(_CONTROLS), **options)


def plain_console(width: int | None = None) -> Console:
    """A console on standard error that prints brackets and colons as they are, and no control characters."""
    return _PlainConsole(stderr=True, markup=False, emoji=False, width=width)


console = plain_console()
"""For progress, tables and remarks; never standard output."""


def print_table(table: Table) -> None:
    """Print it as wide as the terminal, with long cells on several lines; into a file or a pipe, with nothing wrapped."""
    for column in table.columns:
        column.overflow = "fold"
    (console if console.is_terminal else plain_console(_NOTHING_CUT)).print(table)


def print_json(document: Any) -> None:
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")


@contextmanager
def progress(word: str, total: int | None, *, hide: bool) -> Iterator[Callable[[int], None]]:
    """A function to tell how many are done: a bar on a terminal, elsewhere a line now and then, both with the time left.

    `total` may be a guess: once more are done, nobody knows it.
    """
    begun = said = time.monotonic()
    with Progress(console=console, transient=True, disable=hide or not console.is_terminal) as bar:
        task = bar.add_task(word, total=total)

        def report(done: int) -> None:
            nonlocal said, total
            total = total if total is None or done <= total else None
            bar.update(task, completed=done)
            bar.tasks[task].total = total
            now = time.monotonic()
            if hide or console.is_terminal or now - said < _LINE_EVERY_S:
                return
            said = now
            left = "" if not done or total is None else f", {(now - begun) / done * max(total - done, 0):.0f} s left"
            console.print(f"{word}: {done} of {'?' if total is None else total}{left}", highlight=False)

        yield report
