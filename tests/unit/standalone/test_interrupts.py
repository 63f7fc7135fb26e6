"""What signals mean to a run."""

import signal
from typing import NoReturn

from etude_standalone.interrupts import Interrupts


class LeftError(Exception):
    """The process would have ended."""


class Stage:
    """Interrupts on a clock of our own."""

    def __init__(self) -> None:
        self.announced = 0
        self.interrupts = Interrupts(self._announce, self._leave)

    def _announce(self) -> None:
        self.announced += 1

    def _leave(self) -> NoReturn:
        raise LeftError

    def receive(self, number: signal.Signals, at: float) -> bool:
        """Receive a signal; returns whether the process ends at once."""
        try:
            self.interrupts.receive(number, lambda: at)
        except LeftError:
            return True
        return False


def test_the_first_signal_is_a_wish_to_pause() -> None:
    stage = Stage()
    assert not stage.receive(signal.SIGTERM, 10.0)
    assert stage.interrupts.came.is_set()
    assert stage.announced == 1


def test_a_signal_that_is_sent_twice_is_one_wish() -> None:
    stage = Stage()
    assert [stage.receive(signal.SIGTERM, at) for at in (10.0, 10.0, 60.0)] == [False, False, False]
    assert not stage.receive(signal.SIGINT, 10.5)
    assert stage.announced == 1


def test_ctrl_c_once_more_ends_at_once() -> None:
    stage = Stage()
    assert not stage.receive(signal.SIGINT, 10.0)
    assert stage.receive(signal.SIGINT, 12.0)
