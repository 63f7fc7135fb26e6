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
    """

    trial_id: int
    hyperparameters: Hyperparameters
    seed: int
    target: int
    training: bool = True
    open: bool = True

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON values."""
        return asdict(self)
