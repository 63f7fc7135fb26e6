"""Asking: a search for people who train elsewhere. etude says what to try, and is told what came of it."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etude.client.handles.experiment import Experiment

if TYPE_CHECKING:
    from etude.client.client import Client

ASK_AND_TELL = "ask-and-tell"
"""The resource pool of experiments that no scheduler serves."""
ENDED = ("completed", "failed", "canceled", "rejected")
_OVER = ("finished", "stopped", "errored", "invalid-hyperparameters", "canceled", "killed")
_PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class Question:
    """What is to be trained.

    Attributes
    ----------
    trial_id : of the trial; it may come again with a greater length, and then goes on from where it was
    hyperparameters : to train with
    length : until when, counted from the beginning of the trial, in the unit of the searcher's ``max_length``
    since : how far it was told before
    """

    trial_id: int
    hyperparameters: dict[str, Any]
    length: int
    since: int


class Asking:
    """Questions and answers of one search. One of them at a time asks for an experiment.

    >>> for question in client.ask_and_tell(config):                                # doctest: +SKIP
    ...     asking.tell(question, {"loss": train(**question.hyperparameters)})

    Attributes
    ----------
    experiment : what the search is by now
    """

    def __init__(self, client: "Client", experiment_id: str) -> None:
        self._api = client.api
        self.experiment = Experiment(client, experiment_id)
        self._asked: set[tuple[int, int, int]] = set()

    def ask(self, patience: float | None = None) -> Question | None:
        """What to train next; None if the search is over.

        Several may be asked for before any is told; as many as ``max_concurrent_trials``.

        Parameters
        ----------
        patience : seconds to wait for a question; by default, as long as it takes

        Raises
        ------
        TimeoutError
            There is none yet: others must be told first, or the search is paused.
        ApiError
            The service does not answer.
        """
        path = f"/experiments/{self.experiment.id}"
        deadline = None if patience is None else time.monotonic() + patience
        while True:
            state = self.experiment.state  # asked before the trials, so that none of them is missed
            for trial in self._api.pages(f"{path}/trials", limit=1000):
                if (question := self._question(trial)) is not None:
                    self._asked.add((question.trial_id, trial["attempt"], question.length))
                    return question
            if state in ENDED:
                return None
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"nothing to train within {patience} s; the search is {state}")
            time.sleep(_PAUSE_SECONDS)

    def tell(self, question: Question, metrics: Mapping[str, float], length: int | None = None) -> None:
        """Tell what came of a question.

        Parameters
        ----------
        metrics : of a validation; the searcher's is among them
        length : if it is not that of the question, but one before it: a result on the way, which decides nothing yet

        Raises
        ------
        ApiError
            The service does not answer, or the trial is not wanted so far.
        """
        path = f"/experiments/{self.experiment.id}/trials/{question.trial_id}/validations"
        self._api.send("POST", path, length=question.length if length is None else length, metrics=dict(metrics))

    def fail(self, question: Question, why: str = "", invalid: bool = False) -> None:
        """Give a trial up.

        Parameters
        ----------
        invalid : its hyperparameters make no sense, and another trial takes its place
        """
        path = f"/experiments/{self.experiment.id}/trials/{question.trial_id}/failure"
        self._api.send("POST", path, detail=why, invalid=invalid)

    def __iter__(self) -> Iterator[Question]:
        """Questions until the search is over."""
        while (question := self.ask()) is not None:
            yield question

    def _question(self, trial: Mapping[str, Any]) -> Question | None:
        if trial["state"] in (*_OVER, "paused") or not trial["target"]:
            return None
        [length] = trial["target"].values()
        since = trial["length"] or 0
        if since >= length or (trial["trial_id"], trial["attempt"], length) in self._asked:
            return None
        return Question(trial["trial_id"], dict(trial["hyperparameters"]), length, since)
