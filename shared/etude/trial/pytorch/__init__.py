"""PyTorchTrial: a model, its data and one training step; etude drives the rest."""

from etude.trial.pytorch.callback import PyTorchCallback
from etude.trial.pytorch.context import PyTorchTrialContext, StepMode
from etude.trial.pytorch.reducer import MetricReducer, Reducer
from etude.trial.pytorch.trial import PyTorchTrial

__all__ = [
    "MetricReducer",
    "PyTorchCallback",
    "PyTorchTrial",
    "PyTorchTrialContext",
    "Reducer",
    "StepMode",
]
