"""Answers: documents as JSON, no more of them than their model tells, and not at all if the asker has them already."""

import gzip
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
from fastapi import Request, Response
from pydantic import BaseModel

OLD = "X-Etude-Old"
"""A header of answers to which there will be a newer one in a moment."""
_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY


@dataclass(frozen=True)
class Body:
    """JSON, ready to be sent.

    Attributes
    ----------
    packed : whether it is packed with gzip
    old : whether there is something newer, which is not made yet
    """

    data: bytes
    tag: str
    packed: bool = False
    old: bool = False

    @classmethod
    def of(cls, data: bytes, packed: bool = False) -> "Body":
        """With the tag of its bytes."""
        return cls(data, f'"{hashlib.blake2b(data, digest_size=12).hexdigest()}"', packed)

    def aged(self) -> "Body":
        """The same, when there is something newer."""
        return replace(self, old=True)


def to_json(value: Any) -> bytes:
    """As JSON; what is not a number is null."""
    return orjson.dumps(value, option=_OPTIONS)


def told(model: type[BaseModel], document: Mapping[str, Any]) -> dict[str, Any]:
    """Those fields of a document that its model has; a field that it lacks gets the model's default."""
    return {
        name: document[name] if name in document else field.get_default(call_default_factory=True)
        for name, field in model.model_fields.items()
    }


def page(model: type[BaseModel], items: Iterable[Mapping[str, Any]], cursor: str | None = None) -> dict[str, Any]:
    """Some items, and the cursor that asks for those after them."""
    return {"items": [told(model, item) for item in items], "next_cursor": cursor}


def answer(request: Request, value: Any) -> Response:
    """An answer with a tag; 304 without a body if the asker has it already (``If-None-Match``).

    Parameters
    ----------
    value : what is to be told, or a :class:`Body`
    """
    body = value if isinstance(value, Body) else Body.of(to_json(value))
    headers = {"ETag": body.tag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
    if body.old:
        headers[OLD] = "true"
    if body.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if not body.packed:
        return Response(body.data, headers=headers, media_type="application/json")
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(body.data, headers={**headers, "Content-Encoding": "gzip"}, media_type="application/json")
    return Response(gzip.decompress(body.data), headers=headers, media_type="application/json")
