"""Audit: what must be true of an experiment, whatever happened on its way. Pure.

The search log is compared with itself (no gap, nothing decided twice, every report answered), with the engine (the same
causes lead to the same decisions) and with what the metrics service knows (no report lost, no trial or allocation that
goes on after its end, no checkpoint that nobody knows of).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from etude_searcher.hindsight import replay
from etude_searcher.journal import recorded_decision

Item = Mapping[str, Any]

_VALIDATION = "etude.validation.completed.v1"
_ANSWERS = ("etude.trial.continued.v1", "etude.trial.paused.v1", "etude.trial.closed.v1")
_TARGETS = ("etude.trial.requested.v1", "etude.trial.continued.v1")
_OVER = ("completed", "failed", "canceled")


@dataclass(frozen=True)
class Records:
    """What is known of an experiment, as the query API answers.

    Attributes
    ----------
    stored : URIs of the checkpoint folders that exist; None if they cannot be looked at from here
    """

    experiment: Item
    decisions: Sequence[Item]
    trials: Sequence[Item] = ()
    validations: Sequence[Item] = ()
    checkpoints: Sequence[Item] = ()
    allocations: Sequence[Item] = ()
    dead_letters: Sequence[Item] = ()
    stored: Sequence[str] | None = field(default=None)

    @property
    def is_over(self) -> bool:
        """Is nothing more to be decided?"""
        return self.experiment["state"] in _OVER


def audit(records: Records) -> list[str]:
    """Everything that is wrong, each in a sentence; empty if nothing is."""
    if records.experiment["state"] == "rejected":
        return []
    findings = [*_check_log(records.decisions)]
    if not findings:
        findings += _check_engine(records.decisions)
    return [
        *findings,
        *_check_reports(records),
        *_check_trials(records),
        *_check_checkpoints(records),
        *_check_leftovers(records),
    ]


def check_decisions(decisions: Sequence[Item]) -> list[str]:
    """What is wrong with a search log by itself."""
    return list(_check_log(decisions))


def _check_log(decisions: Sequence[Item]) -> Iterator[str]:
    if not decisions:
        yield "the search log is empty"
    for place, decision in enumerate(decisions):
        if decision["seq"] != place:
            yield f"decision {place} is missing: {decision['seq']} comes after {place - 1}"
            return
    due: dict[int, int] = {}  # by trial: the target that a result is awaited for
    for decision in decisions:
        if _is_validation(decision):
            trial_id, length = _reported(decision)
            target = due.pop(trial_id, None)
            if target is None or length < target:
                yield f"decision {decision['seq']} decides on trial {trial_id} at {length}, which was not awaited"
        for event in decision["events"]:
            if event["type"] in _TARGETS:
                due[_trial(event)] = next(iter(event["data"]["train_until"].values()))
            elif event["type"] in _ANSWERS:
                due.pop(_trial(event), None)
    for decision in filter(_is_validation, decisions):
        trial_id, _ = _reported(decision)
        answers = [e["type"] for e in decision["events"] if e["type"] in _ANSWERS and _trial(e) == trial_id]
        if len(answers) != 1:
            yield f"decision {decision['seq']} answers trial {trial_id} {len(answers)} times: {', '.join(answers)}"


def _check_engine(decisions: Sequence[Item]) -> Iterator[str]:
    difference = replay([recorded_decision(dict(decision)) for decision in decisions])
    if difference is not None:
        yield f"decision {difference.seq} is made differently now; see etude experiment replay"


def _check_reports(records: Records) -> Iterator[str]:
    """Of the reports that were to be decided, none is unknown to the searcher or to the metrics service."""
    known = {(item["trial_id"], item["length"]) for item in records.validations}
    decided = {_reported(decision) for decision in filter(_is_validation, records.decisions)}
    for trial_id, length in sorted(decided - known):
        yield f"trial {trial_id} at {length} was decided, but its validation is not stored"
    if records.experiment["state"] != "completed":
        return
    targets = {
        (_trial(event), next(iter(event["data"]["train_until"].values())))
        for decision in records.decisions
        for event in decision["events"]
        if event["type"] in _TARGETS
    }
    given_up = {_trial(decision["cause"]) for decision in records.decisions if decision["cause"]["type"] != _VALIDATION}
    for trial_id, length in sorted((known & targets) - decided):
        if trial_id not in given_up:
            yield f"the validation of trial {trial_id} at {length} was never decided"


def _check_trials(records: Records) -> Iterator[str]:
    last: dict[int, str] = {}
    for decision in records.decisions:
        for event in decision["events"]:
            if event["type"] in (*_ANSWERS, *_TARGETS):
                last[_trial(event)] = event["type"]
    if sorted(last) != list(range(1, len(last) + 1)):
        yield f"the trials of the log are not numbered without a gap: {sorted(last)}"
    views = {trial["trial_id"]: trial for trial in records.trials}
    if missing := sorted(last.keys() - views.keys()):
        yield f"trials of the log that are not stored: {missing}"
    if invented := sorted(views.keys() - last.keys()):
        yield f"trials that were never requested: {invented}"
    if not records.is_over:
        return
    for trial_id, event_type in sorted(last.items()):
        if event_type != "etude.trial.closed.v1":
            yield f"trial {trial_id} was never closed"
        elif trial_id in views and views[trial_id]["ended_at"] is None:
            yield f"trial {trial_id} is closed, but is shown as {views[trial_id]['state']}"


def _check_checkpoints(records: Records) -> Iterator[str]:
    requested = {trial["trial_id"] for trial in records.trials}
    present = {item["uri"] for item in records.checkpoints if not item["deleted"]}
    for item in records.checkpoints:
        if item["trial_id"] not in requested:
            yield f"checkpoint {item['uri']} is of no known trial"
    best = (records.experiment["best"] or {}).get("checkpoint")
    if records.experiment["state"] == "completed" and best and best not in present:
        yield f"the best checkpoint is gone: {best}"
    if records.stored is None:
        return
    for uri in sorted(present - set(records.stored)):
        yield f"checkpoint {uri} is known, but not stored"
    if records.is_over:
        known = {item["uri"] for item in records.checkpoints}
        for uri in sorted(set(records.stored) - known):
            yield f"checkpoint {uri} is stored, but nobody knows of it"


def _check_leftovers(records: Records) -> Iterator[str]:
    if records.is_over:
        for item in records.allocations:
            if item["ended"] is None:
                yield f"lease {item['lease_number']} of trial {item['trial_id']} on {item['runner_id']} never ended"
    for letter in records.dead_letters:
        yield f"dead letter {letter['letter_id']} in {letter['queue']}: {letter['reason']}"


def _is_validation(decision: Item) -> bool:
    return bool(decision["cause"]["type"] == _VALIDATION)


def _reported(decision: Item) -> tuple[int, int]:
    data = decision["cause"]["data"]
    return data["trial_id"], next(iter(data["length"].values()))


def _trial(event: Item) -> int:
    return int(event["data"].get("trial_id", 0))
