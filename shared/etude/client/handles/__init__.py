"""Handles: experiments, trials and checkpoints of a running installation as objects."""

from etude.client.handles.checkpoint import Checkpoint
from etude.client.handles.experiment import Experiment
from etude.client.handles.plot import Plot
from etude.client.handles.trial import Trial

__all__ = ["Checkpoint", "Experiment", "Plot", "Trial"]
