"""Versions of documents: a service reads those of earlier versions, and leaves those of later ones alone."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from etude.errors import Unavailable

VERSION_FIELD = "format"
T = TypeVar("T")


class NewerDocumentError(Unavailable):
    """A document was written by a later version of etude. Whoever reads it waits for its own upgrade."""


def check_version(document: Mapping[str, Any], version: int) -> None:
    """See that a document can be read by whoever reads ``version`` and earlier ones.

    Raises
    ------
    NewerDocumentError
        It is newer. To read it as if it were not, and write it back, would lose what is new in it.
    """
    written = document.get(VERSION_FIELD, 1)
    if written > version:
        raise NewerDocumentError(
            f"document {document['_id']} was written by a later version of etude (format {written}, this one reads "
            f"up to {version}); upgrade this service, nothing is lost meanwhile"
        )


def known_fields(kind: type[T], document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a dataclass that a document holds; those that it lacks are left to their defaults."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return {name: value for name, value in document.items() if name in names}
