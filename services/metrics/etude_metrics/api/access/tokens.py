"""Tokens: those that there are, kept in the store."""

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from etude.service.clock import Clock
from etude.store import Document, DocumentStore
from etude.store.schema import TOKENS
from etude_metrics.api.access.token import Role, hashed, id_of, new_token, refusal

_KNOWN_SECONDS = 5.0
"""For so long a token may still let in after it was revoked by another instance of the service."""
_KNOWN_MOST = 1000


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Parameters
    ----------
    name : of a person or a program; empty if it is not known
    key : by which what they ask for is counted
    """

    name: str
    role: Role
    key: str


class Refused(Exception):  # noqa: N818 - what happens to a caller, not a mistake of ours
    """A token does not let in; the message says why."""


class Tokens:
    """Makes, knows and revokes tokens.

    Parameters
    ----------
    admin_token : lets an admin in who has no other yet; empty for none
    """

    def __init__(
        self,
        store: DocumentStore,
        clock: Clock,
        admin_token: str = "",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._clock = clock
        self._admin_hash = hashed(admin_token) if admin_token else ""
        self._monotonic = monotonic
        self._known: OrderedDict[str, tuple[float, Document | None]] = OrderedDict()

    async def caller(self, token: str) -> Caller:
        """Whose token it is.

        Raises
        ------
        Refused
            It lets nobody in.
        """
        if self._admin_hash and hmac.compare_digest(hashed(token), self._admin_hash):
            return Caller("admin", Role.ADMIN, "admin")
        token_id = id_of(token)
        if token_id is None:
            raise Refused("this is no token; one looks like etude_..._...")
        document = await self._document(token_id)
        if (why := refusal(document, token, self._clock())) is not None:
            raise Refused(why)
        assert document is not None
        return Caller(document["name"], Role.named(document["role"]), token_id)

    async def create(self, name: str, role: Role, expires_at: datetime | None) -> tuple[str, Document]:
        """A new token, which is nowhere but here, and what is kept of it."""
        token, document = new_token(name, role, self._clock(), expires_at)
        await self._store.insert(TOKENS, [document])
        return token, document

    async def revoke(self, token_id: str) -> bool:
        """Let it in no more; False if there is none. A second time changes nothing."""
        found = await self._store.get(TOKENS, [token_id])
        if found and found[0]["revoked_at"] is None:
            await self._store.put(TOKENS, [{**found[0], "revoked_at": self._clock().isoformat()}])
        self._known.pop(token_id, None)
        return bool(found)

    async def all(self) -> list[Document]:
        """All that there ever were, in the order in which they were made."""
        return await self._store.find(TOKENS, {}, ("created_at", "_id"))

    async def _document(self, token_id: str) -> Document | None:
        until, document = self._known.get(token_id, (0.0, None))
        if self._monotonic() >= until:
            found = await self._store.get(TOKENS, [token_id])
            document = found[0] if found else None
            self._known[token_id] = (self._monotonic() + _KNOWN_SECONDS, document)
            while len(self._known) > _KNOWN_MOST:
                self._known.popitem(last=False)
        return document
