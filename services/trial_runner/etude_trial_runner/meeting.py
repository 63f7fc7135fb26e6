"""MeetingPlace: where the processes of one trial find each other."""

import socket
from datetime import timedelta

_FOREVER = timedelta(days=3650)


class MeetingPlace:
    """A key-value store (torch's TCPStore) on a free port of this machine, as long as it is open.

    The runner holds it and not a process of the trial, so that scripts of any kind can meet there.

    Parameters
    ----------
    address : of this machine, as others reach it
    """

    def __init__(self, address: str) -> None:
        from torch._C._distributed_c10d import TCPStore

        listener = socket.create_server((address, 0))
        port = listener.getsockname()[1]
        self.rendezvous = f"{address}:{port}"
        self._store: TCPStore | None = TCPStore(
            address, port, None, True, _FOREVER, False, master_listen_fd=listener.detach()
        )

    def close(self) -> None:
        """Let nobody meet here any more."""
        self._store = None
