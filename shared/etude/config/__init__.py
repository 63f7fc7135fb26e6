"""Experiment configuration: schema, defaults, loading, hyperparameter space."""

from etude.config.errors import ConfigError, Problem
from etude.config.experiment import ExperimentConfig
from etude.config.load import load, loads, parse
from etude.config.searcher import AsyncHalvingConfig, GridConfig, RandomConfig, SearcherConfig, SingleConfig
from etude.config.space import Categorical, Const, Double, Int, Log, Nested, Parameter, Space

__all__ = [
    "AsyncHalvingConfig",
    "Categorical",
    "ConfigError",
    "Const",
    "Double",
    "ExperimentConfig",
    "GridConfig",
    "Int",
    "Log",
    "Nested",
    "Parameter",
    "Problem",
    "RandomConfig",
    "SearcherConfig",
    "SingleConfig",
    "Space",
    "load",
    "loads",
    "parse",
]
