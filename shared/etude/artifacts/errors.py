"""What can be wrong with artifacts."""


class ArtifactError(RuntimeError):
    """A model definition or checkpoint is missing, damaged or unusable; the message says which, and what to do."""
