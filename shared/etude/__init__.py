"""etude: hyperparameter tuning on a fleet of machines.

This distribution holds all that two sides must agree on (events, documents, configuration) and all that a user imports
(the trial APIs, the client, the command line). The services live in distributions of their own.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etude.client import Client

__all__ = ["Client", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """``etude.Client``, loaded when it is asked for: trials import etude, and have no use for it."""
    if name == "Client":
        from etude.client import Client

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
