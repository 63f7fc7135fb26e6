"""TrialTable: the trials of one experiment in memory, so that any of them can be found by anything that is known."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from etude.config.expression import Expression, ExpressionError
from etude.names import MISSING, find, quoted
from etude.store import Above, Document, DocumentStore
from etude.store.schema import TRIAL_VIEWS
from etude_metrics.api.fresh import Fresh
from etude_metrics.api.models import Trial
from etude_metrics.api.pace import Pace
from etude_metrics.api.places import Place, part, sort_key
from etude_metrics.api.problems import ProblemError
from etude_metrics.reading import compact, in_parts

Page = tuple[list[Document], str | None]
_TRIALS_KEPT = 30_000  # of all experiments together
_LISTS_KEPT = 32
_FIELDS = (
    *("trial_id", "state", "trained", "length", "best"),
    *("restarts", "lease_number", "runner_id", "requested_at", "ended_at"),
)
_KEPT = tuple(name for name in Trial.model_fields if name != "log_tail")  # that is long, and asked for one by one


class TrialTable:
    """The trials of an experiment, up to some version of it.

    Attributes
    ----------
    version : the latest change that it knows of
    trials : by number
    states : how many are in each state
    """

    def __init__(self) -> None:
        self.version = 0
        self.trials: dict[int, Document] = {}
        self.states: dict[str, int] = {}
        self._lists: OrderedDict[tuple[str, str, str], list[Place]] = OrderedDict()

    def take(self, changed: Sequence[Document], version: int) -> None:
        """Take over what changed up to ``version``; of a later one it may be a part, the rest of which is to come.

        What was asked for earlier may come later: of two states of a trial the newer one stays.
        """
        for trial in changed:
            known = self.trials.get(trial["trial_id"])
            if known is not None and known["version"] > trial["version"]:
                continue
            self.trials[trial["trial_id"]] = compact({name: trial[name] for name in _KEPT if name in trial})
        self.version = max(self.version, version)
        if changed:
            self._lists = OrderedDict()  # a list that is being made is of what was there before
            self.states = dict(Counter(trial["state"] for trial in self.trials.values()))

    async def page(self, sort: str, where: str, state: str, limit: int, cursor: str | None) -> Page:
        """Some trials, and the cursor that asks for those after them.

        Parameters
        ----------
        sort : a name, with ``-`` before it the other way round; trials that have no such value come last
        where : an expression over a trial's fields, metrics and hyperparameters; empty for all
        state : only those in this state; empty for all

        Raises
        ------
        ProblemError
            The expression cannot be read or computed, or the cursor is none of ours.
        """
        numbers, after = part(await self._places(sort, where, state), limit, cursor)
        return [self.trials[number] for number in numbers], after

    async def _places(self, sort: str, where: str, state: str) -> list[Place]:
        """Those of the trials that fit, sorted."""
        key, lists = (sort, where, state), self._lists
        if key not in lists:
            fitting = [trial for trial in self.trials.values() if not state or trial["state"] == state]
            if where:  # which takes seconds for many trials, and somebody else waits meanwhile
                fitting = await asyncio.to_thread(_those_that_fit, where, fitting, list(self.trials.values()))
            name, descending = sort.lstrip("-"), sort.startswith("-")
            lists[key] = sorted((sort_key(_value(t, name), descending), t["trial_id"]) for t in fitting)
            while len(lists) > _LISTS_KEPT:
                lists.popitem(last=False)
        lists.move_to_end(key)
        return lists[key]


class TrialTables:
    """Those of the experiments that were asked for last, brought up to date from the store when they are asked for."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store
        self._tables: OrderedDict[str, TrialTable] = OrderedDict()
        self._reading: Fresh[None] = Fresh(Pace())

    async def table(self, experiment_id: str, version: int) -> TrialTable:
        """The table of an experiment that is at ``version`` now."""
        table = self._tables.setdefault(experiment_id, TrialTable())
        self._tables.move_to_end(experiment_id)
        if table.version < version:
            await self._reading.get((experiment_id, version), lambda: self._read(table, experiment_id, version))
        return table

    async def _read(self, table: TrialTable, experiment_id: str, version: int) -> None:
        """Bring a table up to a version."""
        where = {"experiment_id": experiment_id, "version": Above(table.version)}
        async for some in in_parts(self._store, TRIAL_VIEWS, where, "trial_id", 0):
            table.take(some, table.version)
        table.take([], version)
        while len(self._tables) > 1 and sum(len(t.trials) for t in self._tables.values()) > _TRIALS_KEPT:
            self._tables.popitem(last=False)


def values_of(trial: Mapping[str, Any]) -> dict[str, Any]:
    """What expressions may name: fields, metrics (also as ``metrics.NAME``), and hyperparameters, which go first."""
    metrics = {name: value for name, value in (trial["metrics"] or {}).items() if value is not None}
    fields = {name: trial[name] for name in _FIELDS if trial[name] is not None}
    if trial["best"]:
        fields["best"] = trial["best"]["value"]
    hyperparameters = trial["hyperparameters"]
    return {**metrics, **fields, "metrics": metrics, "hyperparameters": hyperparameters, **hyperparameters}


def _those_that_fit(where: str, trials: Sequence[Document], known: Collection[Document]) -> list[Document]:
    try:
        expression = Expression(where)
        fitting = [trial for trial in trials if expression.holds(values_of(trial), if_absent=False)]
        if not fitting:
            _check_names(expression, known)
    except ExpressionError as error:
        raise ProblemError(422, f"where: {error}", [{"path": "query.where", "message": str(error)}]) from None
    return fitting


def _check_names(expression: Expression, trials: Collection[Document]) -> None:
    """Has any trial what an expression names? Nobody knows before one has reported.

    Raises
    ------
    ExpressionError
        None has, and it is no field of trials.
    """
    if not any(trial["metrics"] for trial in trials):
        return
    values = [values_of(trial) for trial in trials]
    for name in sorted(expression.names):
        if name[0] not in (*_FIELDS, "metrics") and all(find(some, name) is MISSING for some in values):
            known = sorted({quoted([word]) for some in values for word in some} | set(_FIELDS))
            raise ExpressionError(f"no trial has {quoted(name)}; there are: {', '.join(known)}")


def _value(trial: Document, name: str) -> Any:
    """What :func:`values_of` has under a dotted name, without making all of it."""
    first, *rest = name.split(".")
    value = find(trial["hyperparameters"], [first, *rest])
    if value is not MISSING:
        return value
    value = None
    if first in ("hyperparameters", "metrics"):
        value = trial[first]
    elif first == "best":
        value = trial["best"]["value"] if trial["best"] else None
    elif first in _FIELDS and trial[first] is not None:
        value = trial[first]
    else:
        value = (trial["metrics"] or {}).get(first)
    found = find(value, rest)
    return None if found is MISSING else found
