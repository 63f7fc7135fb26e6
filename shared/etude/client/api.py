"""ApiClient: the metrics query API from Python."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from etude.client.errors import ApiError

_AGAIN_SECONDS = 0.05


class ApiClient:
    """Asks the metrics service.

    Parameters
    ----------
    url : such as ``http://127.0.0.1:8080``
    token : for an API that wants one
    user : in whose name something is asked for, where no tokens are needed
    socket : name of the socket where it listens, if that is no port
    """

    def __init__(
        self, url: str, token: str = "", user: str = "", timeout: float = 30.0, socket: str | None = None
    ) -> None:
        headers = {"Cache-Control": "no-cache"}  # a program wants to see what it has just done
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if user.isascii() and user.isprintable():
            headers["X-Etude-User"] = user
        transport = httpx.HTTPTransport(uds=socket) if socket else None
        self._http = httpx.Client(base_url=url.rstrip("/"), timeout=timeout, headers=headers, transport=transport)
        self._url = url

    def get(self, path: str, **query: Any) -> Any:
        """The answer to a question.

        Raises
        ------
        ApiError
            The service does not answer, or knows no such thing.
        """
        return self._ask("GET", path, params={k: v for k, v in query.items() if v is not None}).json()

    def until_known(self, path: str, seconds: float = 5.0) -> None:
        """Wait until there is such a thing; not if the service does not answer, or says something else."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                response = self._http.get(f"/api/v1{path}", timeout=left)
            except httpx.TransportError:
                return
            if response.status_code != httpx.codes.NOT_FOUND:
                return
            time.sleep(_AGAIN_SECONDS)

    def text(self, path: str) -> tuple[str, bool]:
        """An answer as it is, and whether there will be a newer one in a moment."""
        response = self._ask("GET", path)
        return response.text, "X-Etude-Old" in response.headers

    def stream(self, path: str) -> Iterator[bytes]:
        """A download, piece by piece.

        Raises
        ------
        ApiError
            The service does not answer, or has no such thing.
        """
        try:
            with self._http.stream("GET", f"/api/v1{path}") as response:
                if response.is_error:
                    response.read()
                _refuse(response)
                yield from response.iter_bytes()
        except httpx.TransportError as error:
            raise self._away(error) from None

    def send(self, method: str, path: str, **body: Any) -> Any:
        """Ask for something to be done; what is answered, if anything is.

        Parameters
        ----------
        body : fields that are sent as JSON

        Raises
        ------
        ApiError
            The service does not answer, or refuses.
        """
        response = self._ask(method, path, json=body or None)
        return response.json() if response.content else None

    def upload(self, path: str, files: Mapping[str, tuple[str, bytes]]) -> Any:
        """Send files as a form; what is answered.

        Parameters
        ----------
        files : name and bytes of each, by field

        Raises
        ------
        ApiError
            The service does not answer, or refuses.
        """
        return self._ask("POST", path, files=dict(files)).json()

    def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            response = self._http.request(method, f"/api/v1{path}", **request)
        except httpx.TransportError as error:
            raise self._away(error) from None
        _refuse(response)
        return response

    def _away(self, error: Exception) -> ApiError:
        return ApiError(f"no answer from the metrics service at {self._url} ({error}); is ETUDE_API_URL right?")

    def pages(self, path: str, **query: Any) -> Iterator[Any]:
        """All items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get(path, cursor=cursor, **query)
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def close(self) -> None:
        """Close connections."""
        self._http.close()


def _refuse(response: httpx.Response) -> None:
    """Raise what an answer says if it is an error."""
    if not response.is_error:
        return
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = response.text[:200]
    hint = "; is ETUDE_TOKEN right?" if response.status_code == 401 else ""
    raise ApiError(f"the metrics service says {response.status_code}: {detail}{hint}")
