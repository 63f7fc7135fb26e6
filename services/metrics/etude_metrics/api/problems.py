"""Problems: every error is an ``application/problem+json`` document (RFC 9457) that names the thing and the way out."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from etude.errors import Unavailable
from etude_metrics.api.answers import to_json

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """What went wrong.

    Attributes
    ----------
    errors : each mistake with its place, if there may be several
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[dict[str, Any]] = []


class ProblemError(Exception):
    """To be answered as a problem.

    Parameters
    ----------
    errors : each mistake with its ``path`` and ``message``
    headers : of the answer
    """

    def __init__(
        self,
        status: int,
        detail: str,
        errors: list[dict[str, Any]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors = status, detail, errors or []
        self.headers = headers


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI document: problems that a question may be answered with."""
    schema = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": schema} for status in statuses}


def answer_problems(app: FastAPI) -> None:
    """Answer all errors of an application as problems."""

    @app.exception_handler(ProblemError)
    async def problem(_: Request, error: ProblemError) -> Response:
        return answer_problem(error)

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        return _answer(error.status_code, str(error.detail), [], dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def validation(_: Request, error: RequestValidationError) -> Response:
        errors = [{"path": ".".join(map(str, e["loc"])), "message": e["msg"]} for e in error.errors()]
        detail = "; ".join(f"{e['path']}: {e['message']}" for e in errors)
        return _answer(422, detail, errors)

    @app.exception_handler(Unavailable)
    async def unavailable(_: Request, error: Unavailable) -> Response:
        return _answer(503, str(error), [], {"Retry-After": "5"})


def answer_problem(error: ProblemError) -> Response:
    """The answer that tells it."""
    return _answer(error.status, error.detail, error.errors, error.headers)


def _answer(status: int, detail: str, errors: list[dict[str, Any]], headers: dict[str, str] | None = None) -> Response:
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors)
    return Response(to_json(body.model_dump()), status, headers, media_type=MEDIA_TYPE)
