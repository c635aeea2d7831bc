"""The reference of the HTTP API, from the OpenAPI document that the service itself hands out."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from heimdall.service.api import create_app
from heimdall.service.database.migrate import migrate
from heimdall.service.database.store import Store
from heimdall.service.settings import Settings

_HEAD = """# HTTP routes

Made from the service's own OpenAPI document, which a running service hands out at `/api/v1/openapi.json` and this site as
[openapi.json](openapi.json). How the routes are used is in [HTTP API](http-api.md).

"""


def page() -> str:
    return _HEAD + "\n".join(_section(path, item) for path, item in sorted(_openapi()["paths"].items()))


def document() -> str:
    return json.dumps(_openapi(), indent=1)


@cache
def _openapi() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), accelerator="cpu")
        store = Store(settings.database)
        try:
            migrate(store)
            return dict(create_app(settings, store).openapi())
        finally:
            store.close()


def _section(path: str, item: dict[str, Any]) -> str:
    return "\n".join(_operation(method.upper(), path, operation) for method, operation in item.items())


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    lines = [f"## {method} {path}\n", f"**{operation.get('summary', '')}.** {operation.get('description', '')}\n"]
    rows = [_parameter(parameter) for parameter in operation.get("parameters", [])]
    rows += dict.fromkeys(_fields(operation))  # kinds of a body share fields
    if rows:
        lines += ["| | type | |", "|---|---|---|", *rows, ""]
    return "\n".join([*lines, _answers(operation["responses"])])


def _answers(responses: dict[str, Any]) -> str:
    done = [f"{code} {_kinds(answer)}".strip() for code, answer in responses.items() if code < "400"]
    errors = sorted(code for code in responses if code >= "400")
    return f"Answers {', '.join(done)}" + (f"; errors {', '.join(errors)}.\n" if errors else ".\n")


def _parameter(parameter: dict[str, Any]) -> str:
    need = ", required" if parameter.get("required") and parameter["in"] != "path" else ""
    text = parameter.get("description") or parameter["schema"].get("description", "")
    return f"| `{parameter['name']}` ({parameter['in']}{need}) | {_type(parameter['schema'])} | {_line(text)} |"


def _fields(operation: dict[str, Any]) -> Iterator[str]:
    """The fields of the body, one level deep; what they hold is in openapi.json."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        for kind in _variants(content["schema"]):
            for name, field in kind.get("properties", {}).items():
                need = ", required" if name in kind.get("required", []) else ""
                yield f"| `{name}` (body{need}) | {_type(field)} | {_line(field.get('description', ''))} |"


def _variants(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [_resolved(each) for each in schema.get("oneOf", [schema])]


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return dict(_openapi()["components"]["schemas"][name]) if name else schema


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return f"`{schema['const']}`" if "const" in schema else str(schema.get("type", ""))


def _kinds(answer: dict[str, Any]) -> str:
    kinds = ", ".join(f"`{kind}`" for kind in answer.get("content", {}))
    return f"({kinds})" if kinds else ""


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").rstrip(".")
