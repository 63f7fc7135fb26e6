"""Figures, of what the query API tells."""

import math
from typing import Any

import pytest

from etude.figures import FIGURES, Material, draw
from etude.figures.ladder import rungs
from etude.figures.look import scale
from etude.figures.standard import importances
from etude.figures.study import make_study
from tests.unit.make import raw_config

SPACE = {
    "rate": {"type": "log", "minval": -4, "maxval": 0},
    "net": {"width": {"type": "int", "minval": 1, "maxval": 9}},
    "kind": {"type": "categorical", "vals": ["a", "b", [1, 2]]},
    "fixed": 3,
}


def trial(number: int, **fields: Any) -> dict[str, Any]:
    rate = 10 ** (-4 + 4 * (number % 8) / 8)
    return {
        "trial_id": number,
        "state": "finished",
        "hyperparameters": {
            "rate": rate,
            "net": {"width": 1 + number % 9},
            "kind": "a" if number % 2 else "b",
            "fixed": 3,
        },
        "bracket": 0,
        "rungs": [10, 40],
        "target": {"batches": 10},
        "length": 10,
        "best": {"value": abs(math.log10(rate) + 2) + number / 1000, "length": 10, "checkpoint": None},
        **fields,
    }


def curve(number: int, *values: float | None, lengths: tuple[int, ...] = (10, 40)) -> dict[str, Any]:
    return {"trial_id": number, "unit": "batches", "lengths": list(lengths[: len(values)]), "values": list(values)}


def material(trials: list[dict[str, Any]], **parts: Any) -> Material:
    experiment = {"metric": "loss", "smaller_is_better": True, "config": raw_config(hyperparameters=SPACE)}
    return Material(experiment, trials, **parts)


MANY = [trial(number) for number in range(1, 40)]


def test_a_study_has_the_trials_with_their_states_and_distributions() -> None:
    import optuna
    from optuna.trial import TrialState

    trials = [
        trial(1),
        trial(2, state="stopped"),
        trial(3, state="errored", best=None),
        trial(4, state="waiting", best=None),
    ]
    study = make_study(material(trials, curves=[curve(1, 0.5, 0.25)]))
    assert [t.state for t in study.trials] == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]
    assert study.best_trial.user_attrs["trial"] == 1
    assert study.trials[0].intermediate_values == {10: 0.5, 40: 0.25}
    assert study.trials[0].params == {"rate": 10**-3.5, "net.width": 2, "kind": "a"}
    rate = study.trials[0].distributions["rate"]
    assert isinstance(rate, optuna.distributions.FloatDistribution)
    assert (rate.low, rate.high, rate.log) == (1e-4, 1.0, True)
    assert study.direction is optuna.study.StudyDirection.MINIMIZE


def test_what_was_drawn_before_a_space_was_narrowed_is_still_there() -> None:
    wide = trial(1)
    wide["hyperparameters"] = {"rate": 5.0, "net": {"width": 20}, "kind": "gone", "fixed": 3}
    [found] = make_study(material([wide])).trials
    assert found.params == {"rate": 5.0, "net.width": 20, "kind": "gone"}


def test_a_parameter_that_a_trial_does_not_have_is_left_out() -> None:
    without = trial(1)
    del without["hyperparameters"]["net"]
    assert set(make_study(material([without])).trials[0].params) == {"rate", "kind"}


def test_the_rate_that_all_depends_on_matters_most() -> None:
    found = importances(material(MANY))
    assert next(iter(found)) == "rate"
    assert found["rate"] > 0.5
    assert sum(found.values()) == pytest.approx(1)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_says_so_if_there_is_nothing_to_see(name: str) -> None:
    for nothing in ([], [trial(1, state="waiting", best=None, length=None, rungs=[])]):
        drawn = draw(name, material(nothing))
        assert len(drawn.layout.annotations) == 1
        assert drawn.layout.annotations[0].text.endswith(".")


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_draws_something(name: str) -> None:
    parts = {
        "curves": [curve(t["trial_id"], t["best"]["value"]) for t in MANY],
        "best": [
            {
                "trial_id": n,
                "length": 10,
                "unit": "batches",
                "time": f"2026-01-01T00:00:0{n}+00:00",
                "metrics": {"loss": 1 / n},
            }
            for n in range(1, 4)
        ],
        "allocations": [
            {
                "trial_id": n,
                "lease_number": 1,
                "runner_id": "gpu-7",
                "slots": ["0"],
                "began": f"2026-01-01T00:00:0{n}+00:00",
                "ended": f"2026-01-01T00:00:0{n}.9+00:00",
                "reason": "finished",
            }
            for n in range(1, 4)
        ],
        "decisions": [
            {"seq": n, "reasons": ["because"], "events": [{"type": "etude.trial.closed.v1", "data": {"trial_id": n}}]}
            for n in range(1, 4)
        ],
    }
    drawn = draw(name, material(MANY, **parts))
    assert not [a for a in drawn.layout.annotations if a.text.endswith(".")]
    assert drawn.data
    assert drawn.to_json()


