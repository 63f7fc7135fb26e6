"""Soak: searches one after the other on real servers, while something is killed, stopped or cut off all the time.

``python -m tests.chaos.soak --minutes 30``. In the end all is healed, every search must complete, and each is audited.
"""

import argparse
import contextlib
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.chaos.fleet import RUNNERS, SERVICES, Fleet, running_fleet
from tests.e2e.installation import running_servers

_AT_ONCE = 3
_CALM_SECONDS = (1.0, 8.0)
_PAUSE_SECONDS = (1.0, 12.0)


class Soak:
    """Disturbs a fleet at random, and remembers what it did.

    Parameters
    ----------
    seed : decides what happens in which order
    """

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self.fleet = fleet
        self.dice = random.Random(seed)
        self.disturbances: Counter[str] = Counter()
        self.experiments: list[str] = []

    def run(self, seconds: float) -> None:
        """Disturb for so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._keep_busy()
            name, disturb = self.dice.choice(self._choices())
            self.disturbances[name] += 1
            disturb()
            time.sleep(self.dice.uniform(*_CALM_SECONDS))

    def finish(self) -> list[str]:
        """Wait until all searches are complete, and audit them; returns what is wrong."""
        failures = []
        for experiment_id in self.experiments:
            try:
                self.fleet.completes(experiment_id, 600)
            except (AssertionError, TimeoutError) as error:
                failures.append(f"{experiment_id}: {error}")
        return failures

    def _keep_busy(self) -> None:
        going_on = [experiment_id for experiment_id in self.experiments if not self.fleet.is_over(experiment_id)]
        for _ in range(_AT_ONCE - len(going_on)):
            self.experiments.append(self.fleet.create(max_restarts=1000))

    def _choices(self) -> list[tuple[str, Callable[[], None]]]:
        fleet, processes = self.fleet, (*SERVICES, *RUNNERS)
        return [
            *((f"kill {name}", lambda name=name: fleet.installation.restart(name)) for name in processes),  # type: ignore[misc]
            *((f"stop {name}", lambda name=name: self._stop_for_a_while(name)) for name in processes),  # type: ignore[misc]
            ("kill broker", fleet.restart_broker),
            ("kill database", fleet.restart_database),
            ("stop broker", lambda: self._rest(fleet.rabbitmq.suspend, fleet.rabbitmq.resume)),
            ("stop database", lambda: self._rest(fleet.mongod.suspend, fleet.mongod.resume)),
            ("empty broker", fleet.empty_broker),
            ("cut a runner off", lambda: self._rest(fleet.cable.cut, fleet.cable.restore)),
        ]

    def _stop_for_a_while(self, name: str) -> None:
        installation = self.fleet.installation
        self._rest(lambda: installation.suspend(name), lambda: installation.resume(name))

    def _rest(self, begin: Callable[[], None], end: Callable[[], None]) -> None:
        begin()
        time.sleep(self.dice.uniform(*_PAUSE_SECONDS))
        end()


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with contextlib.ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="etude-soak-")))
        fleet = ends.enter_context(running_fleet(folder, *ends.enter_context(running_servers(folder))))
        soak = Soak(fleet, asked.seed)
        soak.run(asked.minutes * 60)
        print("healed; waiting for the searches to complete", flush=True)
        failures = soak.finish()
        decisions = sum(map(fleet.decisions, soak.experiments))
    print(f"{asked.minutes:g} minutes, seed {asked.seed}: {len(soak.experiments)} searches, {decisions} decisions")
    for disturbance, count in sorted(soak.disturbances.items()):
        print(f"  {count:4} x {disturbance}")
    print("\n".join(failures) or "every search is complete, and the audit finds nothing wrong")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
