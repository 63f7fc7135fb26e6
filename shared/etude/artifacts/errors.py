"""What can be wrong with artifacts."""

from etude.errors import Failure


class ArtifactError(Failure, RuntimeError):
    """A model definition or checkpoint is missing, damaged or unusable; the message says which, and what to do."""


class MissingError(ArtifactError):
    """There is no such checkpoint, or only a part of it."""


class DamagedError(ArtifactError):
    """A checkpoint is there, and is not what was stored."""
