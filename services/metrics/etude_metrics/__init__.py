"""The metrics service: keeps what happened, and answers questions about it."""
