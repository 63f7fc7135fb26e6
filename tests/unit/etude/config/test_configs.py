"""Configurations as users of Determined and of etude write them: all of them load, and can be previewed."""

from pathlib import Path

import pytest

from etude.config import load, parse
from etude.config.searcher import searcher_names
from etude_searcher.preview import preview

CONFIGS = sorted((Path(__file__).parents[3] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_loads_and_previews(path: Path) -> None:
    config = load(path)
    assert parse(config.to_json()) == config
    if config.searcher.name == "custom":  # is decided elsewhere
        with pytest.raises(ValueError, match="there is nothing to preview"):
            preview(config)
        return
    shown = preview(config)
    assert shown.total_length > 0
    assert shown.unit == config.searcher.longest.unit.value


def test_there_is_one_for_every_method() -> None:
    assert {load(path).searcher.name for path in CONFIGS} == set(searcher_names())
    assert len(CONFIGS) >= 20
