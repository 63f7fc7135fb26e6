"""A link that remembers what was said, and answers as a test wants."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from etude.artifacts.places import CheckpointPlace
from etude.core.assignment import Assignment
from etude.core.link import Message
from etude.core.run import Run
from etude.events import CheckpointReference, Length
from tests.unit import make
from tests.unit.make import raw_config


class RecordingLink:
    """Answers each "waiting" with the next order, and with "stop" when there is none left.

    Parameters
    ----------
    orders : what the runner says when the trial waits
    folder : where the trial's checkpoints go
    """

    def __init__(self, *orders: Message, folder: Path = Path()) -> None:
        self._folder = folder
        self.said: list[Message] = []
        self.heard: Callable[[Message], None] = lambda _: None
        self._orders = list(orders)

    def send(self, message: Message) -> None:
        self.said.append(message)
        if message["say"] == "waiting":
            self.heard(self._orders.pop(0) if self._orders else {"do": "stop"})

    def listen(self, heard: Callable[[Message], None]) -> None:
        self.heard = heard

    def close(self) -> None:
        """Nothing to do."""

    def told(self, say: str) -> list[Message]:
        """The messages of one kind."""
        return [message for message in self.said if message["say"] == say]

    def saved(self) -> list[CheckpointReference]:
        """The checkpoints that were told, with their places, which a runner derives."""
        return [
            CheckpointReference(
                uri=CheckpointPlace(
                    f"file://{self._folder}", "exp", 1, told["lease"], told["reached"], told["copy"]
                ).uri,
                length=told["reached"],
            )
            for told in self.told("checkpoint")
        ]


def extend(length: int, unit: str = "batches") -> Message:
    """Train on until there."""
    return {"do": "extend", "train_until": {unit: length}}


def assignment(
    folder: Path,
    until: int | dict[str, int] = 10,
    checkpoint: CheckpointReference | None = None,
    lease_number: int = 1,
    hyperparameters: dict[str, Any] | None = None,
    **config: Any,
) -> Assignment:
    """An assignment whose checkpoints go to a folder."""
    return make.assignment(
        lease_number=lease_number,
        config=raw_config(**config),
        hyperparameters=hyperparameters or {"lr": 0.1, "net": {"width": 8}},
        trial_seed=7,
        train_until=Length.model_validate(until),
        checkpoint=checkpoint,
        storage=f"file://{folder}",
    )


def run(folder: Path, *orders: Message, **fields: Any) -> tuple[Run, RecordingLink]:
    """A run and the link that it talks over."""
    link = RecordingLink(*orders, folder=folder)
    return Run(assignment(folder, **fields), link), link
