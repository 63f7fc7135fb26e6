"""The core API: what a plain training script imports.

>>> import etude.core
>>> with etude.core.init(hyperparameters={"lr": 0.1}, length=2) as run:
...     for operation in run.searcher.operations():
...         for batch in range(run.length, operation.length):
...             pass  # train
...         run.report_validation(operation.length, {"loss": run.get_hparam("lr")})
validation after 2 batches: loss=0.1
"""

from etude.core.assignment import Assignment
from etude.core.distributed import Distributed
from etude.core.errors import CoreError, InvalidHyperparameters, MetricError
from etude.core.init import init
from etude.core.run import Run
from etude.core.searcher import Operation, Searcher

__all__ = [
    "Assignment",
    "CoreError",
    "Distributed",
    "InvalidHyperparameters",
    "MetricError",
    "Operation",
    "Run",
    "Searcher",
    "init",
]
