"""Where files are dropped: what is refused is said, and the next try works."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from html import escape

from nicegui import events, ui
from nicegui.elements.upload_files import FileUpload

from heimdall.web import words
from heimdall.web.page_session import Visit

# Quasar's own header hides the input in a button: a keyboard and a screen reader get a button and a labelled input.
_HEADER = (
    '<div class="drop-head"><button type="button" @click="props.pickFiles">{label}</button>'
    '<label class="unseen">{name}<q-uploader-add-trigger /></label></div>'
)


class Uploader:
    """Hands over the files of one choice together, within a limit on their size and the suffixes that are wanted."""

    def __init__(
        self,
        visit: Visit,
        label: str,
        name: str,
        take: Callable[[Sequence[FileUpload]], Awaitable[None]],
        limit_bytes: float,
        *,
        accept: str = "",
        multiple: bool = False,
    ) -> None:
        """`name` is what a screen reader says; `accept` is one suffix or several with commas between, or empty for any."""
        self._visit = visit
        self._take = take
        self._limit_bytes = limit_bytes
        self._accept = accept
        self._upload = ui.upload(
            multiple=multiple,
            auto_upload=True,
            max_total_size=int(limit_bytes),
            on_multi_upload=self._uploaded,
            on_rejected=self._rejected,
        )
        self._upload.props(f'flat accept="{accept}"').classes("drop").on("failed", self._failed)
        self._upload.add_slot("header", _HEADER.format(label=escape(label), name=escape(name)))

    async def _uploaded(self, event: events.MultiUploadEventArguments) -> None:
        self._upload.reset()
        await self._take(event.files)

    def _rejected(self) -> None:
        self._upload.reset()
        wanted = f"a file {self._accept}" if self._accept else "files"
        self._visit.complain(f"not taken: choose {wanted} of at most {words.bytes_text(self._limit_bytes)} together")

    def _failed(self) -> None:
        self._upload.reset()
        limit = words.bytes_text(self._limit_bytes)
        self._visit.complain(
            f"the upload did not arrive: it may be larger than {limit}, or the service is busy; try again"
        )
