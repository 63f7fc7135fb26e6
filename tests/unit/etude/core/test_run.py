"""A trial from the inside: hyperparameters, targets, reports and checkpoints."""

import errno
import math
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from etude.artifacts import ArtifactError, commit_checkpoint
from etude.core import CoreError, InvalidHyperparameters, MetricError, checkpoints
from etude.events import CheckpointReference
from tests.unit.etude.core.recording import extend, run


def test_hyperparameters_are_found_by_name_and_by_path(tmp_path: Path) -> None:
    trial, _ = run(tmp_path)
    assert trial.get_hparam("lr") == 0.1
    assert trial.get_hparam("net.width") == 8
    assert trial.get_hparam("net") == {"width": 8}


@pytest.mark.parametrize("name", ["rate", "net.depth", "lr.x"])
def test_a_hyperparameter_that_is_not_there_is_named_with_those_that_are(tmp_path: Path, name: str) -> None:
    trial, _ = run(tmp_path)
    with pytest.raises(CoreError, match=f"no hyperparameter '{name}'; the configuration has: lr, net"):
        trial.get_hparam(name)


def test_targets_come_one_after_another_until_the_search_has_no_more(tmp_path: Path) -> None:
    trial, link = run(tmp_path, extend(30), extend(90))
    targets = []
    for operation in trial.searcher.operations():
        targets.append(operation.length)
        trial.report_validation(operation.length, {"loss": 1.0})
    assert targets == [10, 30, 90]
    assert [message["length"] for message in link.told("waiting")] == [
        {"batches": 10},
        {"batches": 30},
        {"batches": 90},
    ]


def test_an_extension_that_comes_early_saves_the_waiting(tmp_path: Path) -> None:
    trial, link = run(tmp_path)
    targets = []
    for operation in trial.searcher.operations():
        targets.append(operation.length)
        if operation.length == 10:
            link.heard(extend(30))
        trial.report_validation(operation.length, {"loss": 1.0})
    assert targets == [10, 30]
    assert len(link.told("waiting")) == 1


def test_an_operation_without_a_validation_is_a_mistake_that_says_what_to_do(tmp_path: Path) -> None:
    trial, _ = run(tmp_path)
    with pytest.raises(CoreError, match=r"no validation was reported at 10 batches; call run\.report_validation"):
        list(trial.searcher.operations())


def test_a_trial_that_is_told_to_stop_sees_it_and_gets_no_more_targets(tmp_path: Path) -> None:
    trial, link = run(tmp_path)
    for _ in trial.searcher.operations():
        assert not trial.should_stop()
        link.heard({"do": "stop"})
        assert trial.should_stop()
    assert link.told("waiting") == []


def test_a_validation_past_the_target_completes_it(tmp_path: Path) -> None:
    trial, link = run(tmp_path, extend(30))
    lengths = []
    for operation in trial.searcher.operations():
        trial.report_validation(operation.length - 1, {"loss": 1.0})
        trial.report_validation(operation.length + 1, {"loss": 1.0})
        lengths.append(operation.length)
    assert lengths == [10, 30]
    assert [message["length"] for message in link.told("validation")] == [{"batches": n} for n in (9, 11, 29, 31)]


def test_a_script_that_asks_for_no_operations_waits_for_decisions_where_it_asks_whether_to_stop(
    tmp_path: Path,
) -> None:
    trial, link = run(tmp_path, extend(30))
    done = 0
    while not trial.should_stop():
        done += 4
        trial.report_validation(done, {"loss": 1.0})
    assert done == 32  # 12 is the first past 10, and 32 the first past 30, where the search has no more
    assert [message["length"] for message in link.told("waiting")] == [{"batches": 12}, {"batches": 32}]


def test_metrics_are_numbers(tmp_path: Path) -> None:
    trial, link = run(tmp_path)
    trial.report_validation(10, {"loss": 1, "nan": math.nan, "inf": -math.inf})
    assert link.said[-1]["metrics"] == {"loss": 1.0, "nan": "nan", "inf": "-inf"}


def test_what_is_no_number_is_kept_beside_the_metrics_unless_the_search_is_for_it(tmp_path: Path) -> None:
    trial, link = run(tmp_path)
    trial.report_validation(10, {"loss": 1, "note": "good", "auc": None})
    assert link.said[-1]["metrics"] == {"loss": 1.0}
    assert link.said[-1]["information"] == {"note": "good", "auc": None}
    with pytest.raises(MetricError, match=r"metric 'loss', which the search is for, is \[1, 2\]; report a number"):
        trial.report_validation(10, {"loss": [1, 2]})


