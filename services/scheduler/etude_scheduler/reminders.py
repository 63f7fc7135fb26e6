"""Reminders: what the searcher leaves unanswered, and when to report it again, or to ask. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from etude.events import Event, ExperimentResyncRequested, TrialExited, ValidationCompleted
from etude_scheduler.execution import Execution, Key, Want
from etude_scheduler.ledger import Ledger, Message

_AT_ONCE = datetime.min.replace(tzinfo=UTC)


@dataclass
class _Reminder:
    due: datetime
    interval: timedelta


class Reminders:
    """Repeats reports for which no decision comes.

    A decision takes milliseconds. If it takes seconds, an event was lost with a process or a broker, or the searcher
    is down. A report is repeated after ``first``, then at intervals that double, up to ``longest``; reports that are
    unanswered when a scheduler loads its pool are repeated at once. Of an experiment that ended without a word on some
    of its trials, all decisions are asked for: if it is extended, they must not be trained again.

    Parameters
    ----------
    ledger : is read
    """

    def __init__(self, ledger: Ledger, first: timedelta, longest: timedelta) -> None:
        self._ledger = ledger
        self._first, self._longest = first, longest
        self._pending: dict[Key, _Reminder] = {}

    def watch(self, execution: Execution) -> None:
        """Begin or cease to wait for a decision about a trial, as its state has it."""
        if _unanswered(execution) is None:
            self._pending.pop(execution.key, None)
        elif execution.key not in self._pending:
            now = self._ledger.now
            self._pending[execution.key] = _Reminder(_AT_ONCE if now is None else now + self._first, self._first)

    def take_due(self, now: datetime) -> list[Message]:
        """The reports that are to be repeated now."""
        messages: list[Message] = []
        asked: set[str] = set()
        for key, reminder in list(self._pending.items()):
            execution = self._ledger.executions.get(key)
            event = _unanswered(execution) if execution else None
            if event is None:
                del self._pending[key]
                continue
            asks, share = isinstance(event, ExperimentResyncRequested), self._ledger.share(key[0])
            if now < reminder.due or not (share.ended if asks else share.active):
                continue
            self._pending[key] = _Reminder(now + reminder.interval, min(reminder.interval * 2, self._longest))
            if not asks or key[0] not in asked:  # one answer tells of all trials
                messages.append(Message(key[0], event))
            if asks:
                asked.add(key[0])
        return messages


def _unanswered(execution: Execution) -> Event | None:
    """What the searcher must answer about a trial."""
    if execution.closed_with_experiment:
        return ExperimentResyncRequested(requested_by="scheduler")
    if execution.closed:
        return None
    if execution.exited:
        return TrialExited.model_validate(execution.exited)
    if execution.want() is Want.DECISION and execution.last_validation:
        return ValidationCompleted.model_validate(execution.last_validation)
    return None
