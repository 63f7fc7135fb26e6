"""A machine that is too full says so."""

from pathlib import Path

from etude_trial_runner.watermarks import Watermarks


def test_a_machine_with_room_takes_trials(tmp_path: Path) -> None:
    assert Watermarks(tmp_path, disk=1.0, memory=1.0).exceeded() == ""


def test_a_full_disk_is_told_with_the_setting_that_says_what_full_is(tmp_path: Path) -> None:
    told = Watermarks(tmp_path, disk=0.0, memory=1.0).exceeded()
    assert told.startswith(f"the disk of {tmp_path} is ")
    assert told.endswith("above 0% (ETUDE_DISK_WATERMARK)")


def test_so_is_memory(tmp_path: Path) -> None:
    assert Watermarks(tmp_path, disk=1.0, memory=0.0).exceeded().endswith("above 0% (ETUDE_MEMORY_WATERMARK)")
