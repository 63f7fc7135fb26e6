"""What can be wrong with a configuration: every mistake at once, each with its place."""

from collections.abc import Sequence
from dataclasses import dataclass

from etude.errors import Failure


@dataclass(frozen=True)
class Problem:
    """One mistake: where it is and what was expected there.

    Attributes
    ----------
    path : dotted path into the document, such as ``hyperparameters.lr.minval``
    message : what is wrong and what was expected
    line : line in the file, from 1, where known
    """

    path: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{self.path}: {self.message}"


class ConfigError(Failure, ValueError):
    """A configuration that cannot be run; ``problems`` lists every mistake."""

    def __init__(self, problems: Sequence[Problem], source: str = "configuration") -> None:
        self.problems = list(problems)
        self.source = source
        count = len(self.problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{source} has {count} mistake{'s' if count != 1 else ''}:\n{lines}")
