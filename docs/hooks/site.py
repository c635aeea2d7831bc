"""Pages that mkdocs builds from code and from files of the repository's root; none of them is committed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import commands
import python_api
import routes
from mkdocs.structure.files import File, Files

from heimdall.formats.readers.measurements import measurement_schema
from heimdall.service.settings_table import settings_table

_ROOT = Path(__file__).resolve().parents[2]
_FROM_ROOT = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md", "security.md": "SECURITY.md"}
_SETTINGS = """# Settings of the service

Environment variables that `heimdall serve` and `heimdall worker` read. `NAME_FILE` names a file that holds the value of
`NAME`, which is the way to pass a secret; the variable itself wins. A wrong value stops the program with one line that
names the variable. Variables that only Docker Compose reads are in [Containers](containers.md).

"""


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages to those that are written by hand."""
    pages: dict[str, Callable[[], str]] = {
        "reference/commands.md": commands.page,
        "reference/settings.md": lambda: f"{_SETTINGS}{settings_table()}\n",
        "reference/routes.md": routes.page,
        "reference/openapi.json": routes.document,
        "reference/python.md": python_api.page,
        "reference/measurement.schema.json": lambda: json.dumps(measurement_schema(), indent=1),
    }
    for name, make in pages.items():
        files.append(File.generated(config, name, content=make()))
    for name, source in _FROM_ROOT.items():
        files.append(File.generated(config, name, content=_as_page((_ROOT / source).read_text(encoding="utf-8"))))
    return files


def _as_page(text: str) -> str:
    """Links of a file in the root, as a page of the site has them."""
    for page, name in _FROM_ROOT.items():
        text = text.replace(f"]({name}", f"]({page}")
    return re.sub(r"\]\(docs/", "](", text)
