import pytest

from tests.servers import tools


def test_a_tool_that_should_have_been_installed_fails_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "installed_by_the_tests", lambda: True)
    with pytest.raises(pytest.fail.Exception, match="no-such-program is not installed"):
        tools.tool("no-such-program")


def test_a_tool_that_a_person_must_install_skips_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "installed_by_the_tests", lambda: False)
    with pytest.raises(pytest.skip.Exception, match="no-such-program is not installed"):
        tools.tool("no-such-program", "nor-this-one")


def test_the_first_that_is_there_is_taken() -> None:
    assert tools.tool("no-such-program", "sh").endswith("/sh")
