"""How fast does the query API answer, and how fast does it take things in, when there is much?

One experiment of 10,000 trials and 2,000,000 training points, and 5,000 others, in a real database behind a real
broker; 20 readers ask as fast as they are answered: first while nothing happens, then while another search runs and
5,000 points a second come in. Prints the 50th and 95th percentile of every list and figure, and the memory.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from history import History, small
from readers import p95
from tests.e2e.installation import Installation, whole_installation

from etude.bus.amqp import AmqpBus, Declares
from etude.events import Envelope
from etude.figures.register import FIGURES
from etude.store import DocumentStore
from etude.store.mongo import MongoStore
from etude.store.schema import SEARCH_LOG, TRAINING_POINTS
from etude_metrics.handlers import MetricsHandlers

READERS = 20
POINTS_A_SECOND = 5_000
_BATCH = 256
BIG, RUNNING = "big0000000", "running000"


def questions(experiment_id: str) -> list[str]:
    """Every list and every figure."""
    path = f"/experiments/{experiment_id}"
    return [
        "/experiments",
        "/experiments?sort=best&state=completed&label=vision&text=sweep",
        path,
        f"{path}/trials",
        f"{path}/trials?sort=best&limit=100",
        f"{path}/trials?sort=-learning_rate&where=dropout%20%3C%200.2",
        f"{path}/best-trials",
        f"{path}/validations",
        f"{path}/best-validations",
        f"{path}/learning-curves",
        f"{path}/decisions",
        f"{path}/timeline?limit=100",
        f"{path}/rungs",
        f"{path}/importance",
        f"{path}/trials/1",
        f"{path}/trials/1/training?limit=100",
        f"{path}/trials/1/training-curves",
        f"{path}/decisions?trial_id=1",
        f"{path}/trials/1/logs",
        f"{path}/logs?latest=true&limit=100",
        f"{path}/trials/1/checkpoints",
        f"{path}/trials/1/allocations",
        "/pools",
        *(f"{path}/figures/{name}" for name in FIGURES),
    ]


async def fill(store: DocumentStore, trials: int, points: int, others: int) -> tuple[int, float]:
    """Put everything into the store as the service would; how many points, and the seconds that it took."""
    handlers = MetricsHandlers(store)
    history = History(BIG, trials, points)
    began, count = time.perf_counter(), 0
    events: list[Envelope] = []
    telemetry: list[Envelope] = []
    for more, reports in history.told():
        events += more
        telemetry += reports
        if len(events) >= _BATCH:
            await handlers.handle_events(events)
            events = []
        if len(telemetry) >= _BATCH:
            await handlers.handle_telemetry(telemetry)
            count += sum(len(envelope.data.points) for envelope in telemetry)  # type: ignore[attr-defined]
            telemetry = []
    await handlers.handle_events(events)
    await handlers.handle_telemetry(telemetry)
    seconds = time.perf_counter() - began
    for start in range(0, len(history.decisions), 1000):
        await store.put(SEARCH_LOG, history.decisions[start : start + 1000])
    for start in range(0, others, 128):
        some = [envelope for number in range(start, min(start + 128, others)) for envelope in small(number)]
        await handlers.handle_events(some)
    return count, seconds


async def run_search(amqp_url: str, seconds: float) -> int:
    """A search that runs, by its events over the broker, 5,000 points a second; how many were sent."""
    bus = AmqpBus(amqp_url, name="bench", declares=Declares.EXCHANGES)
    await bus.start(attempts=5)
    began, sent = time.monotonic(), 0
    for events, telemetry in History(RUNNING, 3000, 3_000_000, seed=2).told():
        while sent > POINTS_A_SECOND * (time.monotonic() - began):
            await asyncio.sleep(0.005)
        await bus.publish([*events, *telemetry])
        sent += sum(len(envelope.data.points) for envelope in telemetry)  # type: ignore[attr-defined]
        if time.monotonic() - began > seconds:
            break
    await bus.close()
    return sent


def memory(installation: Installation) -> str:
    """MiB of the metrics service and of the process that draws for it; what they share counts once."""
    pid = installation.pid("metrics")
    pids = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    lines = [line for p in pids for line in Path(f"/proc/{p}/smaps_rollup").read_text().splitlines()]
    sizes = [int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")]
    return f"memory in MiB: {sum(sizes):.0f} ({' + '.join(f'{size:.0f}' for size in sizes)})"


def measure(url: str, paths: list[str], seconds: float) -> subprocess.Popen[str]:
    """Readers, as a process of their own."""
    command = [sys.executable, str(Path(__file__).parent / "readers.py"), url, str(READERS), str(seconds), *paths]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def show(title: str, readers: "subprocess.Popen[str]", sizes: dict[str, int]) -> None:
    """Print what the readers saw."""
    told, _ = readers.communicate()
    took: dict[str, list[float]] = json.loads(told)
    total = sum(map(len, took.values()))
    print(f"\n{title}: {total} answers\n{'':62}{'KiB':>8}{'n':>7}{'p50 ms':>9}{'p95 ms':>9}")
    for path in sizes:
        values = sorted(took.get(path, []))
        if values:
            middle = values[len(values) // 2]
            print(
                f"{path[:61]:62}{sizes[path] / 1024:8.0f}{len(values):7}{middle * 1e3:9.1f}{p95(values) * 1e3:9.1f}",
                flush=True,
            )
    print(f"{'all':62}{'':8}{total:7}{'':9}{p95(sorted(v for values in took.values() for v in values)) * 1e3:9.1f}")


def ask(url: str, path: str) -> tuple[int, float]:
    """Bytes of an answer, and its seconds."""
    began = time.perf_counter()
    with urllib.request.urlopen(f"{url}/api/v1{path}", timeout=120) as answer:
        return len(answer.read()), time.perf_counter() - began


def main() -> None:
    """Print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--trials", type=int, default=10_000)
    arguments.add_argument("--points", type=int, default=2_000_000)
    arguments.add_argument("--others", type=int, default=5_000)
    arguments.add_argument("--seconds", type=float, default=30)
    arguments.add_argument("--profile", type=Path, help="where py-spy, if there is one, writes what it saw")
    given = arguments.parse_args()
    with whole_installation() as installation:
        asyncio.run(fill_all(installation, given))
        serve_and_measure(installation, given)


