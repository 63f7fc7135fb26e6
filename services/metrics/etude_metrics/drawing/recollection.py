"""Recollection: what figures need of one experiment, kept in memory and brought up to date from the store."""

from collections.abc import Sequence
from typing import Any

from etude.figures import LATEST
from etude.material import Material
from etude.store import Above, Document, DocumentStore
from etude.store.schema import ALLOCATIONS, EXPERIMENT_VIEWS, SEARCH_LOG, TRIAL_VIEWS, VALIDATIONS, Collection
from etude_metrics.reading import compact, in_parts

_TRIAL_FIELDS = ("trial_id", "state", "hyperparameters", "bracket", "rungs", "target", "length", "best")


class Recollection:
    """One experiment. Of what only grows, what is new is read; of the rest, all."""

    def __init__(self, store: DocumentStore, experiment_id: str) -> None:
        self._store = store
        self._experiment_id = experiment_id
        self._version = 0
        self._trials: dict[int, Document] = {}
        self._order = -1
        self._curves: dict[int, dict[int, float | None]] = {}
        self._best: list[Document] = []
        self._unit = "batches"

    @property
    def size(self) -> int:
        """How many trials it holds."""
        return len(self._trials)

    async def material(self, needs: Sequence[str]) -> Material | None:
        """The experiment with its trials and the parts that are needed; None if it is not known."""
        found = await self._store.get(EXPERIMENT_VIEWS, [self._experiment_id])
        if not found or found[0]["config"] is None:
            return None
        experiment = {**found[0], "experiment_id": self._experiment_id}
        await self._read_trials(experiment["version"])
        parts: dict[str, Any] = {}
        if {"curves", "best"} & set(needs):
            await self._read_validations(experiment["metric"] or "")
            parts = {"curves": self._drawn_curves(), "best": self._best}
        if "allocations" in needs:
            parts["allocations"] = await self._latest(ALLOCATIONS, "order")
        if "decisions" in needs:
            parts["decisions"] = await self._latest(SEARCH_LOG, "seq")
        return Material(experiment, [self._trials[number] for number in sorted(self._trials)], **parts)

    async def _latest(self, collection: Collection, order: str) -> list[Document]:
        """As many as a figure shows, in order."""
        return (await self._store.find(collection, self._where, (f"-{order}",), LATEST))[::-1]

    @property
    def _where(self) -> dict[str, Any]:
        return {"experiment_id": self._experiment_id}

    async def _read_trials(self, version: int) -> None:
        where = {**self._where, "version": Above(self._version)}
        async for some in in_parts(self._store, TRIAL_VIEWS, where, "trial_id", 0):
            for trial in some:
                self._trials[trial["trial_id"]] = compact({name: trial[name] for name in _TRIAL_FIELDS})
        self._version = max(self._version, version)

    async def _read_validations(self, metric: str) -> None:
        async for some in in_parts(self._store, VALIDATIONS, self._where, "order", self._order):
            for validation in some:
                self._order, self._unit = validation["order"], validation["unit"]
                curve = self._curves.setdefault(validation["trial_id"], {})
                curve[validation["length"]] = validation["metrics"].get(metric)
                if validation["improves"]:
                    self._best.append(validation)

    def _drawn_curves(self) -> list[Document]:
        return [
            {
                "trial_id": trial_id,
                "unit": self._unit,
                "lengths": sorted(curve),
                "values": [curve[n] for n in sorted(curve)],
            }
            for trial_id, curve in sorted(self._curves.items())
        ]
