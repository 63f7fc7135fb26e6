"""Problem answers: whatever goes wrong while a question is answered is told as a problem."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from etude.errors import Unavailable
from etude_metrics.api.answers import to_json
from etude_metrics.api.problems import MEDIA_TYPE, Problem, ProblemError


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
