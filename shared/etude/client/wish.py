"""Wishes: what a person may ask of an experiment, by the verb of the command line and the API."""

from etude.events import (
    Event,
    ExperimentActivateRequested,
    ExperimentArchiveRequested,
    ExperimentCancelRequested,
    ExperimentKillRequested,
    ExperimentPauseRequested,
)

VERBS = ("pause", "activate", "cancel", "kill", "archive", "unarchive")


def wish(verb: str, requested_by: str) -> Event:
    """The event that asks for it.

    Parameters
    ----------
    verb : one of :data:`VERBS`
    """
    match verb:
        case "pause":
            return ExperimentPauseRequested(requested_by=requested_by)
        case "activate":
            return ExperimentActivateRequested(requested_by=requested_by)
        case "cancel":
            return ExperimentCancelRequested(requested_by=requested_by)
        case "kill":
            return ExperimentKillRequested(requested_by=requested_by)
        case "archive" | "unarchive":
            return ExperimentArchiveRequested(archived=verb == "archive", requested_by=requested_by)
    raise ValueError(f"{verb!r} is none of {', '.join(VERBS)}")
