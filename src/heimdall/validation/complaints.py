"""What pydantic finds wrong with data from outside, in plain words, one line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

_WRONG = {
    "missing": "is missing",
    "extra_forbidden": "is not a known field",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a number",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_type": "must be text",
    "string_unicode": "must be text",
    "string_pattern_mismatch": "must have the form {pattern}",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "too_long": "must have at most {max_length} entries",
    "dict_type": "must be an object with named fields",
    "model_type": "must be an object with named fields",
    "dataclass_type": "must be an object with named fields",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
}
"""What people read instead of pydantic's own words, by the kind of its complaint."""


def complaint(error: ValidationError, skip: int = 0) -> str:
    """The first thing that pydantic found wrong, on one line: the field's path, less `skip` leading parts, and why."""
    return complaint_about(error.errors(include_url=False)[0], skip)


def complaint_about(detail: Mapping[str, Any], skip: int = 0) -> str:
    """One of its complaints likewise."""
    field = ".".join(str(part) for part in detail["loc"][skip:])
    # A field's name may be a key from outside, with any character in it.
    return " ".join(f"{field}{what_is_wrong(detail)}".lstrip(" :").split())


def what_is_wrong(detail: Mapping[str, Any]) -> str:
    """One of pydantic's complaints in plain words, to follow the field's name at once."""
    if detail["type"] not in _WRONG:
        return f": {str(detail['msg']).removeprefix('Value error, ')}"
    context = detail.get("ctx") or {}
    plain = {name: f"{value:g}" if isinstance(value, float) else value for name, value in context.items()}
    return f" {_WRONG[detail['type']].format(**plain)}"
