"""The table of settings in the documentation, from the settings themselves."""

from __future__ import annotations

from pydantic.fields import FieldInfo

from heimdall.service.settings import PREFIX, Settings


def settings_table() -> str:
    rows = [_row(name, field) for name, field in Settings.model_fields.items()]
    return "\n".join(["| variable | default | |", "|---|---|---|", *rows])


def _row(name: str, field: FieldInfo) -> str:
    value = ",".join(field.default) if isinstance(field.default, tuple) else field.default
    default = f"`{value}`" if value is not None else ""
    return f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |"
