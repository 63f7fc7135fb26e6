"""Policies: which experiment is served next, and whose trials make room for it. Pure; plug-ins by entry point."""

from etude_scheduler.policies.policy import Policy, named

__all__ = ["Policy", "named"]
