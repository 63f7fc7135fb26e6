"""A trial that does nothing: it reports a number and ends."""

import etude.core

with etude.core.init() as run:
    for operation in run.searcher.operations():
        run.report_validation(operation.length, {"loss": run.get_hparam("x")})
