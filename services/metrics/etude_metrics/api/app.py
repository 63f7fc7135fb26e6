"""The FastAPI application."""

from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from etude import __version__
from etude.bus import DeadLetter
from etude.errors import Unavailable
from etude.service.clock import Clock, utc_now
from etude.store import DocumentStore
from etude_metrics.api.access import Access, Guard, Tokens
from etude_metrics.api.access.rules import API, needed
from etude_metrics.api.answers import Body
from etude_metrics.api.commands import Publish, commands
from etude_metrics.api.dead_letters import dead_letters
from etude_metrics.api.downloads import downloads
from etude_metrics.api.eager import Eager
from etude_metrics.api.examples import EXAMPLES
from etude_metrics.api.experiments import experiments
from etude_metrics.api.figures import Make, figures
from etude_metrics.api.fleet import fleet
from etude_metrics.api.health import Ready, health
from etude_metrics.api.kept import Kept
from etude_metrics.api.known import Known
from etude_metrics.api.live import live
from etude_metrics.api.pace import Pace
from etude_metrics.api.problem_answers import answer_problems
from etude_metrics.api.problems import Problem, described
from etude_metrics.api.queries import Queries
from etude_metrics.api.session import session
from etude_metrics.api.table import TrialTables
from etude_metrics.api.tokens import tokens
from etude_metrics.api.trials import trials
from etude_metrics.dead_letters import DeadLetters, Requeue
from etude_metrics.drawing import Artist, Studio
from etude_metrics.web import pages

_DESCRIPTION = (
    "What happens and happened in the experiments of an etude installation. Errors are problem+json (RFC 9457)."
)
_MAX_BODY = 2**20  # of a command; a new experiment may bring more
_ALONE = Access()
_AT_ONCE = Pace()


def create_app(
    store: DocumentStore,
    ready: Ready,
    registry: CollectorRegistry,
    publish: Publish,
    storage: str,
    clock: Clock = utc_now,
    access: Access = _ALONE,
    pace: Pace = _AT_ONCE,
    studio: Studio | None = None,
    requeue: Requeue | None = None,
) -> FastAPI:
    """The API over a store and a bus.

    Parameters
    ----------
    ready : for ``/readyz``
    registry : for ``/metrics``
    publish : puts the events of commands on the bus
    storage : URL for the model definitions of experiments that are made here
    access : who is let in
    pace : how new answers are; by default, as new as can be
    studio : draws figures; by default they are drawn in this process
    requeue : puts dead letters back into their queues; by default there is no broker to do so
    """
    app = FastAPI(
        title="etude",
        version=__version__,
        description=_DESCRIPTION,
        max_body_size=_MAX_BODY,
        docs_url=None,  # FastAPI's load scripts from elsewhere
        redoc_url=None,
    )
    queries = Queries(store, pace)
    known_tokens = Tokens(store, clock, access.admin_token)
    known = Known(queries, TrialTables(store), pace)
    kept = Kept(pace)
    app.include_router(health(ready, registry))
    for router in (
        experiments(queries, known, kept),
        trials(queries, known, kept),
        figures(queries, known, kept, _maker(store, studio)),
        fleet(queries),
        live(store, queries, known),
        downloads(queries, known, storage),
        commands(queries, known, publish, clock, storage),
        session(),
        tokens(known_tokens, clock),
        dead_letters(DeadLetters(store, requeue or _no_broker, clock)),
    ):
        app.include_router(router, prefix=API)
    app.include_router(pages())
    answer_problems(app)
    app.add_middleware(Eager)
    app.add_middleware(Guard, access=access, tokens=known_tokens)
    _describe(app)
    return app


async def _no_broker(letter: DeadLetter) -> None:
    raise Unavailable(f"nothing runs here that could take from {letter.queue}")


def _maker(store: DocumentStore, studio: Studio | None) -> Make:
    artist = Artist(store)

    async def make(experiment_id: str, what: str) -> Body:
        if studio is not None:
            return Body.of(await studio.make(experiment_id, what), packed=True)
        return Body.of(await artist.make(experiment_id, what))

    return make


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
        for name, example in EXAMPLES.items():
            schemas[name]["examples"] = [example]
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
