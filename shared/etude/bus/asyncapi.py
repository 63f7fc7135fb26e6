"""The AsyncAPI 3 document of all events, made from their models: what other languages join by.

``python -m etude.bus.asyncapi`` prints it; a contract test holds ``docs/asyncapi.yaml`` to it.
"""

import inspect
import io
import sys
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from etude import __version__
from etude.bus.topology import DEAD, EVENTS, PARTITIONS, TELEMETRY
from etude.events import Event

_REFERENCE = "#/components/schemas/{model}"

_KEY_PARAMETERS: dict[str, dict[str, str]] = {
    "pool": {"description": "Resource pool of the experiment or runner, such as `default`."},
    "partition": {
        "description": f"crc32 of the experiment id (of the subject, if there is none) modulo {PARTITIONS}, unsigned."
    },
    "runner": {"description": "Id of the runner that the command is for; what is no letter, digit, _ or - becomes _."},
}


def document() -> dict[str, Any]:
    """The AsyncAPI document as plain values."""
    events = [event for _, event in sorted(Event.registry.items())]
    _, schemas = models_json_schema(
        [(event, "validation") for event in events], ref_template=_REFERENCE, schema_generator=GenerateJsonSchema
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "etude",
            "version": __version__,
            "description": LiteralScalarString(_DESCRIPTION),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": {
            "broker": {
                "host": "{host}:5672",
                "protocol": "amqp",
                "protocolVersion": "0-9-1",
                "variables": {"host": {"default": "localhost"}},
            }
        },
        "channels": {_channel_name(event): _channel(event) for event in events},
        "operations": {_channel_name(event): _operation(event) for event in events},
        "components": {
            "messages": {event.__name__: _message(event) for event in events},
            "schemas": {"Envelope": _envelope(), **schemas["$defs"]},
        },
    }


def as_yaml() -> str:
    """The AsyncAPI document as YAML."""
    yaml = YAML()
    yaml.width = 110
    yaml.representer.ignore_aliases = lambda _: True
    out = io.StringIO()
    out.write("# Made from the event types by `make generate`; change those, not this.\n")
    yaml.dump(document(), out)
    return out.getvalue()


_DESCRIPTION = f"""\
Every event is a JSON body, a CloudEvents 1.0 structured document whose `data` is described here. Unknown fields
are to be ignored, types are versioned by their suffix. Exchanges: `{EVENTS}` (topic) for all but telemetry,
`{TELEMETRY}` (topic) for that; `{DEAD}` (fanout) gets what could not be processed, with the reason in the header
`x-etude-reason`.
Numbers that JSON does not have travel as the strings `NaN`, `Infinity` and `-Infinity`.
Events may arrive twice, and those of different sources in any order: be idempotent by meaning.
"""


def _channel_name(event: type[Event]) -> str:
    return event.type.removeprefix("etude.").removesuffix(".v1")


def _channel(event: type[Event]) -> dict[str, Any]:
    entity, verb = event.name()
    parameters = ["pool", "partition", *(["runner"] if event.addressed else [])]
    address = ".".join([entity, verb, *(f"{{{name}}}" for name in parameters)])
    return {
        "address": address,
        "messages": {event.__name__: {"$ref": f"#/components/messages/{event.__name__}"}},
        "parameters": {name: _KEY_PARAMETERS[name] for name in parameters},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": TELEMETRY if event.telemetry else EVENTS, "type": "topic", "durable": True},
                "bindingVersion": "0.3.0",
            }
        },
    }


def _operation(event: type[Event]) -> dict[str, Any]:
    name = _channel_name(event)
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{name}"},
        "summary": _summary(event),
        "bindings": {"amqp": {"deliveryMode": 2, "mandatory": True, "ack": True, "bindingVersion": "0.3.0"}},
    }


def _message(event: type[Event]) -> dict[str, Any]:
    return {
        "name": event.type,
        "title": event.__name__,
        "summary": _summary(event),
        "contentType": "application/cloudevents+json",
        "payload": {
            "allOf": [
                {"$ref": "#/components/schemas/Envelope"},
                {
                    "type": "object",
                    "properties": {
                        "type": {"const": event.type},
                        "data": {"$ref": _REFERENCE.format(model=event.__name__)},
                    },
                },
            ]
        },
    }


def _envelope() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "description": "A CloudEvents 1.0 structured document.",
        "required": ["specversion", "id", "source", "type", "time", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "datacontenttype": {"const": "application/json"},
            "id": {
                **text,
                "minLength": 1,
                "description": "Unique; emitting the same decision twice gives the same id.",
            },
            "source": {**text, "minLength": 1, "description": "Who says so, such as `searcher` or `runner/gpu-7`."},
            "type": {**text, "description": "`etude.<entity>.<verb>.v<n>`"},
            "subject": {**text, "description": "What it is about, such as `experiments/1f/trials/3`."},
            "time": {**text, "format": "date-time"},
            "experimentid": {**text, "description": "The experiment it belongs to; runner events have none."},
            "causationid": {**text, "description": "Id of the event that caused it."},
            "traceparent": {**text, "description": "W3C trace context."},
            "pool": {**text, "pattern": "^[A-Za-z0-9_-]{1,64}$", "default": "default"},
            "data": {"type": "object"},
        },
    }


def _summary(event: type[Event]) -> str:
    return (inspect.getdoc(event) or "").split("\n\n")[0].replace("\n", " ")


if __name__ == "__main__":
    sys.stdout.write(as_yaml())
