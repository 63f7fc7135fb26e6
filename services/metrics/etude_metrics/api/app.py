"""The FastAPI application."""

from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from etude import __version__
from etude.service.clock import Clock, utc_now
from etude.store import DocumentStore
from etude_metrics.api.access import Access, Guard, Tokens
from etude_metrics.api.access.rules import API, needed
from etude_metrics.api.commands import Publish, commands
from etude_metrics.api.downloads import downloads
from etude_metrics.api.experiments import experiments
from etude_metrics.api.figures import figures
from etude_metrics.api.fleet import fleet
from etude_metrics.api.health import Ready, health
from etude_metrics.api.known import Known
from etude_metrics.api.live import live
from etude_metrics.api.problems import Problem, answer_problems, described
from etude_metrics.api.queries import Queries
from etude_metrics.api.session import session
from etude_metrics.api.table import TrialTables
from etude_metrics.api.tokens import tokens
from etude_metrics.api.trials import trials
from etude_metrics.web import pages

_DESCRIPTION = (
    "What happens and happened in the experiments of an etude installation. Errors are problem+json (RFC 9457)."
)
_MAX_BODY = 2**20  # of a command; a new experiment may bring more
_ALONE = Access()


def create_app(
    store: DocumentStore,
    ready: Ready,
    registry: CollectorRegistry,
    publish: Publish,
    storage: str,
    clock: Clock = utc_now,
    access: Access = _ALONE,
) -> FastAPI:
    """The API over a store and a bus.

    Parameters
    ----------
    ready : for ``/readyz``
    registry : for ``/metrics``
    publish : puts the events of commands on the bus
    storage : URL for the model definitions of experiments that are made here
    access : who is let in
    """
    app = FastAPI(
        title="etude",
        version=__version__,
        description=_DESCRIPTION,
        max_body_size=_MAX_BODY,
        docs_url=None,  # FastAPI's load scripts from elsewhere
        redoc_url=None,
    )
    queries = Queries(store)
    known_tokens = Tokens(store, clock, access.admin_token)
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
        session(),
        tokens(known_tokens, clock),
    ):
        app.include_router(router, prefix=API)
    app.include_router(pages())
    answer_problems(app)
    app.add_middleware(Guard, access=access, tokens=known_tokens)
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """Let the OpenAPI document say how errors look, also those of FastAPI itself, and what it takes to be let in."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        document = make()
        components = document.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema()
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                responses = operation["responses"]
                if "application/json" in responses.get("422", {}).get("content", {}):
                    responses.update({"422": described(422)[422]})
                if needed(method.upper(), path) is not None:
                    operation["security"] = [{"token": []}]
                    responses.update({str(status): said for status, said in described(401, 403, 429).items()})
        return document

    app.openapi = openapi  # type: ignore[method-assign]
