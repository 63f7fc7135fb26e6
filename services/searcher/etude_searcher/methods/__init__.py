"""Search methods: who trains how long. Each knows lengths and metrics, and nothing of hyperparameters."""

from etude_searcher.methods.method import NewTrial, SearchMethod, UnchangeableError
from etude_searcher.methods.operation import Clone, Close, Continue, Create, Operation, Pause

__all__ = [
    "Clone",
    "Close",
    "Continue",
    "Create",
    "NewTrial",
    "Operation",
    "Pause",
    "SearchMethod",
    "UnchangeableError",
]
