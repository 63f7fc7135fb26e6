"""Sessions: the lives of a runner."""

import secrets
import time


def new_session() -> str:
    """A name for this life of the runner that sorts after all earlier ones."""
    return f"{time.time_ns() // 1_000_000:013d}-{secrets.token_hex(4)}"
