"""Huge pages: what a process has allocated, gathered into few large pages, so that forking it copies little.

The page tables of a process with torch have some 57,000 entries; copying them for each fork, and tearing the copy down
again, takes longer than a small trial. A huge page is one entry instead of 512.
"""

import ctypes
from collections.abc import Iterator
from pathlib import Path

_SIZE = 2 * 2**20
_MADV_COLLAPSE = 25  # Linux 6.1; elsewhere it fails, and nothing is gained or lost


def gather() -> int:
    """Gather this process's private memory; returns how many huge pages that made."""
    libc = ctypes.CDLL(None)
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return sum(libc.madvise(start, _SIZE, _MADV_COLLAPSE) == 0 for start in _aligned())


def _aligned() -> Iterator[int]:
    """Where huge pages could begin: in private, writable memory that is no file's."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, permissions, _, _, inode, *_ = line.split()
        if permissions.startswith("rw") and permissions.endswith("p") and inode == "0":
            begin, end = (int(address, 16) for address in span.split("-"))
            yield from range(-(-begin // _SIZE) * _SIZE, end // _SIZE * _SIZE, _SIZE)
