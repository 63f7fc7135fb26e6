"""Upgrade: brings views that an earlier version of etude wrote up to what is read now."""

import structlog

from etude.document_version import VERSION_FIELD
from etude.store import Document, DocumentStore
from etude.store.schema import EXPERIMENT_VIEWS, TRIAL_VIEWS
from etude_metrics.views import new_experiment, new_trial

log = structlog.get_logger("etude.metrics")

_AT_ONCE = 1000


async def upgrade_views(store: DocumentStore) -> int:
    """Give views without a format the fields that they lack; returns how many there were.

    Versions before the field existed wrote fewer fields, each of which has a value that says "not known".
    """
    upgraded = 0
    for collection in (EXPERIMENT_VIEWS, TRIAL_VIEWS):
        while old := await store.find(collection, {VERSION_FIELD: None}, limit=_AT_ONCE):
            await store.put(collection, [_completed(view) for view in old])
            upgraded += len(old)
    if upgraded:
        log.info("views of an earlier version were upgraded", views=upgraded)
    return upgraded


def _completed(view: Document) -> Document:
    if "trial_id" in view:
        return {**new_trial(view["experiment_id"], view["trial_id"]), **view}
    return {**new_experiment(view["_id"]), **view}
