"""The examples in docstrings are true."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("shared/etude", *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("services/*/etude_*")))


def modules() -> list[str]:
    """Those with an example."""
    found = []
    for source in map(ROOT.joinpath, SOURCES):
        for path in source.rglob("*.py"):
            if ">>> " in path.read_text():
                parts = path.relative_to(source.parent).with_suffix("").parts
                found.append(".".join(part for part in parts if part != "__init__"))
    return sorted(found)


@pytest.mark.parametrize("name", modules())
def test_examples_do_what_they_say(name: str) -> None:
    failed, _ = doctest.testmod(import_module(name))
    assert failed == 0
