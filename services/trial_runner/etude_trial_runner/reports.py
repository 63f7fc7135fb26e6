"""Reports: messages of a trial's process as events."""

from collections.abc import Mapping
from typing import Any

from etude.core.link import Message
from etude.events import CheckpointReference, CheckpointSaved, Length, ValidationCompleted


def read_validation(message: Message, lease: Mapping[str, Any]) -> ValidationCompleted:
    """A validation that the process reports.

    Parameters
    ----------
    lease : runner, trial and lease number
    """
    checkpoint = message.get("checkpoint")
    return ValidationCompleted(
        **lease,
        length=Length.model_validate(message["length"]),
        metrics=read_metrics(message),
        information=message.get("information", {}),
        checkpoint=CheckpointReference.model_validate(checkpoint) if checkpoint else None,
        seconds=message.get("seconds", 0.0),
    )


def read_checkpoint(message: Message, lease: Mapping[str, Any]) -> CheckpointSaved:
    """A checkpoint that the process has saved."""
    return CheckpointSaved.model_validate({**lease, **message})


def read_metrics(message: Message) -> dict[str, float]:
    """The metrics of a report; numbers that JSON does not have come as text."""
    return {name: float(value) for name, value in message.get("metrics", {}).items()}
