"""Artist: works out, as JSON, what takes long."""

import asyncio
from collections import OrderedDict
from enum import StrEnum

import orjson

from etude.figures import FIGURES, Material, draw
from etude.store import DocumentStore
from etude_metrics.drawing.recollection import Recollection

_TRIALS_KEPT = 30_000  # of all experiments together
_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY


class Work(StrEnum):
    """What an artist makes besides figures: pages of items."""

    IMPORTANCES = "importances"
    RUNGS = "rungs"


class Artist:
    """Knows the experiments that were asked about last."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store
        self._known: OrderedDict[str, Recollection] = OrderedDict()

    async def make(self, experiment_id: str, what: str) -> bytes:
        """A figure by its name, or a :class:`Work`; nothing if there is no such experiment."""
        known = self._known.setdefault(experiment_id, Recollection(self._store, experiment_id))
        self._known.move_to_end(experiment_id)
        needs = ("curves",) if what == Work.RUNGS else FIGURES[what].needs if what in FIGURES else ()
        material = await known.material(needs)
        while sum(other.size for other in self._known.values()) > _TRIALS_KEPT and len(self._known) > 1:
            self._known.popitem(last=False)
        return await asyncio.to_thread(_make, what, material) if material else b""


def _make(what: str, material: Material) -> bytes:
    match what:
        case Work.IMPORTANCES:
            from etude.figures.standard import importances

            found = importances(material)
            items = [{"name": name, "importance": found[name]} for name in found]
        case Work.RUNGS:
            from etude.figures.ladder import rungs

            items = [dict(rung) for rung in rungs(material)]
        case _:
            return str(draw(what, material).to_json()).encode()
    return orjson.dumps({"items": items, "next_cursor": None}, option=_OPTIONS)
