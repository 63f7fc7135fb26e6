"""Where `etude run` keeps everything."""

LOCAL_HOME = ".etude"
"""Folder, in the working directory, unless another is named."""
LOCAL_DATABASE = "etude.db"
"""File in it with all documents."""
