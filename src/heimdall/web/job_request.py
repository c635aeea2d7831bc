"""What was typed on a page, as the request of a job."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from heimdall.errors import InputError
from heimdall.service.queue import job_requests
from heimdall.web import words


def as_request(document: dict[str, Any]) -> job_requests.AnyRequest:
    """Raises InputError that names the first field which is wrong."""
    try:
        return job_requests.read_request(document)
    except ValidationError as error:
        raise InputError(words.validation_text(error, skip=1)) from error
