"""The collection of a recorded session's folder, as it stands there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from heimdall.errors import InputError
from heimdall.formats.readers.source import COLLECTION_SUFFIX


def collection_in(folder: Path) -> Path:
    """Raises InputError where there is not one."""
    found = sorted(folder.glob(f"*{COLLECTION_SUFFIX}")) if folder.is_dir() else []
    if len(found) != 1:
        raise InputError(f"{folder} is not the folder of one SigMF collection")
    return found[0]


def about_session(folder: Path) -> dict[str, Any]:
    """What it says of the channel and of the receivers. Raises InputError as `collection_in` does."""
    about: dict[str, Any] = json.loads(collection_in(folder).read_bytes())["collection"]
    return about
