"""The JSON Schema of configurations: made from the models, and as strict as an editor can be."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from etude.config import load
from etude.config.schema import as_json, schema

ROOT = Path(__file__).parents[2]
VALIDATOR = jsonschema.Draft202012Validator(schema())
TODAYS = [
    path
    for path in sorted([*(ROOT / "examples").rglob("*.yaml"), *(ROOT / "tests" / "configs").glob("*.yaml")])
    if not path.stem.startswith(("steps", "time"))
]


def test_the_checked_in_schema_is_the_one_the_models_make() -> None:
    text = (ROOT / "docs" / "experiment-config.schema.json").read_text()
    assert text == as_json(), "run `make generate` and commit docs/experiment-config.schema.json"


@pytest.mark.parametrize("path", TODAYS, ids=lambda path: path.stem)
def test_what_the_loader_takes_the_schema_takes(path: Path) -> None:
    VALIDATOR.validate(YAML(typ="safe").load(path))
    VALIDATOR.validate(load(path).to_json())


@pytest.mark.parametrize(
    "change",
    [
        {"max_restart": 1},
        {"max_restarts": -1},
        {"searcher": {"name": "random", "metric": "loss"}},
        {"searcher": {"name": "single", "metric": "loss", "max_length": {"miles": 3}}},
        {"hyperparameters": {"x": {"type": "int", "minval": 1}}},
        {"entrypoint": ""},
    ],
)
def test_what_is_wrong_an_editor_can_tell(change: dict[str, Any]) -> None:
    good = {"entrypoint": "m:T", "searcher": {"name": "single", "metric": "loss", "max_length": 10}}
    VALIDATOR.validate(good)
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate({**good, **change})
