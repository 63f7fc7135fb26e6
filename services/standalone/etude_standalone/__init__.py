"""All four services in one process on embedded parts: what `etude run` uses."""

DEFAULT_HOME = ".etude"
"""Folder, in the working directory, for everything that `etude run` keeps."""
