"""What the service answers, apart from its health."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request, status
from pydantic import BaseModel

from second_brain.notes import NewNote, Note
from second_brain.services import Services

router = APIRouter()


def _services(request: Request) -> Services:
    services: Services = request.state.services
    return services


Connected = Annotated[Services, Depends(_services)]


class Availability(BaseModel):
    """Which cloud services this process uses."""

    openai: bool
    key_vault: bool
    cosmos: bool


@router.get("/services")
def availability(services: Connected) -> Availability:
    """Say which cloud services were found when the process started."""
    return Availability(
        openai=services.openai_is_ready,
        key_vault=services.openai_key is not None,
        cosmos=services.cosmos is not None,
    )


@router.post("/notes", status_code=status.HTTP_201_CREATED)
def add_note(new: NewNote, services: Connected) -> Note:
    """Keep a note."""
    note = Note(text=new.text)
    services.notes.add(note)
    return note


@router.get("/notes")
def latest_notes(
    services: Connected, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> list[Note]:
    """Return the newest notes, newest first."""
    return services.notes.latest(limit)


@router.get("/notes/{note_id}")
def one_note(note_id: str, services: Connected) -> Note:
    """Return one note."""
    note = services.notes.get(note_id)
    if note is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "no such note")
    return note
