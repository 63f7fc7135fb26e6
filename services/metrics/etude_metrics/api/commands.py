"""Commands: what people want. Each becomes an event; no document is written here."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, File, Request, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from etude.artifacts import ArtifactError
from etude.artifacts.model_definition import MAX_SIZE, unpack
from etude.client.asking import ASK_AND_TELL, ENDED
from etude.client.change import read_changes
from etude.client.errors import ChangeError
from etude.client.experiment import NewExperiment, announced, prepare
from etude.client.wish import VERBS, wish
from etude.config import ConfigError, parse
from etude.config.load import loads
from etude.events import (
    CheckpointDiscarded,
    CloseReason,
    Envelope,
    Event,
    ExitReason,
    ExperimentDeleteRequested,
    ExperimentResyncRequested,
    ExperimentRetryRequested,
    Length,
    ModelDefinition,
    RunnerChangeRequested,
    TrialExited,
    Unit,
    ValidationCompleted,
)
from etude.service.clock import Clock
from etude.store import Document
from etude_metrics.api.answers import to_json
from etude_metrics.api.known import Known
from etude_metrics.api.problems import ProblemError, described
from etude_metrics.api.queries import Queries

Publish = Callable[[Sequence[Envelope]], Awaitable[list[Envelope]]]
"""Publishes events; returns those that no queue wanted."""
_MAX_BODY = MAX_SIZE + 2**20
_PATIENCE_SECONDS = 10.0
_ERRORED = CloseReason.ERRORED.value
_UNDECIDED = ("requested", "waiting", "running", "paused")
_ACCEPTED: dict[str, Any] = {"status_code": 202, "response_model": None, "response_class": Response}


class Verb(StrEnum):
    """What may be asked of an experiment."""

    PAUSE = "pause"
    ACTIVATE = "activate"
    CANCEL = "cancel"
    KILL = "kill"
    ARCHIVE = "archive"
    UNARCHIVE = "unarchive"


assert tuple(Verb) == VERBS


class RunnerVerb(StrEnum):
    """What may be asked of a runner."""

    ENABLE = "enable"
    DISABLE = "disable"
    DRAIN = "drain"


class Created(BaseModel):
    """A new experiment."""

    experiment_id: str


class Fork(BaseModel):
    """What a new experiment takes over."""

    model_config = ConfigDict(extra="forbid")

    config: Annotated[dict[str, JsonValue] | None, Field(description="By default that of the other one.")] = None


class Retry(BaseModel):
    """Trials that failed, to be tried again."""

    model_config = ConfigDict(extra="forbid")

    trials: Annotated[
        list[Annotated[int, Field(ge=1, lt=2**31)]],
        Field(max_length=100_000, description="None for all that failed.", examples=[[17, 23]]),
    ] = []


class Changes(BaseModel):
    """Other settings for a search, also for one that is over, which then goes on."""

    model_config = ConfigDict(extra="forbid")

    changes: Annotated[
        list[Annotated[str, Field(max_length=1000)]],
        Field(min_length=1, max_length=100, examples=[["max_trials=+50", "hyperparameters.lr.maxval=-2"]]),
    ]


class Result(BaseModel):
    """What a trial that is trained elsewhere came to."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null")

    length: Annotated[int, Field(ge=1, lt=2**63, description="Of training, in the unit of the trial's target.")]
    metrics: Annotated[dict[str, float], Field(min_length=1, examples=[{"loss": 0.31}])]


class Failure(BaseModel):
    """Why a trial that is trained elsewhere has no result."""

    model_config = ConfigDict(extra="forbid")

    detail: Annotated[str, Field(max_length=10_000)] = ""
    invalid: Annotated[bool, Field(description="Its hyperparameters make no sense; another trial takes its place.")] = (
        False
    )


class Reason(BaseModel):
    """Why; shown to whoever asks."""

    reason: Annotated[str, Field(max_length=1000)] = ""


