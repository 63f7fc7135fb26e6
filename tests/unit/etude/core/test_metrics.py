"""What is a number, what is kept beside the numbers, and what the metric of a search must be."""

import decimal
import fractions
import math
from typing import Any

import numpy as np
import pytest
import torch

from etude.core.errors import CoreError, MetricError
from etude.core.metrics import check_searched_metric, read_number, split_metrics, to_wire


@pytest.mark.parametrize(
    "value",
    [
        0.5,
        decimal.Decimal("0.5"),
        fractions.Fraction(1, 2),
        np.float16(0.5),
        np.float32(0.5),
        np.array(0.5),
        np.array([0.5]),
        np.array([[0.5]]),
        torch.tensor(0.5),
        torch.tensor([0.5]),
        torch.tensor(0.5, dtype=torch.bfloat16),
        torch.tensor(0.25, requires_grad=True) * 2,
    ],
)
def test_numbers_scalars_and_arrays_of_one_element_are_numbers(value: Any) -> None:
    assert read_number(value) == 0.5


def test_truth_and_whole_numbers_are_numbers() -> None:
    assert [read_number(value) for value in (True, 3, np.int64(3), np.bool_(True))] == [1.0, 3.0, 3.0, 1.0]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_has_no_number_for_is_one_and_goes_as_text(value: float) -> None:
    number = read_number(value)
    assert number is not None
    assert to_wire({"loss": number}) == {"loss": str(value)}


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, None),
        ("0.5", "0.5"),
        ([0.5], [0.5]),
        ({"a": 0.5}, {"a": 0.5}),
        (1 + 0j, "(1+0j)"),
        (np.complex64(1), "(1+0j)"),
        (np.array([0.5, 1]), [0.5, 1.0]),
        (np.array([]), []),
        (np.str_("0.5"), "0.5"),
        (torch.eye(2), [[1.0, 0.0], [0.0, 1.0]]),
        (torch.zeros(1000, 1000), "array of shape (1000, 1000)"),
        ([math.nan], "[nan]"),
        ({1}, "{1}"),
    ],
)
def test_anything_else_is_information(value: Any, kept: Any) -> None:
    assert split_metrics({"x": value}) == ({}, {"x": kept})


def test_what_is_too_large_for_a_number_is_kept_in_part() -> None:
    _, information = split_metrics({"x": 10**4000, "y": "a" * 10**6})
    assert information["x"] == 10**4000
    assert information["y"] == '"' + "a" * 9999


def test_names_become_text() -> None:
    assert split_metrics({3: 1, "a": 2}) == ({"3": 1.0, "a": 2.0}, {})  # type: ignore[dict-item]


def test_metrics_have_names() -> None:
    with pytest.raises(CoreError, match=r"metrics are 0\.5; report a dict"):
        split_metrics(0.5)  # type: ignore[arg-type]


def test_the_metric_of_the_search_must_be_a_number() -> None:
    check_searched_metric("loss", {"note": "good"})
    with pytest.raises(MetricError, match="metric 'loss', which the search is for, is None; report a number"):
        check_searched_metric("loss", {"loss": None})
