"""Queries: the questions of the API, as questions to the store. A cursor is the sort key of the last item seen."""

from collections.abc import Mapping, Sequence
from typing import Any

from etude.store import Above, Below, Document, DocumentStore, In
from etude.store.schema import (
    ALLOCATIONS,
    CHECKPOINTS,
    EXPERIMENT_VIEWS,
    LOGS,
    POOLS,
    RUNNER_LOGS,
    SEARCH_LOG,
    TRAINING_POINTS,
    TRIAL_VIEWS,
    VALIDATIONS,
    Collection,
)
from etude_metrics.api.decided import Decided
from etude_metrics.api.fresh import Fresh
from etude_metrics.api.listing import SORTS, Listing
from etude_metrics.api.pace import Pace
from etude_metrics.sampling import downsample

EXPERIMENT_SORTS = SORTS
_FIRST, _MORE = 4, 64  # documents of several items, that are read at once and, if these are not enough, at a time

Found = tuple[list[Document], str | None]
"""Documents, and the cursor after them."""


class Queries:
    """Reads the views, page by page.

    Parameters
    ----------
    pace : how new the list of experiments and the pools are
    """

    def __init__(self, store: DocumentStore, pace: Pace | None = None) -> None:
        self._store = store
        self._listing = Listing(store, pace or Pace())
        self._pools: Fresh[list[Document]] = Fresh(pace or Pace())
        self._decided = Decided(store)

    async def experiments(self, where: Mapping[str, Any], sort: str, limit: int, cursor: str | None) -> Found:
        """Experiments that fit, sorted; see :class:`Listing`."""
        return self._listing.page(where, sort, limit, cursor)

    async def experiments_version(self) -> int:
        """Rises when any experiment changes; what changed until now is in the list after this."""
        return await self._listing.refresh()

    async def changed_experiments(self, version: int) -> list[Document]:
        """Experiments that changed since a version; see :meth:`Listing.changed`."""
        return await self._listing.changed(version)

    async def experiment(self, experiment_id: str) -> Document | None:
        """One experiment."""
        found = await self._store.get(EXPERIMENT_VIEWS, [experiment_id])
        return _experiment(found[0]) if found and found[0]["config"] is not None else None

    async def trials(self, experiment_id: str, state: str | None, limit: int, cursor: str | None) -> Found:
        """Trials by number."""
        where: dict[str, Any] = {"experiment_id": experiment_id, "trial_id": Above(int(cursor or 0))}
        if state:
            where["state"] = state
        return _page(await self._store.find(TRIAL_VIEWS, where, ("trial_id",), limit + 1), limit, "trial_id")

    async def best_trials(self, experiment_id: str, limit: int) -> list[Document]:
        """Trials by their best validation."""
        found = await self._store.find(TRIAL_VIEWS, {"experiment_id": experiment_id}, ("standing", "trial_id"), limit)
        return [trial for trial in found if trial["best"] is not None]

    async def trial(self, experiment_id: str, trial_id: int) -> Document | None:
        """One trial."""
        found = await self._store.get(TRIAL_VIEWS, [f"{experiment_id}/{trial_id}"])
        return found[0] if found else None

    async def pools(self) -> list[Document]:
        """The resource pools, as their schedulers last saw them."""
        return await self._pools.get(None, lambda: self._store.find(POOLS, {}, ("_id",)))

    async def placement(self, trial: Document) -> Document:
        """Where a trial is, or why it is nowhere."""
        state, claims = trial["state"], [claim for pool in await self.pools() for claim in pool["claims"]]
        reason = {
            "running": f"it runs on {trial['runner_id']}",
            "paused": "the search has paused it; it goes on if it is promoted",
        }.get(state, "nothing more will come of it")
        if state in ("waiting", "requested"):
            claim = next((c for c in claims if c["experiment_id"] == trial["experiment_id"]), None)
            reason = "its scheduler has not told of it yet; is one running for its pool?"
            if claim and claim["waiting"]:
                others = claim["waiting"] - 1
                reason = (
                    claim["reason"]
                    if trial["trial_id"] == claim["next_trial"]
                    else (
                        f"trial {claim['next_trial']} of its experiment goes first, of {others} others that wait: "
                        f"{claim['reason']}"
                    )
                )
        return {"trial_id": trial["trial_id"], "state": state, "runner_id": trial["runner_id"], "reason": reason}

    async def validations(
        self, experiment_id: str, trial_id: int | None, improving: bool, limit: int, cursor: str | None
    ) -> Found:
        """Validations in the order in which they came; of one trial, or only those that were the best so far."""
        where: dict[str, Any] = {"experiment_id": experiment_id, "order": Above(int(cursor or -1))}
        if trial_id is not None:
            where["trial_id"] = trial_id
        if improving:
            where["improves"] = True
        return _page(await self._store.find(VALIDATIONS, where, ("order",), limit + 1), limit, "order")

    async def decisions(self, experiment_id: str, trial_id: int | None, limit: int, cursor: str | None) -> Found:
        """The search log, which the searcher keeps, in order; all of it, or what says something about one trial."""
        where: dict[str, Any] = {"experiment_id": experiment_id, "seq": Above(int(cursor or -1))}
        if trial_id is None:
            return _page(await self._store.find(SEARCH_LOG, where, ("seq",), limit + 1), limit, "seq")
        wanted = [seq for seq in await self._decided.about(experiment_id, trial_id) if seq > int(cursor or -1)]
        where["seq"] = In(wanted[: limit + 1])
        return _page(await self._store.find(SEARCH_LOG, where, ("seq",)), limit, "seq")

    async def curves(self, experiment_id: str, metric: str, limit: int, cursor: str | None) -> Found:
        """The learning curves of some trials."""
        trials, after = await self.trials(experiment_id, None, limit, cursor)
        curves = {trial["trial_id"]: _no_curve(trial["trial_id"]) for trial in trials}
        where = {"experiment_id": experiment_id, "trial_id": In(sorted(curves))}
        for validation in await self._store.find(VALIDATIONS, where, ("trial_id", "length")):
            curve = curves[validation["trial_id"]]
            curve["unit"] = validation["unit"]
            curve["lengths"].append(validation["length"])
            curve["values"].append(validation["metrics"].get(metric))
        return list(curves.values()), after

    async def timeline(self, experiment_id: str, limit: int, cursor: str) -> Found:
        """Which trial of an experiment ran where and when, in the order in which they began."""
        where: dict[str, Any] = {"experiment_id": experiment_id, "order": Above(cursor)}
        return _page(await self._store.find(ALLOCATIONS, where, ("order",), limit + 1), limit, "order")

    async def training(self, experiment_id: str, trial_id: int, limit: int, cursor: str | None) -> Found:
        """Training metrics of one trial."""
        where = {"experiment_id": experiment_id, "trial_id": trial_id}
        return await self._unpacked(TRAINING_POINTS, "points", where, limit, cursor)

    async def training_series(self, experiment_id: str, trial_id: int, max_points: int) -> list[Document]:
        """Each training metric of one trial over length, thinned out."""
        where = {"experiment_id": experiment_id, "trial_id": trial_id}
        by_metric: dict[str, dict[int, float | None]] = {}
        unit = "batches"
        for document in await self._store.find(TRAINING_POINTS, where, ("order",)):
            for point in document["points"]:
                unit = point["unit"]
                for metric, value in point["metrics"].items():
                    by_metric.setdefault(metric, {})[point["length"]] = value
        series = []
        for metric, values in sorted(by_metric.items()):
            lengths = sorted(values)
            kept, thinned = downsample(lengths, [values[length] for length in lengths], max_points)
            series.append({"metric": metric, "unit": unit, "lengths": kept, "values": thinned})
        return series

    async def allocations(self, experiment_id: str, trial_id: int) -> list[Document]:
        """Where and when one trial ran."""
        where = {"experiment_id": experiment_id, "trial_id": trial_id}
        return await self._store.find(ALLOCATIONS, where, ("lease_number", "runner_id"))

    async def runner_allocations(self, runner_id: str, limit: int, cursor: str) -> Found:
        """What ran on a runner, the latest first."""
        where: dict[str, Any] = {"runner_id": runner_id}
        if cursor:
            where["order"] = Below(cursor)
        return _page(await self._store.find(ALLOCATIONS, where, ("-order",), limit + 1), limit, "order")

    async def logs(self, experiment_id: str, trial_id: int, limit: int, cursor: str | None) -> Found:
        """Output of one trial."""
        where = {"experiment_id": experiment_id, "trial_id": trial_id}
        return await self._unpacked(LOGS, "lines", where, limit, cursor)

    async def experiment_logs(self, experiment_id: str, limit: int, cursor: str | None) -> Found:
        """Output of all trials, in the order in which it came in batches."""
        where = {"experiment_id": experiment_id}
        return await self._unpacked(LOGS, "lines", where, limit, cursor, by="at", also=("trial_id",))

    async def latest_logs(self, experiment_id: str, limit: int) -> list[Document]:
        """The last lines that its trials wrote, in that order."""
        batches = await self._store.find(LOGS, {"experiment_id": experiment_id}, ("-at",), _MORE)
        lines = [{"trial_id": b["trial_id"], **line} for b in reversed(batches) for line in b["lines"]]
        return lines[-limit:]

    async def runner_log(self, runner_id: str, limit: int, cursor: str | None) -> Found:
        """What a runner logged of itself."""
        return await self._unpacked(RUNNER_LOGS, "lines", {"runner_id": runner_id}, limit, cursor)

    async def checkpoints(self, experiment_id: str, trial_id: int, limit: int, cursor: str | None) -> Found:
        """Checkpoints of one trial, in the order of lease and length."""
        where = {"experiment_id": experiment_id, "trial_id": trial_id, "order": Above(cursor or "")}
        return _page(await self._store.find(CHECKPOINTS, where, ("order",), limit + 1), limit, "order")

    async def _unpacked(
        self,
        collection: Collection,
        field: str,
        where: Mapping[str, Any],
        limit: int,
        cursor: str | None,
        by: str = "order",
        also: Sequence[str] = (),
    ) -> Found:
        """Items that lie several to a document; a page may hold some more than asked for, never half a document.

        Parameters
        ----------
        by : what sorts the documents
        also : fields of the document that each item gets, too
        """
        items: list[Document] = []
        order, count = cursor or "", _FIRST
        while True:
            some = await self._store.find(collection, {**where, by: Above(order)}, (by,), count + 1)
            for document in some[:count]:
                if len(items) >= limit:
                    return items, order
                more = {name: document[name] for name in also}
                items += [{**more, **item} for item in document[field]] if also else document[field]
                order = document[by]
            if len(some) <= count:
                return items, None
            count = _MORE


def _page(found: Sequence[Document], limit: int, key: str) -> Found:
    page = list(found[:limit])
    return page, str(page[-1][key]) if len(found) > limit else None


def _experiment(view: Document) -> Document:
    return {**view, "experiment_id": view["_id"]}


def _no_curve(trial_id: int) -> Document:
    return {"trial_id": trial_id, "unit": "batches", "lengths": [], "values": []}