def commands(queries: Queries, known: Known, publish: Publish, clock: Clock, storage: str) -> APIRouter:
    """What changes something.

    Parameters
    ----------
    publish : to the broker
    storage : URL for the model definitions of new experiments, unless their configuration names a storage
    """
    router = APIRouter(tags=["commands"])
    say = _Speaker(publish, clock)

    @router.post(
        "/experiments",
        status_code=201,
        response_model=Created,
        responses=described(400, 413, 422, 503),
        max_body_size=_MAX_BODY,
    )
    async def create(
        request: Request,
        config: Annotated[UploadFile, File(description="The configuration, in YAML.")],
        model: Annotated[UploadFile, File(description="The model's folder, as a tar.gz archive.")],
    ) -> Response:
        """Make an experiment. Every mistake of the configuration is told at once, each with its place."""
        text, archive = await config.read(), await model.read()
        new = await asyncio.to_thread(_prepare, text, archive, storage, _who(request))
        await say.envelope(new.announce(clock()))
        location = {"Location": f"/api/v1/experiments/{new.experiment_id}"}
        return Response(to_json({"experiment_id": new.experiment_id}), 201, location, "application/json")

    @router.post(
        "/experiments/{experiment_id}/forks",
        status_code=201,
        response_model=Created,
        responses=described(400, 404, 413, 422, 503),
    )
    async def fork(request: Request, experiment_id: str, wanted: Fork) -> Response:
        """Make an experiment with the model of another one, from its configuration or another."""
        origin = await known.experiment(experiment_id)
        try:
            config = parse(origin["config"] if wanted.config is None else wanted.config)
        except ConfigError as error:
            raise _mistakes(error) from None
        new = announced(config, ModelDefinition.model_validate(origin["model_definition"]), _who(request))
        await say.envelope(new.announce(clock()))
        location = {"Location": f"/api/v1/experiments/{new.experiment_id}"}
        return Response(to_json({"experiment_id": new.experiment_id}), 201, location, "application/json")

    @router.post("/experiments/{experiment_id}/retries", **_ACCEPTED, responses=described(400, 404, 409, 413, 422, 503))
    async def retry(request: Request, experiment_id: str, wanted: Retry) -> Response:
        """Try trials again that used up their restarts, from where they are; a search that is over goes on."""
        _, table = await known.trials(experiment_id)
        failed = {number for number, trial in table.trials.items() if trial["state"] == _ERRORED}
        if others := sorted(set(wanted.trials) - failed):
            raise ProblemError(
                409, f"not failed: {', '.join(map(str, others[:20]))}; only trials that did are tried again"
            )
        if not failed:
            raise ProblemError(409, f"no trial of {experiment_id} has failed")
        await say(ExperimentRetryRequested(trial_ids=wanted.trials, requested_by=_who(request)), experiment_id)
        return Response(status_code=202)

    @router.post("/resync/{experiment_id}", **_ACCEPTED, responses=described(404, 422, 503))
    async def resync(request: Request, experiment_id: str) -> Response:
        """Have the searcher publish all decisions of an experiment again, for services that lost some of them."""
        await known.experiment(experiment_id)
        await say(ExperimentResyncRequested(requested_by=_who(request)), experiment_id)
        return Response(status_code=202)

    @router.post("/experiments/{experiment_id}/{verb}", **_ACCEPTED, responses=described(400, 404, 422, 503))
    async def ask(request: Request, experiment_id: str, verb: Verb) -> Response:
        """Ask for an experiment to be paused, activated, canceled, killed, archived or unarchived."""
        await known.experiment(experiment_id)
        await say(wish(verb.value, _who(request)), experiment_id)
        return Response(status_code=202)

    @router.patch("/experiments/{experiment_id}", **_ACCEPTED, responses=described(400, 404, 422, 503))
    async def change(request: Request, experiment_id: str, wanted: Changes) -> Response:
        """Change a search while it runs, or extend it after its end."""
        experiment = await known.experiment(experiment_id)
        try:
            event = read_changes(wanted.changes, experiment["config"], _who(request))
        except (ChangeError, ConfigError) as error:
            raise ProblemError(422, str(error)) from None
        await say(event, experiment_id)
        return Response(status_code=202)

    @router.delete("/experiments/{experiment_id}", **_ACCEPTED, responses=described(404, 409, 422, 503))
    async def delete(request: Request, experiment_id: str) -> Response:
        """Delete an experiment that is over: all that is known of it, and its checkpoints. There is no way back."""
        state = (await known.experiment(experiment_id))["state"]
        if state not in ENDED:
            raise ProblemError(409, f"experiment {experiment_id} is {state}; cancel it before it is deleted")
        await say(ExperimentDeleteRequested(requested_by=_who(request)), experiment_id)
        return Response(status_code=202)

    @router.post(
        "/experiments/{experiment_id}/trials/{trial_id}/validations",
        **_ACCEPTED,
        responses=described(400, 404, 409, 413, 422, 503),
    )
    async def tell(experiment_id: str, trial_id: int, result: Result) -> Response:
        """Tell the result of a trial that is trained elsewhere: of an experiment in the pool `ask-and-tell`."""
        trial = await trained_elsewhere(experiment_id, trial_id)
        [(unit, target)] = (trial["target"] or {"batches": 0}).items()
        if result.length > target:
            raise ProblemError(422, f"trial {trial_id} is wanted up to {target} {unit}, not {result.length}")
        event = ValidationCompleted(
            trial_id=trial_id,
            lease_number=max(trial["lease_number"], 1),
            length=Length(unit=Unit(unit), amount=result.length),
            metrics=result.metrics,
        )
        await say(event, experiment_id, ASK_AND_TELL)
        return Response(status_code=202)

    @router.post(
        "/experiments/{experiment_id}/trials/{trial_id}/failure",
        **_ACCEPTED,
        responses=described(400, 404, 409, 413, 422, 503),
    )
    async def fail(experiment_id: str, trial_id: int, failure: Failure) -> Response:
        """Give up a trial that is trained elsewhere: of an experiment in the pool `ask-and-tell`."""
        trial = await trained_elsewhere(experiment_id, trial_id)
        reason = ExitReason.INVALID_HYPERPARAMETERS if failure.invalid else ExitReason.RESTARTS_USED_UP
        exited = TrialExited(trial_id=trial_id, reason=reason, detail=failure.detail, attempt=trial["attempt"])
        await say(exited, experiment_id, ASK_AND_TELL)
        return Response(status_code=202)

    async def trained_elsewhere(experiment_id: str, trial_id: int) -> Document:
        trial = await known.trial(experiment_id, trial_id)
        config = (await known.experiment(experiment_id))["config"]
        if (config.get("resources") or {}).get("resource_pool") != ASK_AND_TELL:
            detail = (
                f"the trials of {experiment_id} are trained by runners; see resources.resource_pool: {ASK_AND_TELL}"
            )
            raise ProblemError(409, detail)
        return trial

    @router.delete(
        "/experiments/{experiment_id}/trials/{trial_id}/checkpoints/{length}",
        **_ACCEPTED,
        responses=described(404, 409, 422, 503),
    )
    async def delete_checkpoint(experiment_id: str, trial_id: int, length: int) -> Response:
        """Delete the checkpoints of a trial at a length, on some runner."""
        trial = await known.trial(experiment_id, trial_id)
        there, _ = await queries.checkpoints(experiment_id, trial_id, 1000, None)
        uris = [c["uri"] for c in there if c["length"] == length and not c["deleted"]]
        if not uris:
            raise ProblemError(404, f"trial {trial_id} has no checkpoint at {length}")
        if trial["state"] in _UNDECIDED and (trial["checkpoint"] or {}).get("uri") in uris:
            detail = f"trial {trial_id} is {trial['state']} and may go on from this checkpoint; it is kept"
            raise ProblemError(409, detail)
        config = (await known.experiment(experiment_id))["config"]
        pool = (config.get("resources") or {}).get("resource_pool") or "default"
        await say(CheckpointDiscarded(trial_id=trial_id, uris=uris), experiment_id, pool)
        return Response(status_code=202)

    @router.post("/runners/{runner_id}/{verb}", **_ACCEPTED, responses=described(400, 404, 422, 503), tags=["fleet"])
    async def change_runner(request: Request, runner_id: str, verb: RunnerVerb, why: Reason | None = None) -> Response:
        """Take a runner out of service (`drain` moves its trials elsewhere, too), or back into it."""
        pools = [pool["pool"] for pool in await queries.pools() for r in pool["runners"] if r["runner_id"] == runner_id]
        if not pools:
            raise ProblemError(404, f"no runner {runner_id}; GET /api/v1/pools lists those that there are")
        event = RunnerChangeRequested(
            runner_id=runner_id,
            enabled=verb is RunnerVerb.ENABLE,
            drain=verb is RunnerVerb.DRAIN,
            reason=why.reason if why else "",
            requested_by=_who(request),
        )
        await say(event, None, pools[0])
        return Response(status_code=202)

    return router


