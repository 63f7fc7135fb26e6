"""Masking: what looks like a secret is not shown to whoever may look at an experiment. Pure."""

import re
from typing import Any

from etude.store import Document

MASK = "********"
_SECRET = re.compile(r"secret|token|passw|credential|private|auth|api_?key|access_?key", re.IGNORECASE)


def masked(experiment: Document) -> Document:
    """An experiment without the values of environment variables and storage settings that look like secrets.

    >>> config = {"environment": {"environment_variables": ["API_KEY=abc", "COLOUR=red"]}}
    >>> masked({"config": config})["config"]["environment"]["environment_variables"]
    ['API_KEY=********', 'COLOUR=red']
    """
    config = experiment.get("config")
    if not isinstance(config, dict):
        return experiment
    hidden = {name: _hidden(config[name]) for name in ("environment", "checkpoint_storage") if name in config}
    return {**experiment, "config": {**config, **hidden}}


def _hidden(value: Any) -> Any:
    match value:
        case dict():
            return {name: MASK if _is_secret(name, part) else _hidden(part) for name, part in value.items()}
        case list():
            return [_hidden(part) for part in value]
        case str():
            name, equals, _ = value.partition("=")
            return f"{name}={MASK}" if equals and _SECRET.search(name) else value
    return value


def _is_secret(name: str, value: Any) -> bool:
    return isinstance(value, str) and bool(_SECRET.search(name))
