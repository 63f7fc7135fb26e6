"""What is wrong with a configuration that only its first draws show."""

import pytest

from etude_searcher.check import check_draws
from tests.unit.make import config

X = {"x": {"type": "int", "minval": 1, "maxval": 9}}


def test_what_can_be_drawn_is_fine() -> None:
    assert check_draws(config(hyperparameters=X)) == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"constraints": ["x > 9"]}, "constraints: x > 9; widen"),
        ({"constraints": ["1 / (x - x) > 0"]}, "cannot be computed: "),
        (
            {"hyperparameters": {"a": "auto", "b": {"type": "int", "minval": 1, "maxval": 2, "condition": "a > 4"}}},
            "'a > 4' cannot be computed: '>' not supported",
        ),
        (
            {"constraints": ["x != 9 or 1 / (9 - x) > 0"]},
            'division by zero, with {"x": 9}',
        ),
    ],
)
def test_what_cannot_be_drawn_is_told(fields: dict[str, object], message: str) -> None:
    [problem] = check_draws(config(**{"hyperparameters": X, **fields}))
    assert message in problem.message
