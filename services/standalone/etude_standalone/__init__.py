"""All four services in one process on embedded parts: what `etude run` uses."""
