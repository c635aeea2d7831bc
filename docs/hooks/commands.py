"""The reference of the command line, from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer

from heimdall.cli import app as frame

_HEAD = """# Commands

Every command takes `--json`: one JSON document on standard output, everything else on standard error. `-v` anywhere shows
the traceback of an error.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | the command ran and found a fault |
| 2 | the input or the call is wrong; one line says what and what to do |
| 73 | the disk is full; what was written before is whole |
| 75 | a training or evaluation was stopped and can be resumed |
| 130 | stopped by Ctrl-C |

"""

_WORDS = {Path: "PATH", str: "TEXT", int: "INTEGER", float: "NUMBER"}


def page() -> str:
    frame._register_commands([])
    root: Any = typer.main.get_command(frame.app)
    return _HEAD + "\n".join(_sections(root, "heimdall"))


def _sections(group: Any, path: str) -> Iterator[str]:
    for name in sorted(group.commands):
        command = group.commands[name]
        title = f"{path} {name}"
        yield _section(command, title)
        if hasattr(command, "commands"):
            yield from _sections(command, title)


def _section(command: Any, title: str) -> str:
    rows = [_row(parameter) for parameter in command.params if not getattr(parameter, "hidden", False)]
    table = ["| argument or option | default | |", "|---|---|---|", *rows] if rows else []
    return "\n".join([f"## {title}\n", command.help or "", "", *table, ""])


def _row(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    if parameter.param_type_name == "argument":
        names = f"`{parameter.name.upper()}{'...' if parameter.nargs == -1 else ''}`"
    kind = "" if getattr(parameter, "is_flag", False) else f" {_kind(parameter)}"
    text = " ".join((parameter.help or "").split())
    return f"| {names}{kind} | {_default(parameter)} | {_escaped(text)} |"


def _kind(parameter: Any) -> str:
    """A word for the type of the value, or the values it can take."""
    kind = parameter.type_descriptor.annotation
    while get_origin(kind) is list:
        kind = get_args(kind)[0]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " \\| ".join(f"`{choice.value}`" for choice in kind)
    if get_origin(kind) is Literal:
        return " \\| ".join(f"`{choice}`" for choice in get_args(kind))
    return _WORDS.get(kind, "")


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    value = parameter.default
    if value in (None, (), [], False, True) or callable(value) or "UNSET" in repr(value):
        return ""
    return f"`{getattr(value, 'value', value)}`"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*_", "\\*_").replace("<", "&lt;")
