"""Files: those of a folder that somebody else has written, none of which leads out of it."""

import os
import stat
from contextlib import ExitStack
from typing import BinaryIO, cast

from etude.artifacts.errors import DamagedError
from etude.artifacts.storage import filesystem, is_local

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe would wait for somebody to write


class Files:
    """The files under a URI. On a disk no link is followed, whatever was put there since.

    Parameters
    ----------
    uri : of a folder
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._fs, self._root = filesystem(uri)

    def exist(self) -> bool:
        """Is there anything?"""
        return bool(self._fs.exists(self._root))

    def open(self, path: str) -> BinaryIO:
        """Open a file to read it.

        Parameters
        ----------
        path : relative, with slashes

        Raises
        ------
        DamagedError
            It is a link, or no plain file.
        OSError
            It cannot be read.
        """
        if not is_local(self._uri):
            return cast(BinaryIO, self._fs.open(f"{self._root}/{path}", "rb"))
        *folders, name = path.split("/")
        with ExitStack() as opened:
            place = os.open(self._root, _FOLDER)
            opened.callback(os.close, place)
            try:
                for folder in folders:
                    place = os.open(folder, _FOLDER, dir_fd=place)
                    opened.callback(os.close, place)
                file = os.open(name, _FILE, dir_fd=place)
            except FileNotFoundError:
                raise
            except OSError as error:
                raise DamagedError(f"{self._uri}: {path} is a link, or cannot be read: {error.strerror}") from None
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise DamagedError(f"{self._uri}: {path} is no plain file")
        return os.fdopen(file, "rb")
