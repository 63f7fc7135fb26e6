"""PyTorchTrial: a model, its data and one training step; etude drives the rest."""

from etude.trial.pytorch.context import PyTorchTrialContext, StepMode
from etude.trial.pytorch.trial import PyTorchTrial

__all__ = ["PyTorchTrial", "PyTorchTrialContext", "StepMode"]
