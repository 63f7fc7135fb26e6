"""Eager: who asks for nothing older than it must be waits for it."""

from contextvars import ContextVar

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

eager: ContextVar[bool] = ContextVar("eager", default=False)
"""Is what is answered now to be as new as can be, however long it takes?"""


class Eager:
    """Heeds ``Cache-Control: no-cache``, which programs say that ask for what they have just changed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through."""
        wanted = scope["type"] == "http" and "no-cache" in Headers(scope=scope).get("cache-control", "")
        before = eager.set(wanted)
        try:
            await self._app(scope, receive, send)
        finally:
            eager.reset(before)
