"""Policy: the small interface that every scheduling policy implements."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, ClassVar

from etude.errors import Failure
from etude_scheduler.claim import Claim

_GROUP = "etude.scheduling_policies"


class UnknownPolicyError(Failure):
    """A policy that is not installed."""


class Policy(ABC):
    """Orders the claims of experiments on a pool.

    Within an experiment trials go in the order in which they were requested, so that a promoted trial goes before the
    new ones.
    """

    name: ClassVar[str]
    preempts: ClassVar[bool] = False

    @abstractmethod
    def order(self, claim: Claim, typical: float) -> tuple[Any, ...]:
        """The claim with the smallest goes first; a grant may change only that of the claim that gets it.

        Parameters
        ----------
        typical : seconds that an allocation lasts
        """

    def may_preempt(self, claim: Claim, need: float, victim: Claim, size: float, held: Mapping[str, float]) -> bool:
        """May ``size`` slots be taken from a victim, so that a claim gets ``need``?

        Parameters
        ----------
        held : slots of each experiment, as they would be after what was already decided
        """
        return False

    def standing(self, claim: Claim) -> str:
        """What its place in the order depends on, in words."""
        return ""


def named(name: str) -> Policy:
    """The policy of that name.

    Raises
    ------
    UnknownPolicyError
        None is installed; those that are are listed.
    """
    found = {entry.name: entry for entry in entry_points(group=_GROUP)}
    if name not in found:
        raise UnknownPolicyError(f"no scheduling policy {name!r} is installed; there are: {', '.join(sorted(found))}")
    made: Policy = found[name].load()()
    return made
