"""Whatever dies, stops or is cut off, a search ends complete, and the audit finds nothing wrong with it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.fleet import RUNNERS, SERVICES, Fleet, running_fleet
from tests.servers.mongod import Mongod
from tests.servers.rabbitmq import RabbitMQ

LONGER_THAN_A_LEASE = 6.0  # ETUDE_RUNNER_TIMEOUT is 4


@pytest.fixture
def fleet(tmp_path: Path, rabbitmq: RabbitMQ, mongod: Mongod) -> Iterator[Fleet]:
    with running_fleet(tmp_path, rabbitmq, mongod) as made:
        yield made


def test_every_process_is_killed_in_turn(fleet: Fleet) -> None:
    experiment_id = fleet.create()
    fleet.goes_on(experiment_id)
    for name in (*SERVICES, *RUNNERS):
        fleet.installation.restart(name)
        fleet.goes_on(experiment_id)
    fleet.restart_broker()
    fleet.goes_on(experiment_id)
    fleet.restart_database()
    fleet.completes(experiment_id)


def test_every_process_stands_still_for_longer_than_a_lease(fleet: Fleet) -> None:
    experiment_id = fleet.create()
    fleet.goes_on(experiment_id)
    for name in (*SERVICES, *RUNNERS):
        fleet.installation.suspend(name)
        time.sleep(LONGER_THAN_A_LEASE)
        fleet.installation.resume(name)
        fleet.goes_on(experiment_id)
    for server in (fleet.rabbitmq, fleet.mongod):
        server.suspend()
        time.sleep(LONGER_THAN_A_LEASE)
        server.resume()
        fleet.goes_on(experiment_id)
    fleet.completes(experiment_id)


def test_the_broker_is_emptied_while_trials_report(fleet: Fleet) -> None:
    experiment_id = fleet.create()
    for _ in range(2):
        fleet.goes_on(experiment_id)
        fleet.empty_broker()
    fleet.completes(experiment_id)


def test_a_runner_is_cut_off_for_longer_than_its_leases(fleet: Fleet) -> None:
    experiment_id = fleet.create()
    fleet.goes_on(experiment_id)
    for _ in range(2):
        fleet.cable.cut()
        time.sleep(LONGER_THAN_A_LEASE)
        fleet.cable.restore()
        fleet.goes_on(experiment_id)
    fleet.completes(experiment_id)


@pytest.mark.parametrize("disks_lost", [False, True])
def test_what_only_an_emptied_broker_held_is_stored_although_who_reported_it_was_killed(
    fleet: Fleet, disks_lost: bool
) -> None:
    experiment_id = fleet.create()
    fleet.goes_on(experiment_id)
    fleet.installation.kill("metrics")
    fleet.installation.until(lambda: fleet.unstored_validations(experiment_id) > 3, 60, "trials report")
    for name in RUNNERS:
        fleet.installation.kill(name)
    fleet.empty_broker()
    if disks_lost:
        fleet.lose_disk(*RUNNERS)
    for name in ("metrics", *RUNNERS):
        fleet.installation.start_again(name)
    fleet.completes(experiment_id)
