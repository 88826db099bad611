"""Notes, and where they are kept when there is no database."""

from datetime import UTC, datetime
from itertools import islice
from typing import Protocol
from uuid import uuid4

from pydantic import BaseModel, Field


class NewNote(BaseModel):
    """A note as it is sent to us."""

    text: str = Field(min_length=1, max_length=10_000)


class Note(NewNote):
    """A note as we keep it."""

    id: str = Field(default_factory=lambda: uuid4().hex)
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))


class NoteStore(Protocol):
    """A place for notes. Its methods may block; they are called from worker threads."""

    def add(self, note: Note) -> None:
        """Keep a note."""

    def get(self, note_id: str) -> Note | None:
        """Return the note with this id, if there is one."""

    def latest(self, limit: int) -> list[Note]:
        """Return the newest notes, newest first."""


class MemoryNotes:
    """Notes of this process, forgotten when it ends."""

    def __init__(self) -> None:
        """Start empty."""
        self._notes: dict[str, Note] = {}

    def add(self, note: Note) -> None:
        """Keep a note."""
        self._notes[note.id] = note

    def get(self, note_id: str) -> Note | None:
        """Return the note with this id, if there is one."""
        return self._notes.get(note_id)

    def latest(self, limit: int) -> list[Note]:
        """Return the newest notes, newest first."""
        newest_first = reversed(list(self._notes.values()))
        return list(islice(newest_first, limit))
