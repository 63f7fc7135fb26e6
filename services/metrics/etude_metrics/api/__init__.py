"""The query API: what happened, over HTTP."""

from etude_metrics.api.app import create_app

__all__ = ["create_app"]
