"""One trial on a machine, from grant to end."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from etude.artifacts import ArtifactError
from etude.events import (
    AllocationEnded,
    AllocationStarted,
    CheckpointReference,
    CheckpointSaved,
    EndReason,
    Event,
    Gang,
    Length,
    LogWritten,
    ModelDefinition,
    TrainingReported,
    ValidationCompleted,
)
from etude_trial_runner.allocation import Allocation, Fetch, Patience
from etude_trial_runner.assignments import Place
from etude_trial_runner.launcher import LaunchError
from tests.unit.make import NOW
from tests.unit.trial_runner.doubles import ScriptedLauncher, ScriptedProcess, fetch, granted, turn

IMPATIENT = Patience(resend=0.02, hand_back=0.05, stop=0.05)


class Stage:
    """An allocation that is carried out, and what it reports."""

    def __init__(
        self,
        launcher: ScriptedLauncher | None = None,
        fetch: Fetch = fetch,
        patience: Patience | None = None,
        **fields: Any,
    ) -> None:
        self.reports: list[Event] = []
        self.telemetry: list[Event] = []
        self.launcher = launcher or ScriptedLauncher()
        self.allocation = Allocation(
            "exp",
            granted(**fields),
            launcher=self.launcher,
            fetch=fetch,
            report=self.reports.append,
            send=self.telemetry.append,
            clock=lambda: NOW,
            place=Place("file:///storage", "cpu", 2),
            patience=patience or Patience(),
        )
        self.task = asyncio.create_task(self.allocation.carry_out())

    async def process(self) -> ScriptedProcess:
        """The process, once it runs."""
        await turn()
        return self.launcher.processes[0]

    async def end(self) -> AllocationEnded:
        """How it ended."""
        return await asyncio.wait_for(self.task, 5)

    def reported(self, kind: type[Event]) -> list[Any]:
        """The reports of one kind."""
        return [event for event in self.reports if isinstance(event, kind)]


async def test_the_process_gets_all_that_it_needs() -> None:
    checkpoint = CheckpointReference(uri="file:///c", length=50)
    stage = Stage(checkpoint=checkpoint)
    process = await stage.process()
    a = process.assignment
    assert (a.experiment_id, a.trial_id, a.lease_number, a.trial_seed) == ("exp", 1, 1, 7)
    assert (a.hyperparameters, a.train_until, a.checkpoint) == ({"rate": 0.1}, Length.batches(100), checkpoint)
    assert (a.model_directory, a.storage, a.slots, a.threads) == ("/model", "file:///storage", ["0"], 2)
    assert a.environment == {"COLOUR": "red"}
    assert stage.reported(AllocationStarted)[0].slots == ["0"]


async def test_a_validation_is_reported_and_a_decision_passed_on() -> None:
    stage = Stage()
    process = await stage.process()
    process.save(100)
    process.validate(100, loss=0.5, saved=True)
    [saved], [validation] = stage.reported(CheckpointSaved), stage.reported(ValidationCompleted)
    assert (validation.metrics, validation.checkpoint.uri, validation.lease_number) == ({"loss": 0.5}, saved.uri, 1)
    assert saved.uri == "file:///storage/checkpoints/exp/1/1-100", "which the runner knows, and not the process"
    stage.allocation.extend(Length.batches(300))
    assert process.told == [{"do": "extend", "train_until": {"batches": 300}}]
    assert stage.allocation.running.train_until == Length.batches(300)
    stage.allocation.extend(Length.batches(200))  # late: it knows better
    assert len(process.told) == 1


@pytest.mark.parametrize(("written", "read"), [("nan", "nan"), ("inf", "inf"), (1, "1.0")])
async def test_numbers_that_json_does_not_have_are_read_back(written: Any, read: str) -> None:
    stage = Stage()
    process = await stage.process()
    process.say({"say": "validation", "length": {"batches": 100}, "metrics": {"loss": written}, "checkpoint": None})
    assert repr(stage.reported(ValidationCompleted)[0].metrics["loss"]) == read


async def test_what_is_no_number_is_passed_on_as_information() -> None:
    stage = Stage()
    process = await stage.process()
    message = {"say": "validation", "length": {"batches": 100}, "metrics": {"loss": 1}, "information": {"note": "good"}}
    process.say(message)
    assert stage.reported(ValidationCompleted)[0].information == {"note": "good"}


async def test_a_released_trial_is_told_to_stop_and_ends_as_released() -> None:
    stage = Stage()
    process = await stage.process()
    process.validate(100)
    stage.allocation.stop(EndReason.RELEASED)
    assert process.told == [{"do": "stop"}]
    process.exit(0)
    ended = await stage.end()
    assert (ended.reason, ended.exit_code, ended.log_tail) == (EndReason.RELEASED, 0, [])


async def test_a_trial_that_does_not_stop_is_killed() -> None:
    stage = Stage(patience=IMPATIENT)
    process = await stage.process()
    stage.allocation.stop(EndReason.PREEMPTED)
    ended = await stage.end()
    assert process.killed
    assert ended.reason is EndReason.PREEMPTED


async def test_a_configuration_says_how_long_its_trials_may_take_to_stop() -> None:
    stage = Stage(config={"preemption_timeout": 0.05})
    process = await stage.process()
    stage.allocation.stop(EndReason.PREEMPTED)
    await stage.end()
    assert process.killed


async def test_a_killed_trial_ends_at_once() -> None:
    stage = Stage()
    process = await stage.process()
    stage.allocation.kill()
    assert (await stage.end()).reason is EndReason.PREEMPTED
    assert process.killed


async def test_a_trial_that_is_killed_while_its_process_starts_does_not_run_on() -> None:
    stage = Stage()
    while not stage.launcher.asked:
        await asyncio.sleep(0)
    stage.allocation.kill()
    assert (await stage.end()).reason is EndReason.PREEMPTED
    assert [process.killed for process in stage.launcher.processes] == [True]


async def test_without_a_decision_the_result_is_told_again_and_the_slots_are_handed_back() -> None:
    stage = Stage(patience=IMPATIENT)
    process = await stage.process()
    process.validate(100)
    await asyncio.sleep(0.2)
    assert len(stage.reported(ValidationCompleted)) == 3
    assert process.told == [{"do": "stop"}]
    process.exit(0)
    assert (await stage.end()).reason is EndReason.FINISHED


async def test_a_decision_ends_the_waiting() -> None:
    stage = Stage(patience=IMPATIENT)
    process = await stage.process()
    process.validate(100)
    stage.allocation.extend(Length.batches(300))
    await asyncio.sleep(0.1)
    assert process.told == [{"do": "extend", "train_until": {"batches": 300}}]
    assert len(stage.reported(ValidationCompleted)) == 1
    process.exit(0)
    await stage.end()


async def test_an_error_is_told_with_the_end_of_the_log() -> None:
    stage = Stage()
    process = await stage.process()
    for number in range(60):
        process.write("stderr", f"line {number}")
    process.say({"say": "failed", "detail": "ValueError: no"})
    process.exit(1)
    ended = await stage.end()
    assert (ended.reason, ended.exit_code, ended.detail) == (EndReason.FAILED, 1, "ValueError: no")
    assert ended.log_tail == [f"line {number}" for number in range(10, 60)]


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        (3, "exit code 3"),
        (-11, "killed by signal 11"),
        (-9, "killed by signal 9 (out of memory?)"),
        (
            0,
            "it ended by itself at 0 of 100 batches, and reported no validation at its target; call "
            "run.report_validation(length, metrics) at operation.length, or beyond it",
        ),
    ],
)
async def test_a_process_that_just_ends_has_failed(code: int, detail: str) -> None:
    stage = Stage()
    (await stage.process()).exit(code)
    ended = await stage.end()
    assert (ended.reason, ended.detail) == (EndReason.FAILED, detail)


async def test_a_process_that_ends_after_its_last_result_is_finished() -> None:
    stage = Stage()
    process = await stage.process()
    process.validate(100)
    process.exit(0)
    assert (await stage.end()).reason is EndReason.FINISHED


async def test_invalid_hyperparameters_are_told_as_such() -> None:
    stage = Stage()
    process = await stage.process()
    process.say({"say": "invalid-hyperparameters", "detail": "too wide"})
    process.exit(0)
    ended = await stage.end()
    assert (ended.reason, ended.detail) == (EndReason.INVALID_HYPERPARAMETERS, "too wide")


async def test_a_process_that_cannot_start_has_failed_with_the_reason() -> None:
    ended = await Stage(ScriptedLauncher(LaunchError("no zygote"))).end()
    assert (ended.reason, ended.detail, ended.exit_code) == (EndReason.FAILED, "no zygote", None)


async def test_a_model_definition_that_is_missing_has_failed_with_the_reason() -> None:
    async def missing(definition: ModelDefinition) -> Path:
        raise ArtifactError("model definition s3://b/x cannot be read")

    ended = await Stage(fetch=missing).end()
    assert (ended.reason, ended.detail) == (EndReason.FAILED, "model definition s3://b/x cannot be read")


async def test_orders_that_come_before_the_process_are_given_to_it() -> None:
    stage = Stage()
    stage.allocation.extend(Length.batches(300))
    stage.allocation.stop(EndReason.RELEASED)
    process = await stage.process()
    assert process.told == [{"do": "extend", "train_until": {"batches": 300}}, {"do": "stop"}]
    process.exit(0)
    assert (await stage.end()).reason is EndReason.RELEASED


async def test_a_trial_that_is_killed_before_it_starts_never_does() -> None:
    stage = Stage()
    stage.allocation.kill()
    assert (await stage.end()).reason is EndReason.PREEMPTED
    assert stage.launcher.processes == []


async def test_output_and_training_metrics_travel_as_telemetry() -> None:
    stage = Stage()
    process = await stage.process()
    process.write("stdout", "hello")
    process.say({"say": "training", "length": {"batches": 5}, "metrics": {"loss": 2.0}})
    process.exit(1)
    await stage.end()
    points, lines = stage.telemetry
    assert isinstance(points, TrainingReported)
    assert isinstance(lines, LogWritten)
    assert (points.points[0].length, points.points[0].metrics) == (Length.batches(5), {"loss": 2.0})
    assert (lines.first, lines.lines[0].text, lines.lines[0].stream) == (0, "hello", "stdout")


def gang(first_rank: int, rendezvous: str | None) -> Gang:
    return Gang(size=4, first_rank=first_rank, rendezvous=rendezvous)


async def test_a_trial_of_two_slots_has_two_processes_that_meet() -> None:
    stage = Stage(slots=["0", "1"])
    await stage.process()
    first, second = (process.assignment for process in stage.launcher.processes)
    assert [(a.rank, a.size, a.local_rank, a.local_size) for a in (first, second)] == [(0, 2, 0, 2), (1, 2, 1, 2)]
    assert first.rendezvous == second.rendezvous
    assert first.rendezvous.startswith("127.0.0.1:")
    stage.allocation.kill()
    await stage.end()


async def test_only_the_first_process_is_told_and_heard() -> None:
    stage = Stage(slots=["0", "1"])
    first = await stage.process()
    second = stage.launcher.processes[1]
    second.validate(100)
    assert stage.reported(ValidationCompleted) == []
    stage.allocation.extend(Length.batches(300))
    assert (len(first.told), second.told) == (1, [])
    first.exit(0)
    second.say({"say": "failed", "detail": "ValueError: no"})
    second.exit(1)
    ended = await stage.end()
    assert (ended.reason, ended.detail, ended.exit_code) == (EndReason.FAILED, "ValueError: no", 1)


async def test_when_one_process_fails_the_others_are_killed() -> None:
    stage = Stage(slots=["0", "1"])
    first = await stage.process()
    stage.launcher.processes[1].exit(-11)
    ended = await stage.end()
    assert first.killed
    assert ended.detail == "killed by signal 11"


async def test_the_first_of_a_gang_tells_where_to_meet_and_the_others_go_there() -> None:
    first = Stage(slots=["0", "1"], gang=gang(0, None))
    await first.process()
    [started] = first.reported(AllocationStarted)
    assert started.rendezvous == first.allocation.running.rendezvous
    second = Stage(slots=["0", "1"], gang=gang(2, started.rendezvous))
    await second.process()
    assert [p.assignment.rank for p in second.launcher.processes] == [2, 3]
    assert {p.assignment.rendezvous for p in second.launcher.processes} == {started.rendezvous}
    for process in second.launcher.processes:
        process.exit(0)
    ended = await second.end()
    assert ended.reason is EndReason.FINISHED, "a part that is not the first has nothing to report"
    first.allocation.kill()
    await first.end()


async def test_a_part_of_a_slot_has_a_part_of_its_threads() -> None:
    stage = Stage(share=0.5)
    process = await stage.process()
    assert (process.assignment.share, process.assignment.threads) == (0.5, 1)


@pytest.mark.parametrize(("says", "at_start"), [([], True), ([{"say": "training", "length": {"batches": 1}}], False)])
async def test_an_ending_says_whether_it_was_at_the_start(says: list[Any], at_start: bool) -> None:
    stage = Stage()
    process = await stage.process()
    for message in says:
        process.say(message)
    process.exit(1)
    assert (await stage.end()).at_start is at_start


async def test_a_report_past_the_target_is_enough() -> None:
    stage = Stage(patience=IMPATIENT)
    process = await stage.process()
    process.validate(101)
    process.exit(0)
    assert (await stage.end()).reason is EndReason.FINISHED
    assert stage.reported(ValidationCompleted)[0].length == Length.batches(101)


async def test_what_a_script_reported_early_answers_later_decisions() -> None:
    stage = Stage()
    process = await stage.process()
    for length in (150, 250, 350, 450):
        process.say({"say": "validation", "length": {"batches": length}, "metrics": {"loss": 1.0}})
    process.exit(0)
    await turn()
    stage.allocation.extend(Length.batches(300))
    await turn()
    assert [v.length.amount for v in stage.reported(ValidationCompleted)] == [150, 250, 350, 450, 350]
    stage.allocation.stop(EndReason.RELEASED)
    assert (await stage.end()).reason is EndReason.RELEASED


async def test_a_script_that_has_ended_is_not_asked_for_more_than_it_reported() -> None:
    stage = Stage()
    process = await stage.process()
    process.say({"say": "validation", "length": {"batches": 150}, "metrics": {"loss": 1.0}})
    process.exit(0)
    await turn()
    stage.allocation.extend(Length.batches(300))
    ended = await stage.end()
    assert (ended.reason, ended.detail) == (EndReason.FINISHED, "")


async def test_how_far_it_came_is_told_and_another_attempt_would_not_help() -> None:
    stage = Stage(checkpoint=CheckpointReference(uri="file:///c", length=50))
    process = await stage.process()
    process.say({"say": "training", "length": {"batches": 60}, "metrics": {}})
    process.exit(0)
    ended = await stage.end()
    assert "at 60 of 100 batches" in ended.detail
    assert not ended.retryable


@pytest.mark.parametrize("retryable", [True, False])
async def test_whether_another_attempt_may_help_is_passed_on(retryable: bool) -> None:
    stage = Stage()
    process = await stage.process()
    process.say({"say": "failed", "detail": "ImportError: no timm", "retryable": retryable})
    process.exit(1)
    ended = await stage.end()
    assert (ended.detail, ended.retryable) == ("ImportError: no timm", retryable)


async def test_a_signal_to_the_process_is_a_wish_for_its_slots() -> None:
    stage = Stage()
    process = await stage.process()
    process.say({"say": "interrupted", "signal": "SIGTERM"})
    assert process.told == [{"do": "stop"}]
    process.exit(0)
    assert (await stage.end()).reason is EndReason.PREEMPTED


@pytest.mark.parametrize("message", [{"say": "ending"}, {"say": "failed", "detail": "ValueError: no"}])
async def test_a_thread_that_never_ends_does_not_keep_the_slots(message: dict[str, str]) -> None:
    stage = Stage(patience=IMPATIENT)
    process = await stage.process()
    process.validate(100)
    process.say(message)
    ended = await stage.end()
    assert process.killed
    assert (ended.reason, ended.detail) == (
        (EndReason.FINISHED, "") if message["say"] == "ending" else (EndReason.FAILED, "ValueError: no")
    )


@pytest.mark.parametrize(
    "message",
    [
        {"say": "validation"},
        {"say": "training", "length": {"hours": 1}},
        {"say": "failed"},
        {"say": "validation", "length": {"batches": 1}, "metrics": {"loss": "much"}},
    ],
)
async def test_a_message_that_makes_no_sense_is_a_failure_that_shows_it(message: dict[str, Any]) -> None:
    stage = Stage()
    process = await stage.process()
    process.say(message)
    ended = await stage.end()
    assert process.killed
    assert ended.reason is EndReason.FAILED
    assert "said what this runner does not understand: {'say': '" in ended.detail
