"""Experiment configuration: schema, defaults, loading, hyperparameter space."""

from etude.config.errors import ConfigError, Problem
from etude.config.experiment import ExperimentConfig
from etude.config.expression import Expression, ExpressionError
from etude.config.load import load, loads, parse
from etude.config.searcher import (
    AdaptiveAshaConfig,
    AdaptiveConfig,
    AdaptiveSimpleConfig,
    AsyncHalvingConfig,
    CustomConfig,
    Explore,
    GridConfig,
    HyperbandConfig,
    MedianStoppingConfig,
    Mode,
    PbtConfig,
    RandomConfig,
    SearcherConfig,
    SingleConfig,
    SyncHalvingConfig,
)
from etude.config.space import Categorical, Const, Double, Int, Log, Nested, Parameter, Space, after_steps

__all__ = [
    "AdaptiveAshaConfig",
    "AdaptiveConfig",
    "AdaptiveSimpleConfig",
    "AsyncHalvingConfig",
    "Categorical",
    "ConfigError",
    "Const",
    "CustomConfig",
    "Double",
    "ExperimentConfig",
    "Explore",
    "Expression",
    "ExpressionError",
    "GridConfig",
    "HyperbandConfig",
    "Int",
    "Log",
    "MedianStoppingConfig",
    "Mode",
    "Nested",
    "Parameter",
    "PbtConfig",
    "Problem",
    "RandomConfig",
    "SearcherConfig",
    "SingleConfig",
    "Space",
    "SyncHalvingConfig",
    "after_steps",
    "load",
    "loads",
    "parse",
]