def test_curves_are_coloured_by_the_rung_that_was_reached() -> None:
    trials = [trial(1, length=40), trial(2), trial(3, rungs=[40], bracket=1, length=40)]
    drawn = draw("curves", material(trials, curves=[curve(1, 0.5, 0.1), curve(2, 0.6), curve(3, 0.3, lengths=(40,))]))
    assert [(line.name, [None if math.isnan(y) else y for y in line.y]) for line in drawn.data] == [
        ("reached 10", [0.6, None]),
        ("reached 40", [0.5, 0.1, None, 0.3, None]),
    ]


def test_a_rung_has_those_that_reached_it_the_best_first_and_those_on_the_way() -> None:
    trials = [
        trial(1, length=40, target={"batches": 40}),
        trial(2, state="paused"),
        trial(3, state="running", target={"batches": 40}),
        trial(4, state="running", length=None, best=None),
        trial(5, state="stopped"),
    ]
    curves = [curve(1, 0.3, 0.1), curve(2, 0.5), curve(3, 0.2), curve(5, None)]
    low, high = rungs(material(trials, curves=curves))
    assert (low["length"], high["length"]) == (10, 40)
    assert [(t["trial_id"], t["fate"]) for t in low["trials"]] == [
        (3, "promoted"),
        (1, "promoted"),
        (2, "paused"),
        (5, "stopped"),
    ]
    assert [c["trial_id"] for c in low["coming"]] == [4]
    assert ([t["trial_id"] for t in high["trials"]], [c["trial_id"] for c in high["coming"]]) == ([1], [3])


def test_a_lease_that_never_ended_was_lost_if_there_is_a_later_one() -> None:
    def allocation(lease: int, ended: str | None, reason: str | None) -> dict[str, Any]:
        began = f"2026-01-01T00:00:0{lease}+00:00"
        return {
            "trial_id": 1, "lease_number": lease, "runner_id": f"r{lease}", "slots": ["0", "1"], "began": began,
            "ended": ended, "reason": reason,
        }  # fmt: skip

    drawn = draw("timeline", material([trial(1)], allocations=[allocation(1, None, None), allocation(2, None, None)]))
    assert {line.name for line in drawn.data} == {"lost", "runs now"}
    assert list(drawn.layout.yaxis.ticktext) == ["r2/1", "r2/0", "r1/1", "r1/0"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [([0.001, 1.0], "log"), ([0.1, 1.0], "linear"), ([0.0, 1000.0], "linear"), ([None], "linear"), ([], "linear")],
)
def test_axes_are_logarithmic_for_values_of_many_magnitudes(values: list[float | None], kind: str) -> None:
    assert scale(values) == kind


def test_of_very_many_trials_the_best_are_shown_and_the_figure_says_so() -> None:
    many = [
        trial(number, best={"value": 6000.0 - number, "length": 40, "checkpoint": None}) for number in range(1, 6000)
    ]
    drawn = draw("parallel", material(many))
    assert len(drawn.data[0].dimensions[0].values) == 5000
    assert drawn.layout.annotations[-1].text.startswith("5,000 of 5,999 trials")
    assert min(drawn.data[0].dimensions[0].values) == 0.0, "the best is there, at its logarithm"


def test_parallel_coordinates_have_logarithms_and_kinds_on_their_axes() -> None:
    loss, kind, width, rate = draw("parallel", material(MANY[:8])).data[0].dimensions
    assert [axis.label for axis in (loss, kind, width, rate)] == ["loss", "kind", "net.width", "rate"]
    assert list(rate.ticktext) == ["0.0001", "0.001", "0.01", "0.1", "1"]
    assert list(kind.ticktext) == ["a", "b"]
    assert list(kind["values"]) == [0, 1, 0, 1, 0, 1, 0, 1]


def test_few_trials_are_all_shown_without_a_word() -> None:
    drawn = draw("slices", material([trial(number) for number in range(1, 9)]))
    assert not [note for note in drawn.layout.annotations if "of" in note.text]
