"""Samplers: which hyperparameters a new trial gets. Pure: randomness comes as an argument."""

from etude_searcher.samplers.sampler import Sampler

__all__ = ["Sampler"]
