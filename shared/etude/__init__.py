"""etude: hyperparameter tuning on a fleet of machines.

This distribution holds all that two sides must agree on (events, documents, configuration) and all that a user imports
(the trial APIs, the client, the command line). The services live in distributions of their own.
"""

__version__ = "0.1.0"
