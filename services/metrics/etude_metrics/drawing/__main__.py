"""``python -m etude_metrics.drawing``: an artist as a process.

Reads a line of JSON (experiment, what) from standard input for each piece of work, and answers with a line (``size``
and perhaps ``error``) and so many bytes on standard output. Ends when nobody is there to ask.
"""

import asyncio
import contextlib
import ctypes
import gc
import gzip
import json
import os
import sys
from typing import Any

import structlog

from etude.service.logs import log_as_json
from etude.service.settings import Settings
from etude.store.mongo import MongoStore
from etude_metrics.drawing.artist import Artist

_log = structlog.get_logger()
_NICENESS = 5  # those who ask for less go first
_LEVEL = 4


class _NotHere:
    """Hides what scikit-learn loads where it finds it, 60 MiB for nothing."""

    @staticmethod
    def find_spec(name: str, *_: Any) -> None:
        """As of a package that is not installed."""
        if name in ("pandas", "pyarrow"):
            raise ModuleNotFoundError(f"{name} is not needed here", name=name)


async def main() -> None:
    """Draw what is asked for, one after the other."""
    settings = Settings()
    log_as_json("metrics-drawing", settings.log_level)
    store = MongoStore(settings.mongo_url, settings.database)
    artist = Artist(store)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        body, error = b"", None
        try:
            body = gzip.compress(await artist.make(*json.loads(line)), _LEVEL)
        except Exception as caught:
            _log.exception("drawing failed", asked=line.decode())
            error = f"{type(caught).__name__}: {caught}"
        out.write(json.dumps({"size": len(body), "error": error}).encode() + b"\n" + body)
        out.flush()
        del body
        gc.collect()
        with contextlib.suppress(AttributeError, OSError):  # where there is no glibc
            ctypes.CDLL(None).malloc_trim(0)
    await store.close()


if __name__ == "__main__":
    sys.meta_path.insert(0, _NotHere)
    os.nice(_NICENESS)
    asyncio.run(main())
