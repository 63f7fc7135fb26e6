"""Local folders of `etude run`, asked by the same API as an installation."""

from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from etude.client.api import ApiClient
from etude.client.errors import ApiError

_URL = "http://localhost"


def open_local(home: Path, user: str) -> ApiClient:
    """A client of what a folder holds; this process answers itself.

    Raises
    ------
    ApiError
        There is nothing in the folder, or what reads it is not installed.
    """
    return ApiClient(_URL, user=user, socket=_answering(home.resolve()))


@cache
def _answering(home: Path) -> str:
    for found in entry_points(group="etude.folders"):
        try:
            return str(found.load()(home))
        except LookupError as error:
            raise ApiError(str(error)) from None
    raise ApiError(f"{home} can be read where etude-standalone is installed; ETUDE_API_URL names an installation")