def test_training_metrics_that_are_no_numbers_are_left_out_and_named_once(tmp_path: Path, capsys) -> None:
    trial, link = run(tmp_path)
    for length in (1, 2):
        trial.report_training(length, {"loss": 1, "note": "good"})
    assert [message["metrics"] for message in link.told("training")] == [{"loss": 1.0}] * 2
    assert capsys.readouterr().err == "training metric 'note' is no number, and is left out\n"


def test_a_checkpoint_is_told_with_its_files_and_goes_with_the_validation_at_its_length(tmp_path: Path) -> None:
    trial, link = run(tmp_path)
    with trial.save_checkpoint(10) as folder:
        (folder / "state").write_text("x")
    trial.close()
    [saved] = link.told("checkpoint")
    assert link.saved()[0].uri == f"file://{tmp_path}/checkpoints/exp/1/1-10"
    assert saved["files"][0]["path"] == "state"
    trial.report_validation(10, {"loss": 1.0})
    trial.report_validation(20, {"loss": 1.0})
    first, second = link.told("validation")
    assert first["checkpoint"] == {"lease": 1, "reached": 10, "copy": 0}
    assert str(tmp_path) not in str(link.said), "a trial names no place"
    assert second["checkpoint"] is None


def test_two_checkpoints_of_one_length_are_two(tmp_path: Path) -> None:
    trial, link = run(tmp_path)
    for text in ("one", "two"):
        with trial.save_checkpoint(10) as folder:
            (folder / "state").write_text(text)
    trial.close()
    first, second = [saved.uri for saved in link.saved()]
    assert Path(first.removeprefix("file://"), "state").read_text() == "one"
    assert Path(second.removeprefix("file://"), "state").read_text() == "two"


def test_a_checkpoint_that_fails_is_not_told(tmp_path: Path) -> None:
    trial, link = run(tmp_path)

    def fail() -> None:
        with trial.save_checkpoint(10):
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert link.said == []
    assert trial.length == 0


def test_a_checkpoint_for_which_there_is_no_space_is_stored_once_there_is(tmp_path: Path, monkeypatch, capsys) -> None:
    full, store = [OSError(errno.ENOSPC, "No space left on device")] * 3, checkpoints.commit_checkpoint

    def commit(*arguments: Any, **about: Any) -> Any:
        if full:
            raise full.pop()
        return store(*arguments, **about)

    monkeypatch.setattr(checkpoints, "commit_checkpoint", commit)
    monkeypatch.setattr("etude.artifacts.disk._FIRST_PAUSE", 0.001)
    trial, link = run(tmp_path)
    with trial.save_checkpoint(10) as folder:
        (folder / "state").write_text("x")
    trial.close()
    assert len(link.told("checkpoint")) == 1
    assert capsys.readouterr().err.count("not stored yet") == 2  # when it was full, and when it was not any more


def test_a_checkpoint_that_cannot_be_written_for_want_of_space_says_so(tmp_path: Path) -> None:
    trial, _ = run(tmp_path)

    def fail() -> None:
        with trial.save_checkpoint(10):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ArtifactError, match=r"the checkpoint cannot be written: the disk of .* is full"):
        fail()


def test_training_waits_with_a_checkpoint_until_there_is_space_for_one_like_the_last(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("etude.artifacts.disk._FIRST_PAUSE", 0.001)
    trial, _ = run(tmp_path)
    with trial.save_checkpoint(10) as folder:
        (folder / "state").write_bytes(b"x" * 100_000)
    free = iter([0, 70_000, 99_999, 100_000])
    monkeypatch.setattr(checkpoints, "free_space", lambda folder: next(free))
    with trial.save_checkpoint(20):
        assert list(free) == []


def test_a_trial_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    first, _ = run(tmp_path)
    with first.restore_checkpoint() as nothing:
        assert nothing is None
    with first.save_checkpoint(10) as folder:
        (folder / "state").write_text("x")
    first.close()
    uri = f"file://{tmp_path}/checkpoints/exp/1/1-10"
    second, _ = run(tmp_path, checkpoint=CheckpointReference(uri=uri, length=10), lease_number=2, until=30)
    assert second.length == 10
    with second.restore_checkpoint() as found:
        assert found is not None
        assert (found / "state").read_text() == "x"


def test_what_a_killed_process_of_the_trial_did_not_finish_is_removed(tmp_path: Path) -> None:
    staging, others = (tmp_path / "checkpoints" / "exp" / trial / ".partial-x" for trial in ("1", "2"))
    staging.mkdir(parents=True)
    others.mkdir(parents=True)
    run(tmp_path, lease_number=2)
    assert (staging.exists(), others.exists()) == (False, True)


def saved_at(tmp_path: Path, *lengths: int, lease_number: int = 1) -> CheckpointReference:
    """A trial that saved at some lengths; returns the last checkpoint."""
    trial, _ = run(tmp_path, lease_number=lease_number)
    for length in lengths:
        with trial.save_checkpoint(length) as folder:
            (folder / "state").write_text(str(length))
    trial.close()
    uri = f"file://{tmp_path}/checkpoints/exp/1/{lease_number}-{lengths[-1]}"
    return CheckpointReference(uri=uri, length=lengths[-1])


def damage(reference: CheckpointReference) -> None:
    Path(reference.uri.removeprefix("file://"), "state").write_text("rotten")


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path, capsys) -> None:
    saved_at(tmp_path, 5)
    latest = saved_at(tmp_path, 9, 10, lease_number=2)
    damage(latest)
    again, _ = run(tmp_path, checkpoint=latest, lease_number=3)
    assert again.length == 9
    with again.restore_checkpoint() as folder:
        assert folder is not None
        assert (folder / "state").read_text() == "9"
    assert "state is damaged" in capsys.readouterr().err


