"""Files of a request, received only after the one who sends them is known."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from heimdall.errors import InputError
from heimdall.service.storage.uploads import Upload

FIELD = "files"
_MOST_FIELDS = 16


def form_of(description: str, *, required: bool = True) -> dict[str, Any]:
    """For a route's `openapi_extra`: the route reads the form itself, after its other checks."""
    files = {"type": "array", "items": {"type": "string", "format": "binary"}, "description": description}
    schema = {"type": "object", "properties": {FIELD: files}, "required": [FIELD] if required else []}
    return {"requestBody": {"required": required, "content": {"multipart/form-data": {"schema": schema}}}}


async def receive_files(request: Request, upload: Upload) -> int:
    """Put the files of the form into the upload; how many there were."""
    async with request.form(max_files=upload.limits.members, max_fields=_MOST_FIELDS) as form:
        files = [value for value in form.getlist(FIELD) if isinstance(value, UploadFile)]
        for file in files:
            await run_in_threadpool(upload.add, file.filename or "unnamed", file.file)
    return len(files)


async def receive_some(request: Request, upload: Upload) -> None:
    """As `receive_files`. Raises InputError for none."""
    if not await receive_files(request, upload):
        raise InputError(f"no file: send them as multipart/form-data in the field `{FIELD}`")
