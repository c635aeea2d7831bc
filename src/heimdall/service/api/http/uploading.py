"""Files of a request, received only after the one who sends them is known."""

from __future__ import annotations

import io
import json
from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import UploadFile

from heimdall.errors import InputError, TooLargeError
from heimdall.formats.json_text import members_of, objects_in
from heimdall.formats.readers.measurements import measurement_schema
from heimdall.formats.readers.source import MEASUREMENT_SUFFIXES
from heimdall.formats.text import as_utf_8
from heimdall.service.queue.request_base import Id
from heimdall.service.storage.uploads import Upload
from heimdall.validation.complaints import complaint

FIELD = "files"
_MOST_FIELDS = 16
_JSON = "application/json"
_DOCUMENT_BYTES = 16_000_000
"""Read in memory; the most observations that a request may locate take a quarter of it."""


class Document(BaseModel):
    """What to locate, as JSON."""

    model_config = ConfigDict(extra="forbid")

    observations: list[dict[str, Any]] = Field(
        default_factory=list, description="Observations, each as in a line of a measurement file."
    )
    sessions: list[Id] = Field(default_factory=list, max_length=100, description="Ids of stored sessions.")


def measurement_schemas() -> dict[str, Any]:
    """Of a row of measurements, for the components of the API's document."""
    row = measurement_schema(_COMPONENT)
    parts = row.pop("$defs", {})
    return {_NAMES.format(model=name): schema for name, schema in (parts | {"Row": row}).items()}


_NAMES = "Measured{model}"
_COMPONENT = f"#/components/schemas/{_NAMES}"


def _document_schema() -> dict[str, Any]:
    schema = Document.model_json_schema()
    schema["properties"]["observations"]["items"] = {"$ref": _COMPONENT.format(model="Row")}
    return schema


DOCUMENT_SCHEMA = _document_schema()


def form_of(description: str, *, required: bool = True, document: dict[str, Any] | None = None) -> dict[str, Any]:
    """For a route's `openapi_extra`: the route reads the form, or the document, itself, after its other checks."""
    files = {"type": "array", "items": {"type": "string", "format": "binary"}, "description": description}
    schema = {"type": "object", "properties": {FIELD: files}, "required": [FIELD] if required else []}
    content = {"multipart/form-data": {"schema": schema}}
    if document is not None:
        content[_JSON] = {"schema": document}
    return {"requestBody": {"required": required, "content": content}}


async def receive(request: Request, upload: Upload) -> tuple[int, list[str]]:
    """Put what was sent into the upload, files or a document: how many files, and the stored sessions it names."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
        return await receive_files(request, upload), []
    body = await request.body()
    document = await run_in_threadpool(_document, body)
    if not document.observations:
        return 0, document.sessions
    rows = await run_in_threadpool(_rows, body)
    await run_in_threadpool(upload.add, f"observations{MEASUREMENT_SUFFIXES[0]}", io.BytesIO(rows))
    return 1, document.sessions


def _rows(body: bytes) -> bytes:
    """The lines of a measurement file: the document's observations as they were sent, to the last digit."""
    return "\n".join(objects_in(members_of(as_utf_8(body).decode())["observations"])).encode()


def _document(body: bytes) -> Document:
    if len(body) > _DOCUMENT_BYTES:
        raise TooLargeError(f"a JSON body may have {_DOCUMENT_BYTES / 1e6:g} MB: send a measurement file instead")
    try:
        return Document.model_validate(json.loads(as_utf_8(body)))
    except ValidationError as error:
        raise InputError(f"the body is wrong: {complaint(error)}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"the body is not JSON: {error}") from error


async def receive_files(request: Request, upload: Upload) -> int:
    """Put the files of the form into the upload; how many there were."""
    async with request.form(max_files=upload.limits.members, max_fields=_MOST_FIELDS) as form:
        files = [value for value in form.getlist(FIELD) if isinstance(value, UploadFile)]
        for file in files:
            await run_in_threadpool(upload.add, file.filename or "unnamed", file.file)
    return len(files)


async def receive_some(request: Request, upload: Upload) -> None:
    """`receive_files` of at least one file. Raises InputError if there is none."""
    if not await receive_files(request, upload):
        raise InputError(f"no file: send them as multipart/form-data in the field `{FIELD}`")
