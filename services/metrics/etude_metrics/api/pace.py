"""Pace: how new answers are, and what newness may cost."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """By default, answers are as new as can be.

    Parameters
    ----------
    known_seconds : for so long what was read counts as new
    recent_seconds : for so long an answer counts as new that tells of what grows all the time: logs, training metrics
    rest : what took a second to make is not made again within so many
    patience : seconds to wait for something newer where there is something older; None for as long as it takes
    """

    known_seconds: float = 0.0
    recent_seconds: float = 0.0
    rest: float = 0.0
    patience: float | None = None
