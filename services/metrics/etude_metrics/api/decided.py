"""Decided: which decisions of a search are about which trial. The search log itself does not say it in one field."""

from collections import OrderedDict

from etude.store import Above, Document, DocumentStore
from etude.store.schema import SEARCH_LOG

_READ = 500  # decisions at a time, so that others get their turn
_KEPT = 8  # experiments


class Decided:
    """An index in memory, of the experiments that were asked about last, brought up to date when it is asked."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store
        self._known: OrderedDict[str, _Index] = OrderedDict()

    async def about(self, experiment_id: str, trial_id: int) -> list[int]:
        """The numbers of the decisions about a trial, in order."""
        index = self._known.setdefault(experiment_id, _Index())
        self._known.move_to_end(experiment_id)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        while True:
            where = {"experiment_id": experiment_id, "seq": Above(index.last)}
            some = await self._store.find(SEARCH_LOG, where, ("seq",), _READ)
            index.take(some)
            if len(some) < _READ:
                return list(index.seqs.get(trial_id, []))


class _Index:
    def __init__(self) -> None:
        self.last = -1
        self.seqs: dict[int, list[int]] = {}

    def take(self, decisions: list[Document]) -> None:
        """Take over what is new; others may have brought it meanwhile."""
        for decision in decisions:
            if decision["seq"] <= self.last:
                continue
            self.last = decision["seq"]
            told = (decision["cause"], *decision["events"])
            for trial_id in {number for t in told if (number := t["data"].get("trial_id")) is not None}:
                self.seqs.setdefault(trial_id, []).append(self.last)
