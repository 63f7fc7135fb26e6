"""Whatever is asked of the API, it answers as its OpenAPI document says, and never fails."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import schemathesis
from hypothesis import HealthCheck, settings
from prometheus_client import CollectorRegistry
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
)

from etude.events import Envelope
from etude.store import SqliteStore
from etude_metrics.api.access import Access
from etude_metrics.api.app import create_app
from etude_metrics.handlers import MetricsHandlers
from tests.unit.make import NOW, created, envelope, validation
from tests.unit.metrics.api.asking import requested

TOKEN = "a token that is known to this test alone"


def application() -> Any:
    """One that knows an experiment ``exp`` with two trials, and a broker that takes everything."""
    store = SqliteStore()

    async def fill() -> None:
        await store.open()
        events = [created(), requested(1), requested(2), validation(1, 100, loss=0.5)]
        await MetricsHandlers(store).handle_events([envelope(event) for event in events])

    async def ready() -> str | None:
        return None

    async def publish(envelopes: Sequence[Envelope]) -> list[Envelope]:
        return []

    asyncio.run(fill())
    folder = Path(__file__).parent / "nowhere"  # nothing is stored: random bytes are no archive
    access = Access(tokens_needed=True, admin_token=TOKEN, requests_per_second=1e6, wrong_tokens_per_minute=10**6)
    return create_app(store, ready, CollectorRegistry(), publish, f"file://{folder}", lambda: NOW, access)


NOT_PROMISED = [
    positive_data_acceptance,  # cursors, expressions and archives are more than their schemas say
    negative_data_rejection,  # parameters that nobody knows are ignored
    allow_header_conformance,
    unsupported_method,
]
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", application()).exclude(path_regex="/events$")  # without end


@SCHEMA.hook
def map_path_parameters(_: Any, parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Half of the time ask about what is there."""
    known = {"experiment_id": "exp", "trial_id": 1}
    if parameters and sum(map(len, map(str, parameters.values()))) % 2:
        return {name: known.get(name, value) for name, value in parameters.items()}
    return parameters


@SCHEMA.parametrize()
@settings(max_examples=25, derandomize=True, suppress_health_check=list(HealthCheck))
def test_the_api_answers_as_its_document_says(case: schemathesis.Case) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"}, excluded_checks=NOT_PROMISED)


def test_every_answer_of_the_document_is_described() -> None:
    document = SCHEMA.raw_schema
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation.get("summary") and operation.get("description"), f"{method} {path}"
            if path.startswith("/api/"):
                assert "503" in operation["responses"], f"{method} {path}: the database may be away"
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_answer_has_an_example_that_fits_its_schema() -> None:
    schemas = SCHEMA.raw_schema["components"]["schemas"]
    parts = {"Coming", "Reached", "Told"}  # of others' examples
    answers = {name for name in schemas if not name.startswith(("Page_", "Body_")) and "properties" in schemas[name]}
    asked = {"Changes", "Failure", "Fork", "NewToken", "Reason", "Result", "Retry"}
    assert {name for name in answers - parts - asked if "examples" not in schemas[name]} == set()
    for name in answers:
        for example in schemas[name].get("examples", []):
            document = {"$ref": f"#/components/schemas/{name}", "components": SCHEMA.raw_schema["components"]}
            jsonschema.validate(example, document)
            if name not in asked:
                assert set(example) == set(schemas[name]["properties"]), name
