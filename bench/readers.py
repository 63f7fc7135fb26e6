"""Readers of the query API: so many at a time, each asks the next question as soon as it is answered."""

import asyncio
import json
import random
import statistics
import sys
import time
from collections import defaultdict
from urllib.parse import urlsplit


async def read(url: str, paths: list[str], readers: int, seconds: float) -> dict[str, list[float]]:
    """Seconds of every answer, by path."""
    took: dict[str, list[float]] = defaultdict(list)
    until = time.monotonic() + seconds
    await asyncio.gather(*(_reader(url, paths, until, took, number) for number in range(readers)))
    return took


async def _reader(url: str, paths: list[str], until: float, took: dict[str, list[float]], number: int) -> None:
    dice = random.Random(number)
    host, port = urlsplit(url).hostname, urlsplit(url).port
    reader, writer = await asyncio.open_connection(host, port, limit=2**25)
    while time.monotonic() < until:
        path = dice.choice(paths)
        began = time.perf_counter()
        writer.write(f"GET /api/v1{path} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept-Encoding: gzip\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        body = await reader.readexactly(length)
        took[path].append(time.perf_counter() - began)
        assert b" 200 " in head[:16], (path, head[:40], body[:300])
    writer.close()


def main() -> None:
    """``readers.py URL READERS SECONDS PATH...``; prints seconds by path as JSON."""
    url, readers, seconds, *paths = sys.argv[1:]
    print(json.dumps(asyncio.run(read(url, paths, int(readers), float(seconds)))))


def p95(values: list[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(values, n=20)[-1] if len(values) > 1 else values[0]


if __name__ == "__main__":
    main()
