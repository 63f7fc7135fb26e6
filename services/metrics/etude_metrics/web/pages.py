"""Pages: one document for every address of the page, and what it needs. Nothing comes from another host."""

import gzip
import hashlib
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Request, Response

from etude_metrics.api.problems import ProblemError

_STATIC = files("etude_metrics.web") / "static"
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".html": "text/html; charset=utf-8",
}
_WORTH_PACKING = 1000
_POLICY = (  # plotly makes code for the graphics card, and styles
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_HEADERS = {"Content-Security-Policy": _POLICY}


def _package(name: str) -> Path:
    """Where a package lies, without loading it."""
    spec = find_spec(name)
    assert spec is not None and spec.origin is not None, f"{name} is not installed"
    return Path(spec.origin).parent


def pages() -> APIRouter:
    """``/``, the addresses below it that people see, and ``/static``."""
    router = APIRouter(include_in_schema=False)

    @router.get("/static/{path:path}")
    async def static(request: Request, path: str) -> Response:
        """A file of the page."""
        return _answer(request, path)

    @router.get("/")
    @router.get("/fleet")
    @router.get("/compare")
    @router.get("/experiments/{experiment_id}")
    @router.get("/experiments/{experiment_id}/trials/{trial_id}")
    async def document(request: Request) -> Response:
        """The page, which looks at its address to know what to show."""
        return _answer(request, "index.html")

    @router.get("/docs")
    async def docs(request: Request) -> Response:
        """The API's document, for people."""
        return _answer(request, "docs.html")

    return router


def _answer(request: Request, path: str) -> Response:
    found = _file(path)
    if found is None:
        raise ProblemError(404, f"there is no {path}")
    plain, packed, tag = found
    headers = {**_HEADERS, "ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    media_type = _TYPES[Path(path).suffix]
    if packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, headers={**headers, "Content-Encoding": "gzip"}, media_type=media_type)
    return Response(plain, headers=headers, media_type=media_type)


@cache
def _all() -> dict[str, Path]:
    """Every file that may be asked for, by its path. What is not listed does not exist."""
    root = Path(str(_STATIC))
    found = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.suffix in _TYPES}
    swagger = _package("fastapi_offline") / "static"
    others = (
        _package("plotly") / "package_data/plotly.min.js",
        swagger / "swagger-ui-bundle.js",
        swagger / "swagger-ui.css",
    )
    return {**found, **{path.name: path for path in others}}


@cache
def _file(path: str) -> tuple[bytes, bytes | None, str] | None:
    """A file, the same packed, and its tag."""
    where = _all().get(path)
    if where is None:
        return None
    plain = where.read_bytes()
    tag = f'"{hashlib.blake2b(plain, digest_size=12).hexdigest()}"'
    return plain, gzip.compress(plain, 6) if len(plain) > _WORTH_PACKING else None, tag
