"""Rules: which role a request needs, and from where it may come. Pure."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from etude_metrics.api.access.token import Role

API = "/api/v1"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SESSION = f"{API}/session"
_ADMIN = (f"{API}/tokens", f"{API}/dead-letters", f"{API}/resync")
_ADMIN_COMMANDS = f"{API}/runners"


def needed(method: str, path: str) -> Role | None:
    """The role that it takes; None for what is open to all: the page without data, its documents, and health.

    >>> needed("GET", "/api/v1/experiments"), needed("POST", "/api/v1/experiments/3/pause")
    (<Role.VIEWER: 1>, <Role.EDITOR: 2>)
    """
    if not path.startswith(("/api", "/metrics")):
        return None
    if path == _SESSION:
        return None if method == "DELETE" else Role.VIEWER
    if path.startswith(_ADMIN) or (path.startswith(_ADMIN_COMMANDS) and method not in SAFE):
        return Role.ADMIN
    return Role.VIEWER if method in SAFE else Role.EDITOR


def foreign(headers: Mapping[str, str]) -> bool:
    """Does a page of another origin ask? Programs that are no browsers say nothing of that, and are none."""
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host", "")


def is_loopback(host: str) -> bool:
    """Is this a name of the machine itself, with or without a port?

    >>> [is_loopback(host) for host in ("127.0.0.1:8080", "[::1]:8080", "localhost", "0.0.0.0", "evil.example")]
    [True, True, True, False, False]
    """
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