async def fill_all(installation: Installation, given: argparse.Namespace) -> None:
    """Fill a database."""
    store = MongoStore(installation.environment["ETUDE_MONGO_URL"], installation.environment["ETUDE_DATABASE"])
    await store.open()
    count, seconds = await fill(store, given.trials, given.points, given.others)
    print(f"{count:,} points of {given.trials:,} trials stored in {seconds:.0f} s: {count / seconds:,.0f} points/s")
    await store.close()


def serve_and_measure(installation: Installation, given: argparse.Namespace) -> None:
    """Start the service, and ask."""
    installation.start("metrics", "etude_metrics")
    installation.until(lambda: installation.ask("/experiments") is not None, 60, "the metrics service serves")
    url, paths = installation.api_url, questions(BIG)
    first = {path: ask(url, path) for path in paths}
    print("\nthe first answer, slowest first, in seconds:")
    for path, (_, seconds) in sorted(first.items(), key=lambda item: -item[1][1])[:8]:
        print(f"  {path:60}{seconds:6.2f}")
    sizes = {path: size for path, (size, _) in first.items()}
    readers = measure(url, paths, given.seconds)
    if given.profile:
        spy = ["py-spy", "record", "-d", str(int(given.seconds) - 2), "-o", str(given.profile), "-f", "raw", "-p"]
        subprocess.run([*spy, str(installation.pid("metrics"))], check=False)
    show(f"{READERS} readers, nothing happens", readers, sizes)
    print(memory(installation), flush=True)

    with ThreadPoolExecutor(1) as thread:
        searching = thread.submit(
            asyncio.run, run_search(installation.environment["ETUDE_AMQP_URL"], given.seconds + 5)
        )
        installation.until(lambda: installation.ask(f"/experiments/{RUNNING}/trials/1") is not None, 30, "it runs")
        readers = measure(url, [path.replace(BIG, RUNNING) for path in paths] + paths, given.seconds)
        sent = searching.result()
    show(f"{READERS} readers while a search runs", readers, {**sizes, **{p.replace(BIG, RUNNING): 0 for p in paths}})
    began = time.monotonic()
    there = {"experiment_id": RUNNING}

    def stored() -> int:
        return sum(len(d["points"]) for d in installation.database[TRAINING_POINTS.name].find(there, {"points": 1}))

    installation.until(lambda: stored() >= sent, 120, "all points are stored")
    print(f"{sent:,} points came in {given.seconds + 5:.0f} s, all stored {time.monotonic() - began:.1f} s later")
    print(memory(installation), flush=True)


if __name__ == "__main__":
    main()
