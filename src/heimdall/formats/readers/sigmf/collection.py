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
    """What it says of the channel and of the receivers. Raises InputError as `collection_in` does, or where that is none."""
    path = collection_in(folder)
    try:
        about: dict[str, Any] = json.loads(path.read_bytes())["collection"]
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(f"{path} is not a SigMF collection") from error
    return about
