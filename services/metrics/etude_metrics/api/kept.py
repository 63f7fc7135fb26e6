"""Kept: answers that stay the same as long as nothing changes are made once."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from fastapi import Request, Response

from etude_metrics.api.answers import Body, answer, to_json
from etude_metrics.api.cache import Cache
from etude_metrics.api.fresh import Fresh
from etude_metrics.api.pace import Pace


class Kept:
    """Answers by what was asked."""

    def __init__(self, pace: Pace) -> None:
        self._cache = Cache(pace.rest, pace.patience)
        self._recent: Fresh[Body] = Fresh(replace(pace, known_seconds=pace.recent_seconds))

    async def answer(self, request: Request, version: int, make: Callable[[], Awaitable[Any]]) -> Response:
        """The answer to a question, made if it was not made for this version of what it is about.

        Parameters
        ----------
        make : what is to be told, or its :class:`Body`
        """
        return answer(request, await self._cache.get(_key(request), version, lambda: _body(make)))

    async def recent(self, request: Request, make: Callable[[], Awaitable[Any]]) -> Response:
        """The answer to a question about what has no versions, made now or a moment ago."""
        return answer(request, await self._recent.get(_key(request), lambda: _body(make)))


def _key(request: Request) -> str:
    return f"{request.url.path}?{request.url.query}"


async def _body(make: Callable[[], Awaitable[Any]]) -> Body:
    value = await make()
    return value if isinstance(value, Body) else Body.of(to_json(value))
