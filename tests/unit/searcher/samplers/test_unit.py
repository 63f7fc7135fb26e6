"""The unit interval: every value has its place, and every place its value."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.config import Parameter, Space
from etude_searcher.samplers.unit import from_unit, to_unit


def parameter(**fields: Any) -> Parameter:
    [(_, made)] = Space.model_validate({"p": fields}).parameters()
    return made


PARAMETERS = [
    {"type": "int", "minval": -3, "maxval": 7},
    {"type": "int", "minval": 0, "maxval": 10, "step": 4},
    {"type": "double", "minval": -1, "maxval": 2},
    {"type": "double", "minval": 0, "maxval": 1, "step": 0.25},
    {"type": "log", "minval": -4, "maxval": 0},
    {"type": "log", "base": 2, "minval": 1, "maxval": 5, "step": 1},
    {"type": "categorical", "vals": ["a", None, [1], 2]},
]


@pytest.mark.parametrize("fields", PARAMETERS, ids=str)
@given(u=st.floats(0, 1, exclude_max=True))
def test_a_value_leads_back_to_a_place_that_gives_it(fields: dict[str, Any], u: float) -> None:
    made = parameter(**fields)
    value = from_unit(made, u)
    again = from_unit(made, min(to_unit(made, value), 1 - 1e-12))
    assert again == pytest.approx(value, rel=1e-6, abs=1e-9) if isinstance(value, float) else again == value


def test_steps_are_kept() -> None:
    def values(**fields: Any) -> list[Any]:
        made = parameter(**fields)
        return sorted({from_unit(made, n / 200) for n in range(200)})  # type: ignore[type-var]

    assert values(type="int", minval=0, maxval=10, step=4) == [0, 4, 8]
    assert values(type="double", minval=0, maxval=1, step=0.25) == [0, 0.25, 0.5, 0.75, 1.0]
    assert values(type="log", base=2, minval=1, maxval=4, step=1) == [2, 4, 8, 16]
    assert values(type="double", minval=0.1, maxval=0.5, step=0.1) == [0.1, 0.2, 0.3, 0.4, 0.5]
