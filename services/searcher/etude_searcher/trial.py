"""Trial: what the search engine knows of one trial."""

from dataclasses import asdict, dataclass
from typing import Any

from etude.events import Hyperparameters


@dataclass
class Trial:
    """One trial of a search.

    Attributes
    ----------
    target : length that it trains to, or rests at, a total
    training : True while a result is awaited
    open : False once it is closed or has exited
    checkpoint : URI of that of its latest result
    source : URI of the checkpoint that it began from, of another trial
    """

    trial_id: int
    hyperparameters: Hyperparameters
    seed: int
    target: int
    training: bool = True
    open: bool = True
    checkpoint: str | None = None
    source: str | None = None

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON values."""
        return asdict(self)
