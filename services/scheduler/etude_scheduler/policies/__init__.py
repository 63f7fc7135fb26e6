"""Policies: which waiting trial gets which free slots. Pure."""

from etude_scheduler.policies.first_come import Placement, first_come

__all__ = ["Placement", "first_come"]
