"""Names in nested mappings."""

from etude.names import MISSING, find, quoted


def test_dots_lead_into_groups_and_may_be_in_names() -> None:
    values = {"a": {"b.c": 1, "d": {"e": 2}}, "a.d.e": 3}
    assert find(values, ["a", "b", "c"]) == 1
    assert find(values, ["a", "d"]) == {"e": 2}
    assert find(values, ["a", "d", "e"]) == 3
    assert find(values, ["a", "x"]) is MISSING
    assert find({"a": 1}, ["a", "b"]) is MISSING


def test_what_is_no_word_is_quoted() -> None:
    assert quoted(["optimizer.lr"]) == "optimizer.lr"
    assert quoted(["net", "lambda"]) == "net.`lambda`"
    assert quoted(["batch-size"]) == "`batch-size`"
