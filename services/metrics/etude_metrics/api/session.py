"""The session of a browser: a cookie that scripts cannot read and other sites cannot use."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from etude_metrics.api.access.guard import COOKIE
from etude_metrics.api.problems import described

_KEPT_SECONDS = 30 * 24 * 3600
_EMPTY: dict[str, Any] = {"status_code": 204, "response_model": None, "response_class": Response}


class Session(BaseModel):
    """Who asks."""

    user: str
    role: str


def session() -> APIRouter:
    """``/session``."""
    router = APIRouter(prefix="/session", tags=["access"])

    @router.get("", response_model=Session, responses=described(503))
    async def who(request: Request) -> Session:
        """Say who asks, and what they may; the name is empty where no tokens are needed."""
        return Session(user=request.state.user, role=str(request.state.role))

    @router.post("", **_EMPTY, responses=described(503))
    async def sign_in(request: Request) -> Response:
        """Keep the token of this request in a cookie, for the web page."""
        response = Response(status_code=204)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token and request.state.user:
            secure = request.url.scheme == "https"
            response.set_cookie(COOKIE, token, _KEPT_SECONDS, secure=secure, httponly=True, samesite="strict")
        return response

    @router.delete("", **_EMPTY, responses=described(503))
    async def sign_out() -> Response:
        """Forget the cookie."""
        response = Response(status_code=204)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response

    return router
