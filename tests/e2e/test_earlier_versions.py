"""A search that an earlier version began and was killed in, in a folder as it left it, goes on with this one.

``tests/earlier_versions/COMMIT`` holds the database as SQL, and the artifacts; ``HOME`` stands for the folder.
"""

import json
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.audit import audit
from tests.e2e.test_run import ETUDE

VERSIONS = Path(__file__).parents[1] / "earlier_versions"


def restored(version: Path, home: Path) -> sqlite3.Connection:
    """The folder of that version, in this place."""
    shutil.copytree(version / "artifacts", home / "artifacts")
    database = sqlite3.connect(home / "etude.db")
    database.executescript((version / "etude.sql").read_text().replace("file://HOME", f"file://{home}"))
    database.commit()
    return database


def documents(database: sqlite3.Connection, collection: str) -> list[dict[str, Any]]:
    return [json.loads(body) for (body,) in database.execute(f'SELECT body FROM "{collection}"')]


@pytest.mark.parametrize("version", sorted(VERSIONS.iterdir()), ids=lambda version: version.name)
def test_a_search_of_an_earlier_version_is_resumed_and_ends(version: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    database = restored(version, home)
    [experiment] = documents(database, "experiments")
    before = documents(database, "search_log")
    command = [*ETUDE, "run", "--resume", experiment["_id"], "--home", str(home), "--slots", "2", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert (outcome["state"], outcome["trials"]) == ("completed", 6)
    log = documents(database, "search_log")
    audit(log)
    assert [decision for decision in log if decision["seq"] < len(before)] == before
