"""etude: hyperparameter tuning on a fleet of machines.

This distribution holds all that two sides must agree on (events, documents, configuration) and all that a user imports
(the trial APIs, the client, the command line). The services live in distributions of their own.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etude.artifacts.saved import load_checkpoint
    from etude.client import Client

__all__ = ["Client", "__version__", "load_checkpoint"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """``etude.Client`` and others, loaded when they are asked for: trials import etude, and have no use for them."""
    if name == "Client":
        from etude.client import Client

        return Client
    if name == "load_checkpoint":
        from etude.artifacts.saved import load_checkpoint

        return load_checkpoint
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
