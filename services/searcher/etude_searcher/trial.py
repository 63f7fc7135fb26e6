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
    attempt : how often it was begun, but for restarts
    given_up : its attempt has exited, for no fault of its hyperparameters: there may be another one
    returned : there is to be one, once it is its turn
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
    attempt: int = 1
    given_up: bool = False
    returned: bool = False

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON values."""
        return asdict(self)
