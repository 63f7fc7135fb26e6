"""Verdicts: how the allocation of a trial ended, from what its processes said and did."""

import re
import signal
from dataclasses import dataclass

from etude.events import EndReason, Length

_SIGNAL_OF_SHELL = 128  # a shell tells a signal as 128 and its number
_NO_PROGRAM = (126, 127)  # a shell's: it may not be run, or was not found
_LASTING = re.compile(r"(ImportError|ModuleNotFoundError|SyntaxError|IndentationError|TabError): ")


@dataclass
class Evidence:
    """What is known about the processes of a trial on this machine.

    Attributes
    ----------
    leads : is the first of the trial's processes here?
    reached : how far it said it was, in the unit of its target
    saved : how far its latest checkpoint is
    validated : length of its latest validation
    stop_reason : what they were told to end for
    is_killed : did this runner end them?
    failure, is_retryable : what went wrong, in words, and whether another attempt may not meet that
    is_invalid : are the hyperparameters invalid? ``failure`` says why
    exit_code : of the first process that failed; a signal counts negative
    last_error : the last line that was written to stderr
    """

    leads: bool = True
    reached: int = 0
    saved: int = 0
    validated: int = -1
    stop_reason: EndReason | None = None
    is_killed: bool = False
    failure: str = ""
    is_retryable: bool = True
    is_invalid: bool = False
    exit_code: int | None = None
    last_error: str = ""

    @property
    def ended_well(self) -> bool:
        """Did they end without a failure, by themselves or, at a hanging exit, by this runner?"""
        return self.exit_code == 0 or (self.is_killed and not self.failure)

    def fail(self, reason: str, retryable: bool = True) -> None:
        """Something went wrong."""
        self.failure, self.is_retryable = reason, retryable


@dataclass(frozen=True)
class Verdict:
    """How it ended.

    Attributes
    ----------
    detail : in words; empty if there is nothing to say
    retryable : may another attempt not meet the failure?
    """

    reason: EndReason
    detail: str = ""
    retryable: bool = True


def judge(evidence: Evidence, target: Length) -> Verdict:
    """How the allocation ended.

    Parameters
    ----------
    target : how far the trial was to be trained
    """
    e = evidence
    if e.is_invalid:
        return Verdict(EndReason.INVALID_HYPERPARAMETERS, e.failure)
    never_began = e.exit_code is None and not e.failure
    if e.stop_reason is not None and (e.ended_well or e.is_killed or never_began or _signal(e.exit_code) in _STOPPING):
        return Verdict(e.stop_reason, "killed, without a checkpoint of its last state" if e.is_killed else "")
    if e.failure:
        return Verdict(EndReason.FAILED, e.failure, e.is_retryable)
    if e.ended_well:
        return _judge_unasked(e, target)
    return _judge_exit_code(e)


_STOPPING = (signal.SIGTERM, signal.SIGINT)


def _judge_unasked(evidence: Evidence, target: Length) -> Verdict:
    """It ended without being told to."""
    if not evidence.leads or evidence.validated >= target.amount:
        return Verdict(EndReason.FINISHED)
    advice = (
        f"it ended by itself at {evidence.reached} of {target}, and reported no validation at its target; call "
        "run.report_validation(length, metrics) at operation.length, or beyond it"
    )
    return Verdict(EndReason.FAILED, advice, retryable=False)


def _judge_exit_code(evidence: Evidence) -> Verdict:
    code, said = evidence.exit_code, evidence.last_error
    number = _signal(code)
    if number:
        guess = " (out of memory?)" if number == signal.SIGKILL else ""
        return Verdict(EndReason.FAILED, f"killed by signal {number}{guess}")
    is_lasting = code in _NO_PROGRAM or (code == 1 and _LASTING.match(said) is not None)
    return Verdict(EndReason.FAILED, f"exit code {code}{': ' if said else ''}{said}", not is_lasting)


def _signal(code: int | None) -> int:
    """The signal that ended a process, or the process under a shell; 0 if none did."""
    if code is None:
        return 0
    return -code if code < 0 else max(0, code - _SIGNAL_OF_SHELL)
