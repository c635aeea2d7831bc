"""The log of the service: one line an event, with zone and request, as text or as JSON."""

from __future__ import annotations

import json
import logging
import time
from contextvars import ContextVar

from heimdall.service.settings import Settings

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Id of the request that this code works for."""
audit = logging.getLogger("heimdall.audit")
"""Who changed what."""


def configure(settings: Settings) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if settings.log_format == "json" else TextLines())
    logging.basicConfig(level=settings.log_level, handlers=[handler])


class TextLines(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's hook
        return _time_utc(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's hook
        number = request_id.get()
        # A line that somebody else could begin would be an entry of theirs.
        line = super().formatMessage(record).replace("\r", "\\r").replace("\n", "\\n")
        return line if number is None else f"{line} [{number}]"


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        document = {
            "time": _time_utc(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.get(),
            "error": self.formatException(record.exc_info) if record.exc_info else None,
        }
        return json.dumps({name: value for name, value in document.items() if value is not None})


def _time_utc(record: logging.LogRecord) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z"
