"""The query API: what happened, over HTTP."""