def test_a_trial_whose_only_checkpoint_is_damaged_begins_anew(tmp_path: Path, capsys) -> None:
    latest = saved_at(tmp_path, 10)
    damage(latest)
    again, _ = run(tmp_path, checkpoint=latest, lease_number=2)
    assert again.length == 0
    assert "this trial begins anew" in capsys.readouterr().err


def test_a_checkpoint_that_is_nowhere_is_a_mistake_of_the_storage(tmp_path: Path) -> None:
    nowhere = CheckpointReference(uri=f"file://{tmp_path}/checkpoints/exp/1/1-10", length=10)
    with pytest.raises(ArtifactError, match="do all runners see the same checkpoint_storage"):
        run(tmp_path, checkpoint=nowhere)


def test_anothers_checkpoint_is_the_one_or_none(tmp_path: Path) -> None:
    latest = saved_at(tmp_path, 5, 10)
    damage(latest)
    with pytest.raises(ArtifactError, match="state is damaged"):
        run(tmp_path, checkpoint=latest.model_copy(update={"foreign": True}))


def test_what_cannot_be_stored_is_told_at_the_next_report(tmp_path: Path, monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("etude.core.checkpoints.commit_checkpoint", full)
    trial, link = run(tmp_path)
    with trial.save_checkpoint(10) as folder:
        (folder / "state").write_text("x")
    with pytest.raises(OSError, match="disk full"):
        trial.report_validation(10, {"loss": 1.0})
    assert link.told("validation") == []


def test_training_goes_on_while_a_checkpoint_is_stored(tmp_path: Path, monkeypatch) -> None:
    go_on = threading.Event()

    def slow(*arguments: Any, **about: Any) -> Any:
        assert go_on.wait(10)
        return commit_checkpoint(*arguments, **about)

    monkeypatch.setattr("etude.core.checkpoints.commit_checkpoint", slow)
    trial, link = run(tmp_path)
    with trial.save_checkpoint(10) as folder:
        (folder / "state").write_text("x")
    trial.report_training(11, {"loss": 1.0})
    assert link.told("checkpoint") == []
    go_on.set()
    trial.report_validation(10, {"loss": 1.0})
    assert [message["say"] for message in link.said] == ["training", "checkpoint", "validation"]


def test_the_names_of_determineds_core_api_do_the_same(tmp_path: Path) -> None:
    trial, link = run(tmp_path, until=2)
    for operation in trial.searcher.operations():
        trial.train.report_training_metrics(1, {"loss": 2.0})
        assert not trial.preempt.should_preempt()
        with trial.checkpoint.store_path({"steps_completed": 2}) as (folder, name):
            (folder / "state").write_text(name)
        trial.train.report_validation_metrics(operation.length, {"loss": 1.0})
    assert [message["say"] for message in link.said] == ["training", "checkpoint", "validation", "waiting"]
    [latest] = link.saved()
    again, _ = run(tmp_path, checkpoint=latest, lease_number=2)
    with again.checkpoint.restore_path() as found:
        assert found is not None
        assert (found / "state").read_text() == "1-1-2"
    with pytest.raises(InvalidHyperparameters, match="too wide"):
        again.train.invalid_hyperparameters("too wide")


def test_what_was_saved_before_a_failure_is_stored(tmp_path: Path, monkeypatch) -> None:
    def slow(*arguments: Any, **about: Any) -> Any:
        time.sleep(0.1)
        return commit_checkpoint(*arguments, **about)

    monkeypatch.setattr("etude.core.checkpoints.commit_checkpoint", slow)
    trial, link = run(tmp_path)

    def save_and_fail() -> None:
        with trial.save_checkpoint(10) as folder:
            (folder / "state").write_text("x")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), trial:
        save_and_fail()
    assert len(link.told("checkpoint")) == 1
