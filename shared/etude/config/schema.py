"""The JSON Schema of a configuration, for editors; made from the models.

``python -m etude.config.schema`` prints it; a contract test holds ``docs/experiment-config.schema.json`` to it. It has
today's dialect; the loader understands older ones besides, and checks more.
"""

import json
import sys
from typing import Any

from etude.config.experiment import ExperimentConfig
from etude.config.searcher import OWN_SEARCHERS

_BARE_LENGTH = {"type": "integer", "minimum": 0, "description": "A number of batches."}
_BARE_VALUE = {"type": ["string", "number", "boolean", "null", "array"], "description": "A constant."}


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) as plain values."""
    made = ExperimentConfig.model_json_schema(mode="validation")
    definitions = made["$defs"]
    definitions["Length"]["oneOf"].append(_BARE_LENGTH)
    constant = definitions["Const"]
    definitions["Const"] = {
        "title": "Const",
        "description": constant.pop("description"),
        "anyOf": [{**constant, "required": ["type", "val"]}, _BARE_VALUE],
    }
    definitions["Nested"]["not"] = {"required": ["type"]}  # which a parameter has
    for name, definition in definitions.items():
        if name.endswith("Config") and "name" in definition["properties"] and name != "SamplerConfig":
            definition["required"] = sorted({*definition["required"], "name"})
    definitions["PluginConfig"]["properties"]["name"]["not"] = {"enum": list(OWN_SEARCHERS)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "etude experiment configuration",
        "description": "See docs/configuration.md.",
        **{key: value for key, value in made.items() if key not in ("title", "description")},
    }


def as_json() -> str:
    """The JSON Schema as text."""
    return json.dumps(schema(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(as_json())
