"""What the readers decided on the way, for whoever gave the command."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from heimdall.cli.output import console
from heimdall.observation import NOT_READ, Observation

_NOTES_SHOWN = 40


class Notes:
    """What the readers decided on the way: a document of results has no place for it."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, int]] = {}
        """Text to the observation that it was first said of, and of how many."""
        self._others = 0

    def add(self, observation: Observation) -> None:
        for note in observation.notes:
            if note in self._known or len(self._known) < _NOTES_SHOWN or note.startswith(NOT_READ):
                first, count = self._known.get(note, (observation.id, 0))
                self._known[note] = first, count + 1
            else:
                self._others += 1

    def of(self, observations: Iterable[Observation]) -> Iterator[Observation]:
        """The observations as they come, their notes taken."""
        for observation in observations:
            self.add(observation)
            yield observation

    def say(self) -> None:
        for note, (first, count) in self._known.items():
            console.print(f"{first}: {note}" if count == 1 else f"{first} and {count - 1} more: {note}")
        if self._others:
            console.print(f"... and {self._others} more notes: give fewer observations at a time to see them")
