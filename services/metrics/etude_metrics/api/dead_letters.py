"""Dead letters over HTTP, for admins: their bodies may hold what nobody else is to see."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from etude.bus import UnknownQueueError
from etude.store import Document
from etude_metrics.api.answers import answer, page, to_json
from etude_metrics.api.models import Answer, Page
from etude_metrics.api.parameters import Limit
from etude_metrics.api.problems import ProblemError, described
from etude_metrics.dead_letters import DeadLetters

_EMPTY: dict[str, Any] = {"status_code": 204, "response_model": None, "response_class": Response}


class Letter(Answer):
    """An event that could not be processed, without its body."""

    letter_id: str
    queue: str
    reason: str
    type: str | None
    experiment_id: str | None
    source: str | None
    at: str
    deaths: int


class LetterInFull(Letter):
    """An event that could not be processed."""

    body: dict[str, str] = Field(description="`text`, or `base64` of what is no text.")


def dead_letters(known: DeadLetters) -> APIRouter:
    """``/dead-letters``."""
    router = APIRouter(prefix="/dead-letters", tags=["administration"])

    @router.get("", response_model=Page[Letter], responses=described(422, 503))
    async def list_letters(request: Request, limit: Limit = 1000) -> Response:
        """What could not be processed, the latest first."""
        return answer(request, page(Letter, [_shown(letter) for letter in await known.list(limit)]))

    @router.get("/{letter_id}", response_model=LetterInFull, responses=described(404, 503))
    async def show(letter_id: str) -> Response:
        """One event that could not be processed, with its body."""
        letter = LetterInFull.model_validate(_shown(await find(letter_id)))
        return Response(to_json(letter.model_dump()), media_type="application/json")

    @router.post("/{letter_id}/replay", **_EMPTY, responses=described(404, 409, 503))
    async def replay(letter_id: str) -> Response:
        """Put it back into the queue that it was taken from. If it fails again, it is listed again."""
        try:
            await known.replay(await find(letter_id))
        except UnknownQueueError as error:
            raise ProblemError(409, str(error)) from None
        return Response(status_code=204)

    @router.delete("/{letter_id}", **_EMPTY, responses=described(404, 503))
    async def drop(letter_id: str) -> Response:
        """Forget it. There is no way back."""
        if not await known.drop(letter_id):
            raise _unknown(letter_id)
        return Response(status_code=204)

    async def find(letter_id: str) -> Document:
        letter = await known.find(letter_id)
        if letter is None:
            raise _unknown(letter_id)
        return letter

    return router


def _shown(letter: Document) -> Document:
    return {**letter, "letter_id": letter["_id"]}


def _unknown(letter_id: str) -> ProblemError:
    return ProblemError(404, f"no dead letter {letter_id}; GET /api/v1/dead-letters lists those that there are")
