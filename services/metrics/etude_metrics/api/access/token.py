"""Token: what lets a person or a program in. Of its secret only the hash is kept. Pure."""

import hashlib
import hmac
import re
import secrets
from datetime import datetime
from enum import IntEnum
from typing import Any

from etude.store import Document

_FORM = re.compile(r"etude_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")


class Role(IntEnum):
    """What one may do; each may do what those before it may."""

    VIEWER = 1
    """Look at everything."""
    EDITOR = 2
    """Make and steer experiments."""
    ADMIN = 3
    """Steer runners, and let others in."""

    @classmethod
    def named(cls, name: str) -> "Role":
        """By its name in small letters."""
        return cls[name.upper()]

    def __str__(self) -> str:
        return self.name.lower()


def new_token(name: str, role: Role, now: datetime, expires_at: datetime | None) -> tuple[str, Document]:
    """A token, to be told once, and the document that is kept of it.

    Parameters
    ----------
    name : whose it is; shown as the owner of what is done with it
    """
    token_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    token = f"etude_{token_id}_{secret}"
    return token, {
        "_id": token_id,
        "name": name,
        "role": str(role),
        "hash": hashed(token),
        "created_at": now.isoformat(),
        "expires_at": expires_at.isoformat() if expires_at else None,
        "revoked_at": None,
    }


def hashed(token: str) -> str:
    """Its hash. A token has 256 random bits, so that a fast hash cannot be turned around by trying."""
    return hashlib.sha256(token.encode()).hexdigest()


def id_of(token: str) -> str | None:
    """The id within a token; None if it has not the form of one.

    >>> id_of("etude_0123456789ab_" + 43 * "x")
    '0123456789ab'
    """
    match = _FORM.fullmatch(token)
    return match[1] if match else None


def refusal(document: Document | None, token: str, now: datetime) -> str | None:
    """Why a token does not let in; None if it does."""
    if document is None or not hmac.compare_digest(document["hash"], hashed(token)):
        return "the token is not known"
    if document["revoked_at"] is not None:
        return "the token was revoked"
    if (expires_at := document["expires_at"]) is not None and now.isoformat() >= expires_at:
        return f"the token expired at {expires_at[:19]}"
    return None


def shown(document: Document) -> dict[str, Any]:
    """What others may see of a token."""
    return {"token_id": document["_id"], **{name: document[name] for name in document if name not in ("_id", "hash")}}
