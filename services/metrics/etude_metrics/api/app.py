"""The FastAPI application."""

from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from etude import __version__
from etude.service.clock import Clock, utc_now
from etude.store import DocumentStore
from etude_metrics.api.commands import MAX_BODY, Publish, commands
from etude_metrics.api.downloads import downloads
from etude_metrics.api.experiments import experiments
from etude_metrics.api.figures import figures
from etude_metrics.api.fleet import fleet
from etude_metrics.api.health import Ready, health
from etude_metrics.api.known import Known
from etude_metrics.api.live import live
from etude_metrics.api.problems import MEDIA_TYPE, Problem, answer_problems
from etude_metrics.api.queries import Queries
from etude_metrics.api.table import TrialTables
from etude_metrics.api.trials import trials
from etude_metrics.web import pages

_DESCRIPTION = (
    "What happens and happened in the experiments of an etude installation. Errors are problem+json (RFC 9457)."
)


def create_app(
    store: DocumentStore,
    ready: Ready,
    registry: CollectorRegistry,
    publish: Publish,
    storage: str,
    clock: Clock = utc_now,
) -> FastAPI:
    """The API over a store and a bus.

    Parameters
    ----------
    ready : for ``/readyz``
    registry : for ``/metrics``
    publish : puts the events of commands on the bus
    storage : URL for the model definitions of experiments that are made here
    """
    app = FastAPI(title="etude", version=__version__, description=_DESCRIPTION, max_body_size=MAX_BODY)
    queries = Queries(store)
    known = Known(queries, TrialTables(store))
    app.include_router(health(ready, registry))
    for router in (
        experiments(queries, known),
        trials(queries, known),
        figures(queries, known),
        fleet(queries),
        live(store, queries, known),
        downloads(queries, known),
        commands(queries, known, publish, clock, storage),
    ):
        app.include_router(router, prefix="/api/v1")
    app.include_router(pages())
    answer_problems(app)
    _describe_problems(app)
    return app


def _describe_problems(app: FastAPI) -> None:
    """Let the OpenAPI document say how errors look: as problems, also those of FastAPI itself."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        document = make()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema()
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for operations in document["paths"].values():
            for operation in operations.values():
                invalid = operation["responses"].get("422", {})
                if "application/json" in invalid.get("content", {}):
                    reference = {"schema": {"$ref": "#/components/schemas/Problem"}}
                    invalid["content"] = {MEDIA_TYPE: reference}
        return document

    app.openapi = openapi  # type: ignore[method-assign]
