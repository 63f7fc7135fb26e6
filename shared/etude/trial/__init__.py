"""What model code imports: Trial, TrialContext and, in `etude.trial.pytorch`, PyTorchTrial."""

from etude.core.errors import InvalidHyperparameters
from etude.trial.context import TrialContext
from etude.trial.trial import Trial

__all__ = ["InvalidHyperparameters", "Trial", "TrialContext"]
