"""Asynchronous successive halving (ASHA; Li et al., MLSys 2020, Algorithm 2), by promotion or by stopping."""

import math
from typing import Any

from etude.config import AsyncHalvingConfig
from etude.events import CloseReason
from etude_searcher.methods.halving import Halving
from etude_searcher.methods.method import NewTrial, UnchangeableError
from etude_searcher.methods.operation import Continue, Operation, Pause
from etude_searcher.methods.rung import WORST, Rung, targets


class AsyncHalving(Halving):
    """Promote the best ``1/divisor`` of each rung as results come in, without waiting for the rung to fill.

    A result gives at most one new piece of work: a promotion (of the trial itself, or of the one that has just come
    within the best ``floor(n/d)`` of its rung), else a new trial. Once all trials have a bottom-rung result, rungs
    close from below as soon as nothing is outstanding there. With ``stop_once`` a trial goes on if it is among the
    best ``max(floor(n/d), 1)`` when it reports, and is closed for good if not.
    """

    def __init__(self, config: AsyncHalvingConfig, new_trial: NewTrial, points: int | None = None) -> None:
        super().__init__(
            targets(config.max_length.amount, config.num_rungs, config.divisor),
            config.max_concurrent_trials or max(int(config.divisor ** (config.num_rungs - 1)), 1),
            new_trial,
        )
        self._divisor = config.divisor
        self._stop_once = config.stop_once
        self._max_trials = config.max_trials if points is None else min(config.max_trials, points)
        self._closed_out = 0  # rungs, from below, that can get no more results

    def start(self) -> list[Operation]:
        return [self._create() for _ in range(min(self._concurrent, self._max_trials))]

    def change(self, config: AsyncHalvingConfig) -> list[Operation]:
        """More trials go on where the search stands; a longer ``max_length`` adds a rung on top.

        Trials that were closed because nothing more could come are paused again: they may be promoted now.
        """
        longest = self._rungs[-1].target
        if config.max_trials < self.created or config.max_length.amount < longest:
            raise UnchangeableError(
                f"{self.created} trials of up to {longest} {config.max_length.unit} have been begun; "
                "max_trials and max_length can only grow"
            )
        reopened = self._reopen(config)
        self._max_trials = max(config.max_trials, self.created)
        self._concurrent = config.max_concurrent_trials or self._concurrent
        operations: list[Operation] = [Pause(trial) for trial in reopened]
        for rung in self._rungs[:-1]:
            for rank in range(0 if self._stop_once else math.floor(len(rung) / self._divisor)):
                if rung.at(rank) not in rung.promoted:
                    operations += self._promote(rung.at(rank), wait=True)
        operations += self._start_more()
        return operations + self._settle()

    def _reopen(self, config: AsyncHalvingConfig) -> list[int]:
        """Who may be promoted again, now that there is more to come."""
        longer = config.max_length.amount > self._rungs[-1].target
        if not longer and config.max_trials <= self._max_trials:
            return []
        if longer:
            self._rungs.append(Rung(config.max_length.amount))
        self._closed_out = 0
        top = len(self._rungs) - 1
        reopened = sorted(
            trial
            for trial in self._closed - self._exited
            if not self._stop_once or (longer and self._rung_of[trial] == top - 1)
            if self._rung_of[trial] < top
        )
        self._closed -= set(reopened)
        return reopened

    def trial_returned(self, trial_id: int) -> list[Operation]:
        self._closed_out = 0
        return super().trial_returned(trial_id)

    def _start_more(self) -> list[Operation]:
        operations: list[Operation] = []
        while self._training() < self._concurrent and (work := self._next()):
            operations.append(work)
        return operations

    def progress(self) -> float:
        """Mostly the share of trials with a bottom-rung result; the last fifth is the share that is closed."""
        return (4 * len(self._rungs[0]) + len(self._closed)) / (5 * max(self._max_trials, len(self._closed)))

    def snapshot(self) -> dict[str, Any]:
        return {**super().snapshot(), "max_trials": self._max_trials, "closed_out": self._closed_out}

    def restore(self, snapshot: dict[str, Any]) -> None:
        super().restore(snapshot)
        self._max_trials = snapshot["max_trials"]
        self._closed_out = snapshot["closed_out"]

    def _enter(self, trial_id: int, metric: float) -> list[Operation]:
        """A result enters the rung its trial is in: it gives at most one promotion, else a new trial."""
        k = self._rung_of[trial_id]
        rung = self._rungs[k]
        rung.outstanding.discard(trial_id)
        rank = rung.enter(trial_id, metric)
        if k == len(self._rungs) - 1:
            return self._close(trial_id, CloseReason.FINISHED) + self._fill()
        best = math.floor(len(rung) / self._divisor)
        if self._stop_once:
            best = max(best, 1)
            goes_on = rank < best or metric <= rung.metric(best - 1)  # of equals all go on
            self._explain(rung, trial_id, rank, best, "goes on" if goes_on else "is stopped")
            if goes_on:
                return self._promote(trial_id)
            return self._close(trial_id, CloseReason.STOPPED) + self._fill()
        promotable = self._promotable(rung, rank)
        if promotable == trial_id:
            self._explain(rung, trial_id, rank, best, "is promoted")
            return self._promote(trial_id)
        self._explain(rung, trial_id, rank, best, "rests")
        if promotable is None:
            return self._fill()
        self._explain(rung, promotable, best - 1, best, "is promoted, as the rung has grown")
        return self._promote(promotable)

    def _explain(self, rung: Rung, trial_id: int, rank: int, best: int, what: str) -> None:
        self.because(
            f"trial {trial_id} {what}: rank {rank + 1} of {len(rung)} at {rung.target}, and the best {best} go on "
            f"({len(rung)} / {self._divisor:g})"
        )

    def _promotable(self, rung: Rung, rank: int) -> int | None:
        """Who is promoted by the result that has just entered at ``rank``."""
        now = math.floor(len(rung) / self._divisor)
        before = math.floor((len(rung) - 1) / self._divisor)
        candidate = rung.at(min(rank, now - 1)) if rank < now or now > before else None
        if candidate is None or candidate in rung.promoted:
            return None
        return candidate if candidate in self._exited or candidate not in self._closed else None

    def _promote(self, trial_id: int, wait: bool = False) -> list[Operation]:
        k = self._rung_of[trial_id]
        self._rungs[k].promoted.add(trial_id)
        self._rung_of[trial_id] = k + 1
        self._rungs[k + 1].outstanding.add(trial_id)
        if trial_id in self._exited:  # it cannot train any more: it fails up there, too
            return self._enter(trial_id, WORST)
        if wait:
            self._promotions.append(trial_id)
            return []
        return [Continue(trial_id, self._rungs[k + 1].target)]

    def _fill(self) -> list[Operation]:
        """Another trial in the place of the one that reported, unless fewer may train than do."""
        work = self._next() if self._training() < self._concurrent else None
        return [work] if work else []

    def _next(self) -> Operation | None:
        """A promotion that waits for its turn, else a new trial."""
        if self._promotions:
            return self._next_promotion()
        return self._create() if self.created < self._max_trials else None

    def _replace(self) -> list[Operation]:
        self._closed_out = 0
        return self._fill()

    def _settle(self) -> list[Operation]:
        """Close the unpromoted trials of all rungs, from below, that can get no more results."""
        operations: list[Operation] = []
        if len(self._rungs[0]) < self._max_trials:
            return operations
        for rung in self._rungs[self._closed_out :]:
            if rung.outstanding:
                break
            self._closed_out += 1
            closed = [op for trial_id in rung.unpromoted() for op in self._close(trial_id, CloseReason.STOPPED)]
            if closed:
                self.because(f"{len(closed)} trials at {rung.target} are stopped: no more results can come there")
            operations += closed
        return operations
