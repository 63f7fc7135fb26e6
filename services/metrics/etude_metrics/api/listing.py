"""Listing: all experiments in memory, without what only one of them is asked for, to be filtered and sorted."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from etude.store import Above, Document, DocumentStore
from etude.store.schema import EXPERIMENT_VIEWS
from etude_metrics.api.fresh import Fresh
from etude_metrics.api.models import Experiment
from etude_metrics.api.pace import Pace
from etude_metrics.api.places import Place, part, sort_key
from etude_metrics.reading import compact, in_parts
from etude_metrics.views import DELETED

SORTS = ("created_at", "ended_at", "name", "state", "owner", "progress", "trials", "best")
_FIELDS = ("_id", *(name for name in Experiment.model_fields if name != "experiment_id"))
_AGAIN = 5_000_000  # microseconds of changes that are read again: of the latest some may have been stored since


class Listing:
    """Every experiment that was created, brought up to date from the store by :meth:`refresh`.

    Parameters
    ----------
    pace : how new it is
    """

    def __init__(self, store: DocumentStore, pace: Pace | None = None) -> None:
        self._store = store
        self._version = 0
        self._changes = 0
        self._experiments: dict[str, Document] = {}
        self._reading: Fresh[int] = Fresh(pace or Pace())

    def page(
        self, where: Mapping[str, Any], sort: str, limit: int, cursor: str | None
    ) -> tuple[list[Document], str | None]:
        """Some experiments, and the cursor that asks for those after them.

        Parameters
        ----------
        where : ``state``, ``label``, ``owner``, ``text`` (in name or id) and ``archived``; None for any
        sort : one of :data:`SORTS`, with ``-`` before it the other way round
        """
        fitting = [experiment for experiment in self._experiments.values() if _fits(experiment, where)]
        name, descending = sort.lstrip("-"), sort.startswith("-")
        places: list[Place] = sorted((sort_key(_value(e, name), descending), e["_id"]) for e in fitting)
        ids, after = part(places, limit, cursor)
        return [{**self._experiments[id_], "experiment_id": id_} for id_ in ids], after

    async def changed(self, version: int) -> list[Document]:
        """Those that changed since a version, and some that changed shortly before, in the order of their changes.

        One that was deleted is among them once, in that state.
        """
        await self.refresh()
        found = [e for e in self._experiments.values() if e["version"] > version - _AGAIN]
        return [{**e, "experiment_id": e["_id"]} for e in sorted(found, key=lambda e: int(e["version"]))]

    async def refresh(self) -> int:
        """Read what changed; the number of changes that there ever were."""
        return await self._reading.get(None, self._read)

    async def _read(self) -> int:
        recently = self._version > time.time() * 1e6 - _AGAIN
        above = self._version - _AGAIN if recently else self._version
        async for some in in_parts(self._store, EXPERIMENT_VIEWS, {"version": Above(above)}, "_id", ""):
            self._take(some)
        return self._changes

    def _take(self, changed: Sequence[Document]) -> None:
        for experiment in changed:
            known = self._experiments.get(experiment["_id"])
            if known is not None and known["version"] >= experiment["version"]:
                continue  # it is known, or was asked for earlier and came later
            known_to_all = experiment["order"] is not None  # else it is one that only strangers talk of, or was deleted
            if known_to_all or experiment["_id"] in self._experiments:
                self._experiments[experiment["_id"]] = compact({name: experiment[name] for name in _FIELDS})
                self._changes += 1
            self._version = max(self._version, experiment["version"])


def _fits(experiment: Document, where: Mapping[str, Any]) -> bool:
    text = (where.get("text") or "").casefold()
    return (
        experiment["state"] != DELETED
        and experiment["archived"] == bool(where.get("archived"))
        and all(where.get(name) in (None, experiment[name]) for name in ("state", "owner"))
        and (not where.get("label") or where["label"] in experiment["labels"])
        and (not text or text in experiment["name"].casefold() or text in experiment["_id"])
    )


def _value(experiment: Document, name: str) -> Any:
    if name == "best":
        return experiment["best"]["value"] if experiment["best"] else None
    return experiment[name]
