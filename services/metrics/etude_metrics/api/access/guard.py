"""Guard: the middleware that every request comes through. It says who asks, and sends away who may not."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from etude.errors import Unavailable
from etude_metrics.api.access.limiter import Limiter
from etude_metrics.api.access.rules import SAFE, foreign, is_loopback, needed
from etude_metrics.api.access.token import Role
from etude_metrics.api.access.tokens import Caller, Refused, Tokens
from etude_metrics.api.problem_answers import answer_problem
from etude_metrics.api.problems import ProblemError

_LONGEST_NAME = 100
COOKIE = "etude_token"
_SECURITY = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_HTTPS_ONLY = "max-age=31536000"
_log = structlog.get_logger()


@dataclass(frozen=True)
class Access:
    """What it takes to be let in.

    Parameters
    ----------
    tokens_needed : for everything that tells or changes something
    admin_token : lets in who is to make the first tokens; empty for none
    loopback_only : requests must name this machine, so that no page of another name that leads here gets through
    allowed_origins : whose pages may ask from elsewhere, with a token in their ``Authorization``; such as
        ``https://dashboard.example``
    requests_per_second : of one caller; ten times as many at once. Counted only where tokens are needed
    wrong_tokens_per_minute : from one address, that are answered with a reason
    """

    tokens_needed: bool = False
    admin_token: str = field(default="", repr=False)
    loopback_only: bool = False
    allowed_origins: tuple[str, ...] = ()
    requests_per_second: float = 100.0
    wrong_tokens_per_minute: int = 10


class Guard:
    """ASGI middleware.

    Lets in by ``Authorization: Bearer TOKEN`` or by the page's cookie, which counts only for requests of the page
    itself. Where no tokens are needed, whoever asks may do everything, in the name that ``X-Etude-User`` says. Sets
    ``request.state.user`` and ``request.state.role``.
    """

    def __init__(
        self, app: ASGIApp, access: Access, tokens: Tokens, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._access = access
        self._tokens = tokens
        self._monotonic = monotonic
        self._limiter = Limiter(access.requests_per_second, int(access.requests_per_second * 10))
        self._wrong_tokens = Limiter(access.wrong_tokens_per_minute / 60, access.wrong_tokens_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        known_origin = origin if origin in self._access.allowed_origins else ""

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                _secure(MutableHeaders(scope=message), scope["scheme"] == "https", known_origin)
            await send(message)

        if known_origin and scope["method"] == "OPTIONS":
            await _preflight(send_safely)
            return
        try:
            caller = await self._let_in(scope, headers, known_origin)
        except ProblemError as problem:
            await answer_problem(problem)(scope, receive, send_safely)
            return
        except Unavailable as error:
            away = ProblemError(503, str(error), headers={"Retry-After": "5"})
            await answer_problem(away)(scope, receive, send_safely)
            return
        scope.setdefault("state", {}).update(user=caller.name, role=caller.role)
        await self._app(scope, receive, send_safely)

    async def _let_in(self, scope: Scope, headers: Headers, known_origin: str) -> Caller:
        """Who asks; raises ProblemError if they may not."""
        host = headers.get("host", "")
        if self._access.loopback_only and not is_loopback(host):
            detail = f"{host!r} is not a name of this machine; ask for localhost, or set ETUDE_API_HOST"
            raise ProblemError(421, detail)
        by_header = headers.get("authorization", "")
        method = scope["method"]
        if method not in SAFE and not known_origin and foreign(headers):
            raise ProblemError(403, "a page from elsewhere may change nothing here; see ETUDE_ALLOWED_ORIGINS")
        role = needed(method, scope["path"])
        if not self._access.tokens_needed:
            return Caller(headers.get("x-etude-user", "")[:_LONGEST_NAME], Role.ADMIN, "")
        if role is None:
            return Caller("", Role.VIEWER, "")
        token = by_header.removeprefix("Bearer ") if by_header.startswith("Bearer ") else ""
        if not token and not known_origin:
            token = _cookie(headers)
            if token and method not in SAFE and "x-etude" not in headers:
                raise ProblemError(403, "the page's cookie counts only with the header X-Etude")
        caller = await self._caller(token, scope)
        if wait := self._limiter.wait(caller.key, self._monotonic()):
            raise ProblemError(429, "too many requests; ask less often", headers=_after(wait))
        if caller.role < role:
            detail = f"this takes the role {role}; {caller.name} has the role {caller.role}"
            raise ProblemError(403, detail)
        return caller

    async def _caller(self, token: str, scope: Scope) -> Caller:
        challenge = {"WWW-Authenticate": 'Bearer realm="etude"'}
        if not token:
            detail = "a token is needed: Authorization: Bearer TOKEN (programs: ETUDE_TOKEN); an admin makes tokens"
            raise ProblemError(401, detail, headers=challenge)
        try:
            return await self._tokens.caller(token)
        except Refused as refused:
            address = (scope.get("client") or ("",))[0]
            if wait := self._wrong_tokens.wait(address, self._monotonic()):
                raise ProblemError(429, "too many wrong tokens", headers=_after(wait)) from None
            _log.warning("a token was refused", address=address, reason=str(refused))
            raise ProblemError(401, f"{refused}; an admin makes new ones", headers=challenge) from None


def _cookie(headers: Mapping[str, str]) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _after(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, math.ceil(seconds)))}


def _secure(headers: MutableHeaders, https: bool, known_origin: str) -> None:
    for name, value in _SECURITY.items():
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", "no-store")
    if https:
        headers["Strict-Transport-Security"] = _HTTPS_ONLY
    if known_origin:
        headers["Access-Control-Allow-Origin"] = known_origin
        headers["Access-Control-Expose-Headers"] = "ETag, Location, Retry-After"
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        headers.add_vary_header("Origin")


async def _preflight(send: Send) -> None:
    allowed = {
        "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE",
        "Access-Control-Allow-Headers": "Authorization, Content-Type, If-None-Match, Last-Event-ID",
        "Access-Control-Max-Age": "600",
    }
    raw = [(name.lower().encode(), value.encode()) for name, value in allowed.items()]
    await send({"type": "http.response.start", "status": 204, "headers": raw})
    await send({"type": "http.response.body", "body": b""})
