"""From what is chosen on the map to what is drawn: one observation in detail, or all of a session side by side."""

from __future__ import annotations

from dataclasses import dataclass

from heimdall.observation import Observation
from heimdall.service.api.dependencies import Parts
from heimdall.service.concurrent_locating import Deadline, LocatedSession
from heimdall.service.database.tables import StoredSession
from heimdall.service.storage import sessions
from heimdall.web.map import fix_panel
from heimdall.web.map.choice import Choice
from heimdall.web.map.fix_view import FixRow, Scene, details_of, fix_rows, fixes_scene, scene_of

MOST_AT_ONCE = 200
"""Observations of a session that are located together for the map."""


@dataclass(frozen=True)
class Shown:
    """Located observations, ready to be drawn: `details` of one, or `rows` of several."""

    name: str
    answer: LocatedSession
    scene: Scene
    details: fix_panel.Details | None
    rows: list[FixRow]
    count: int
    """Observations in the session."""

    @property
    def has_corrections(self) -> bool:
        return any(report.correction for fix in self.answer.fixes for report in fix.receivers)


def locate_chosen(parts: Parts, choice: Choice, deadline: Deadline) -> Shown:
    """Raises InputError for a session that is gone, BusyError once the deadline is over."""
    assert choice.session is not None
    with parts.store.reading() as session:
        stored = sessions.get(session, choice.session)
    observations = sessions.read_chosen(parts.store, parts.settings, stored)
    if choice.every and len(observations) > 1:
        return _every(parts, choice, stored, observations, deadline)
    index = min(choice.index, len(observations) - 1)
    answer = _located(parts, choice, [observations[index]], deadline)
    details = fix_panel.Details(*details_of(answer, 0), index, len(observations))
    return Shown(answer.fixes[0].id, answer, scene_of(answer, 0), details, [], len(observations))


def _every(
    parts: Parts, choice: Choice, stored: StoredSession, observations: list[Observation], deadline: Deadline
) -> Shown:
    count = len(observations)
    taken = range(count) if count <= MOST_AT_ONCE else [k * count // MOST_AT_ONCE for k in range(MOST_AT_ONCE)]
    answer = _located(parts, choice, [observations[index] for index in taken], deadline)
    rows = fix_rows(answer, taken)
    return Shown(stored.name, answer, fixes_scene(answer, rows), None, rows, count)


def _located(parts: Parts, choice: Choice, observations: list[Observation], deadline: Deadline) -> LocatedSession:
    stored_id = choice.session or ""
    return parts.locator.locate(
        observations, choice.method, deadline=deadline, corrected=choice.corrected, session_ids=[stored_id]
    )
