"""Corrections of receivers as a JSON file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from heimdall.correction import Correction
from heimdall.errors import InputError
from heimdall.formats.text import as_utf_8, composed

_KEY = "receivers"
_SIGMAS = ("delay_sigma_s", "delay_sigma_in_group_s", "level_bias_sigma_db")


@cache
def _document() -> TypeAdapter[dict[str, dict[str, Correction]]]:
    """Made when a file is read: it takes as long as locating a row."""
    return TypeAdapter(dict[str, dict[str, Correction]])


def corrections_text(corrections: Mapping[str, Correction]) -> str:
    """`{"receivers": {NAME: {...}}}`."""
    document = {_KEY: {name: asdict(correction) for name, correction in corrections.items()}}
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_corrections(path: Path) -> dict[str, Correction]:
    """Corrections by the receiver's name. Raises InputError for a file that is none that `heimdall receivers calibrate` wrote."""
    try:
        document = _document().validate_json(as_utf_8(path.read_bytes()))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        raise InputError(f"{path}: not a file of corrections; `heimdall receivers calibrate` writes one") from error
    if set(document) != {_KEY}:
        raise InputError(f"{path}: not a file of corrections; `heimdall receivers calibrate` writes one")
    for name, correction in document[_KEY].items():
        _check(path, name, correction)
    return {composed(name): correction for name, correction in document[_KEY].items()}


def _check(path: Path, name: str, correction: Correction) -> None:
    for field in _SIGMAS:
        sigma = getattr(correction, field)
        if sigma is not None and not 0 <= sigma < math.inf:
            raise InputError(f"{path}: {name}: its {field} of {sigma} cannot be right")
