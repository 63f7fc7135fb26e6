"""Upgrade: brings views that an earlier version of etude wrote up to what is read now."""

import structlog

from etude.document_version import VERSION_FIELD
from etude.store import Document, DocumentStore
from etude.store.schema import EXPERIMENT_VIEWS, TRIAL_VIEWS
from etude_metrics.views import TRIAL_FORMAT, kept_length, new_experiment, new_trial

log = structlog.get_logger("etude.metrics")

_AT_ONCE = 1000


async def upgrade_views(store: DocumentStore) -> int:
    """Give views of earlier formats the fields that they lack; returns how many there were.

    Each field has a value that says "not known", or follows from others.
    """
    upgraded = 0
    earlier = [(EXPERIMENT_VIEWS, None), *((TRIAL_VIEWS, version) for version in (None, *range(1, TRIAL_FORMAT)))]
    for collection, version in earlier:
        while old := await store.find(collection, {VERSION_FIELD: version}, limit=_AT_ONCE):
            await store.put(collection, [_completed(view) for view in old])
            upgraded += len(old)
    if upgraded:
        log.info("views of an earlier version were upgraded", views=upgraded)
    return upgraded


def _completed(view: Document) -> Document:
    if "trial_id" in view:
        trial = {**new_trial(view["experiment_id"], view["trial_id"]), **view, VERSION_FIELD: TRIAL_FORMAT}
        return {**trial, "trained": max(trial["trained"], kept_length(trial))}
    return {**new_experiment(view["_id"]), **view}
