"""The address by which others reach this machine."""

import socket
from urllib.parse import urlsplit

_ANY_PORT = 9


def own_address(url: str) -> str:
    """The address that this machine has on the way to a server; sends nothing.

    >>> own_address("amqp://guest:guest@127.0.0.1:5672/")
    '127.0.0.1'
    """
    host = urlsplit(url).hostname or "127.0.0.1"
    try:
        [(family, kind, protocol, _, target), *_] = socket.getaddrinfo(host, _ANY_PORT, type=socket.SOCK_DGRAM)
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(target)
            return str(probe.getsockname()[0])
    except OSError:
        return socket.gethostname()
