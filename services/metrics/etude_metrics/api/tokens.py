"""Tokens over HTTP, for admins."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from etude.service.clock import Clock
from etude_metrics.api.access.token import Role, shown
from etude_metrics.api.access.tokens import Tokens
from etude_metrics.api.answers import answer, page, to_json
from etude_metrics.api.models import Answer, Page
from etude_metrics.api.problems import ProblemError, described

_MOST_DAYS = 3650
_EMPTY: dict[str, Any] = {"status_code": 204, "response_model": None, "response_class": Response}


class NewToken(BaseModel):
    """Whom to let in."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100, examples=["ada"])]
    role: Literal["viewer", "editor", "admin"] = "viewer"
    days: Annotated[int | None, Field(ge=1, le=_MOST_DAYS, description="After so many it ends; by default never.")] = (
        None
    )


class Token(Answer):
    """A token, without its secret."""

    token_id: str
    name: str
    role: str
    created_at: str
    expires_at: str | None
    revoked_at: str | None


class CreatedToken(Token):
    """A token; nobody can be told its text again."""

    token: str


def tokens(known: Tokens, clock: Clock) -> APIRouter:
    """``/tokens``."""
    router = APIRouter(prefix="/tokens", tags=["access"])

    @router.post("", status_code=201, response_model=CreatedToken, responses=described(400, 413, 422, 503))
    async def create(wanted: NewToken) -> Response:
        """Make a token. Its text is told this once."""
        expires_at = clock() + timedelta(days=wanted.days) if wanted.days else None
        token, document = await known.create(wanted.name, Role.named(wanted.role), expires_at)
        return Response(to_json({**shown(document), "token": token}), 201, media_type="application/json")

    @router.get("", response_model=Page[Token], responses=described(503))
    async def list_tokens(request: Request) -> Response:
        """All tokens, also those that let nobody in any more."""
        return answer(request, page(Token, [shown(document) for document in await known.all()]))

    @router.delete("/{token_id}", **_EMPTY, responses=described(404, 422, 503))
    async def revoke(token_id: str) -> Response:
        """Let a token in no more, at once; other instances of the service know it within seconds."""
        if not await known.revoke(token_id):
            raise ProblemError(404, f"no token {token_id}; GET /api/v1/tokens lists those that there are")
        return Response(status_code=204)

    return router
