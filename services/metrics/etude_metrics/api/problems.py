"""Problems: every error is an ``application/problem+json`` document (RFC 9457) that names the thing and the way out."""

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

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
