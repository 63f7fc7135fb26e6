"""A full disk is waited out, for a while."""

import errno
import sqlite3

import pytest

from etude.artifacts.disk import PATIENCE, is_disk_full, retry_while_full

FULL = OSError(errno.ENOSPC, "No space left on device")


class Disk:
    """Is full for some tries."""

    def __init__(self, *errors: OSError) -> None:
        self.errors = list(errors)
        self.told: list[str] = []
        self.slept = 0.0

    def write(self) -> int:
        if self.errors:
            raise self.errors.pop(0)
        return 7

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    def retry(self) -> int:
        return retry_while_full(self.write, self.told.append, self.sleep)


def test_a_disk_with_space_is_not_waited_for() -> None:
    disk = Disk()
    assert (disk.retry(), disk.slept, disk.told) == (7, 0.0, [])


def test_a_full_disk_is_told_once_and_once_more_when_there_is_space() -> None:
    disk = Disk(*[FULL] * 5)
    assert disk.retry() == 7
    first, second = disk.told
    assert "No space left on device" in first
    assert second == "there is space again"


def test_a_disk_that_stays_full_is_a_failure_in_the_end() -> None:
    disk = Disk(*[FULL] * 10_000)
    with pytest.raises(OSError, match="No space left"):
        disk.retry()
    assert disk.slept == pytest.approx(PATIENCE)


def test_any_other_error_is_not_repeated() -> None:
    disk = Disk(OSError(errno.EACCES, "Permission denied"))
    with pytest.raises(OSError, match="Permission denied"):
        disk.retry()
    assert disk.slept == 0.0


def test_sqlite_has_a_name_of_its_own_for_it() -> None:
    database = sqlite3.connect(":memory:")
    database.execute("PRAGMA max_page_count = 1")
    with pytest.raises(sqlite3.OperationalError, match="full") as full:
        database.execute("CREATE TABLE t (x)")
    assert is_disk_full(full.value)
    with pytest.raises(sqlite3.OperationalError, match="syntax") as wrong:
        database.execute("SELEKT")
    assert not is_disk_full(wrong.value)
    assert not is_disk_full(sqlite3.ProgrammingError("Cannot operate on a closed database."))
