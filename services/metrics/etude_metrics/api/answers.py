"""Answers: documents as JSON, no more of them than their model tells, and not at all if the asker has them already."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from fastapi import Request, Response
from pydantic import BaseModel

_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY


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
    value : what is to be told, or the bytes of its JSON
    """
    body = value if isinstance(value, bytes) else to_json(value)
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")
