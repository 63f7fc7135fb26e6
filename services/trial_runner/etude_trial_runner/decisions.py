"""Decisions: what the search is to decide upon a trial, and how long its answers are waited for."""

import asyncio
from collections.abc import Callable

from etude.events import ValidationCompleted


class Decisions:
    """The validations of one trial under one lease, and the wait for the search's answer to the latest.

    Parameters
    ----------
    report : takes validations that must arrive
    resend, hand_back : seconds until a validation is reported again, and until ``given_up``
    given_up : is called if no decision comes

    Attributes
    ----------
    latest : the validation that was reported last
    """

    def __init__(
        self,
        report: Callable[[ValidationCompleted], None],
        resend: float,
        hand_back: float,
        given_up: Callable[[], None],
    ) -> None:
        self._report = report
        self._resend, self._hand_back = resend, hand_back
        self._given_up = given_up
        self._unused: list[ValidationCompleted] = []
        self._waiting: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self.latest: ValidationCompleted | None = None

    def record(self, validation: ValidationCompleted) -> None:
        """Report a validation."""
        self.latest = validation
        self._unused.append(validation)
        self._report(validation)

    def start_waiting(self) -> None:
        """Wait for the decision upon the latest validation."""
        if self._waiting is None:
            self._waiting = asyncio.create_task(self._wait())

    def stop_waiting(self) -> None:
        """The decision has come, or is not needed any more."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        self._changed.set()

    def extend(self, target: int) -> None:
        """The search wants a longer training: report again what is known of it.

        A script that does not wait for decisions is past the new target already. The search did not ask for that
        validation when it was reported first.
        """
        self.stop_waiting()
        self._unused = [validation for validation in self._unused if validation.length.amount >= target]
        if self._unused:
            self._report(self._unused[0])

    async def until_changed(self) -> None:
        """Wait until the search has decided, or was waited for in vain."""
        self._changed.clear()
        self.start_waiting()
        await self._changed.wait()

    async def _wait(self) -> None:
        """A decision takes milliseconds unless somebody is down."""
        waited = 0.0
        while waited + self._resend <= self._hand_back:
            await asyncio.sleep(self._resend)
            waited += self._resend
            if self.latest is not None:
                self._report(self.latest)
        await asyncio.sleep(self._hand_back - waited)
        self._waiting = None
        self._changed.set()
        self._given_up()