class _Speaker:
    """Puts events on the bus, and says so if it cannot."""

    def __init__(self, publish: Publish, clock: Clock) -> None:
        self._publish = publish
        self._clock = clock

    async def __call__(self, event: Event, experiment_id: str | None, pool: str = "default") -> None:
        await self.envelope(
            Envelope.wrap(event, source="api", time=self._clock(), experiment_id=experiment_id, pool=pool)
        )

    async def envelope(self, envelope: Envelope) -> None:
        try:
            unwanted = await asyncio.wait_for(self._publish([envelope]), _PATIENCE_SECONDS)
        except TimeoutError:
            detail = "the broker does not answer; ask again, which harms nothing if it came through"
            raise ProblemError(503, detail, headers={"Retry-After": "5"}) from None
        if unwanted:
            detail = f"the broker has no queue for {envelope.type}; start the other etude services first"
            raise ProblemError(503, detail)


def _prepare(config: bytes, archive: bytes, storage: str, owner: str) -> NewExperiment:
    try:
        checked = loads(config.decode("utf-8"))
        with tempfile.TemporaryDirectory(prefix="etude-upload-") as name:
            unpack(archive, Path(name))
            return prepare(checked, Path(name), storage, owner)
    except UnicodeDecodeError:
        raise ProblemError(422, "config is not text in UTF-8") from None
    except ConfigError as error:
        raise _mistakes(error) from None
    except ArtifactError as error:
        raise ProblemError(422, str(error), [{"path": "model", "message": str(error)}]) from None


def _mistakes(error: ConfigError) -> ProblemError:
    errors = [{"path": p.path, "message": p.message, "line": p.line} for p in error.problems]
    return ProblemError(422, str(error), errors)


def _who(request: Request) -> str:
    """The person that asks, if that is known."""
    return str(getattr(request.state, "user", ""))
