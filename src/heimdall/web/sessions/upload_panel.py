"""Files from the browser become a session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from nicegui import ui
from nicegui.elements.upload_files import FileUpload

from heimdall.service.auth import Role
from heimdall.service.database.tables import StoredSession
from heimdall.service.storage import sessions
from heimdall.service.storage.uploads import Upload, receiving
from heimdall.web.layout import panel
from heimdall.web.page_session import FAILURES, Visit
from heimdall.web.uploader import Uploader


class UploadPanel:
    """`stored` is told the session's id."""

    def __init__(self, visit: Visit, stored: Callable[[str], Awaitable[None]]) -> None:
        self._visit = visit
        self._stored = stored

    def build(self) -> None:
        if not self._visit.may(Role.OPERATOR):
            return
        limit = self._visit.parts.settings.upload_mb
        with panel("Upload"):
            label, name = "Choose files or drop them here", "Upload recordings"
            Uploader(self._visit, label, name, self._uploaded, limit * 1e6, multiple=True)
            ui.label(
                "A SigMF session, KiwiSDR *_iq.wav with their .txt, a measurement file, or an archive; "
                f"together at most {limit:g} MB."
            ).classes("muted")

    async def _uploaded(self, files: Sequence[FileUpload]) -> None:
        stored: StoredSession | None = None
        with receiving(self._visit.parts.settings) as upload:
            try:
                for file in files:
                    await file.save(upload.room_for(file.name, file.size()))
                stored = await self._visit.do(Role.OPERATOR, self._store, upload)
            except FAILURES as error:
                self._visit.tell(error)
        if stored is not None:
            ui.notify(f"Stored as {stored.name}", type="positive", position="bottom")
            await self._stored(stored.id)

    def _store(self, upload: Upload) -> StoredSession:
        parts = self._visit.parts
        summary = sessions.prepare(upload)
        return sessions.add(parts.store, parts.settings, upload, summary, name="", created_by=self._visit.who.name)
