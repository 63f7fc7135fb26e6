"""Custom search methods in processes of their own: implement :class:`CustomMethod`, and :func:`serve` it."""

from etude.searcher.method import CustomMethod, close, continue_, create, pause
from etude.searcher.serve import serve, serve_on

__all__ = ["CustomMethod", "close", "continue_", "create", "pause", "serve", "serve_on"]
