"""Client: a running etude installation from Python."""

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etude.client.api import ApiClient
from etude.client.asking import ASK_AND_TELL, ENDED, Asking
from etude.client.by_api import ByApi
from etude.client.commands import Commands
from etude.client.errors import ApiError, ChangeError
from etude.client.handles import Experiment
from etude.client.local import open_local
from etude.client.settings import NO_BROKER, ClientSettings

if TYPE_CHECKING:  # loaded when there is an experiment to create: most commands only ask
    from etude.config import ExperimentConfig

_HEARD_SECONDS = 0.1
_STATES = {"pause": "paused", "activate": "active", "cancel": "canceled", "kill": "canceled"}


class Client:
    """Creates experiments by events, and asks about them over HTTP; without a broker, all goes over HTTP.

    A folder of `etude run` is asked in the same way: the one that ``ETUDE_HOME`` names or, if no ``ETUDE_API_URL`` is
    set, ``.etude`` in the working directory.

    Parameters
    ----------
    settings : where broker, query API and storage are; by default from ``ETUDE_*`` environment variables

    Raises
    ------
    ApiError
        There is nothing in the folder that is named.
    """

    def __init__(self, settings: ClientSettings | None = None) -> None:
        self.settings = settings or ClientSettings()
        home = self.settings.local_home
        if home is not None:
            self.api = open_local(home, self.settings.user)
        else:
            self.api = ApiClient(self.settings.api_url, self.settings.token.get_secret_value(), self.settings.user)
        by_api = home is not None or self.settings.amqp_url == NO_BROKER
        self._by_api = by_api
        self._chosen: Commands | None = None

    @property
    def _commands(self) -> Commands:
        if self._chosen is None and self._by_api:
            self._chosen = ByApi(self.api)
        elif self._chosen is None:
            from etude.client.by_broker import ByBroker

            self._chosen = ByBroker(self.settings)
        return self._chosen

    def create_experiment(
        self,
        config: "ExperimentConfig | Path | str",
        model_directory: Path | str,
        tell: Callable[[str], None] | None = None,
    ) -> Experiment:
        """Create an experiment.

        Parameters
        ----------
        config : a configuration, or a file with one
        model_directory : the folder with the model's code
        tell : is told what is hardly meant as it is written, and what is packed; by default Python warns of it

        Raises
        ------
        ConfigError
            The configuration or the model directory has mistakes; nothing was published.
        UndeliverableError
            Nobody is there to take the experiment.
        """
        checked = _checked(config)
        heard: Callable[[str], None] = tell or (lambda told: warnings.warn(told, stacklevel=4))
        for warning in checked.warnings:
            heard(warning)
        return self._made(self._commands.create(checked, Path(model_directory), heard))

    def _made(self, experiment_id: str) -> Experiment:
        """A new experiment, once the query API has heard of it, so that it can be asked about and steered at once."""
        self.api.until_known(f"/experiments/{experiment_id}")
        return Experiment(self, experiment_id)

    def fork(self, experiment_id: str, config: "ExperimentConfig | Path | str | None" = None) -> Experiment:
        """Create an experiment with the model of another one, from its configuration or another.

        Raises
        ------
        ApiError
            There is no such experiment.
        """
        other = None
        if config is not None:
            other = _checked(config).to_json()
        made = self.api.send("POST", f"/experiments/{experiment_id}/forks", config=other)
        return self._made(made["experiment_id"])

    def ask_and_tell(self, config: Mapping[str, Any] | str) -> Asking:
        """A search whose trials are trained elsewhere: by whatever asks, and tells.

        Parameters
        ----------
        config : a configuration, of which ``hyperparameters`` and ``searcher`` are enough; or the id of an
            experiment that was made so, to go on with

        Raises
        ------
        ConfigError
            The configuration has mistakes; nothing was published.
        ApiError
            There is no such experiment.
        """
        if isinstance(config, str):
            return Asking(self, self.experiment(config).id)
        from etude.config import parse

        checked = parse({"entrypoint": ASK_AND_TELL, **config, "resources": {"resource_pool": ASK_AND_TELL}})
        with tempfile.TemporaryDirectory(prefix="etude-") as nothing:
            experiment_id = self._commands.create(checked, Path(nothing), lambda told: None)
        next(self.watch(experiment_id))  # until it is known
        return Asking(self, experiment_id)

    def experiment(self, experiment_id: str) -> Experiment:
        """An experiment by its id.

        Raises
        ------
        ApiError
            There is none.
        """
        self.api.get(f"/experiments/{experiment_id}")
        return Experiment(self, experiment_id)

    def experiments(self, **where: Any) -> list[Experiment]:
        """Experiments, the latest first.

        Parameters
        ----------
        where : ``state``, ``label``, ``owner``, ``text`` (in name or id), ``archived``, ``sort``
        """
        return [Experiment(self, found["experiment_id"]) for found in self.api.pages("/experiments", **where)]

    def request(self, experiment_id: str, what: str, patience: float = 3.0) -> dict[str, Any]:
        """Ask for an experiment to ``pause``, ``activate``, ``cancel``, ``kill``, ``archive`` or ``unarchive``.

        Parameters
        ----------
        patience : seconds to wait until it shows

        Returns
        -------
        the experiment as it is then, which may be as it was: services that are away hear of it later

        Raises
        ------
        ApiError
            There is no such experiment.
        """
        before = self.api.get(f"/experiments/{experiment_id}")
        self._commands.wish(experiment_id, what)
        is_so = before["archived"] if what == "archive" else before["state"] == _STATES.get(what)
        return before if is_so else self._until_heard(before, patience)

    def change(self, experiment_id: str, assignments: Sequence[str]) -> dict[str, Any]:
        """Ask for other settings, such as ``max_trials=+50``; also of a completed experiment, which then goes on.

        Returns
        -------
        the experiment as it is once that shows

        Raises
        ------
        ApiError
            There is no such experiment.
        ChangeError
            A change makes no sense, or the search refuses it.
        """
        before = self.api.get(f"/experiments/{experiment_id}")
        self._commands.change(before, assignments)
        after = self._until_heard(before)
        if after["refused"] and after["config"] == before["config"] and after["labels"] == before["labels"]:
            raise ChangeError(f"{experiment_id} refuses {' '.join(assignments)}: {after['refused']}")
        return after

    def _until_heard(self, before: dict[str, Any], patience: float = 3.0) -> dict[str, Any]:
        """Wait until an experiment is otherwise than before, or refuses to be; returns how it is."""
        deadline = time.monotonic() + patience
        now = before
        while _essence(now) == _essence(before) and time.monotonic() < deadline:
            time.sleep(_HEARD_SECONDS)
            now = self.api.get(f"/experiments/{before['experiment_id']}")
        return now

    def delete(self, experiment_id: str) -> None:
        """Delete an experiment that is over: all that is known of it, and its checkpoints. There is no way back.

        Raises
        ------
        ApiError
            There is no such experiment, or it goes on.
        """
        state = self.api.get(f"/experiments/{experiment_id}")["state"]
        if state not in ENDED:
            raise ApiError(f"experiment {experiment_id} is {state}; cancel it before it is deleted")
        self._commands.delete(experiment_id)

    def retry(self, experiment_id: str, trial_ids: Sequence[int] = ()) -> list[int]:
        """Try trials again that used up their restarts, from their latest checkpoints; a search that is over goes on.

        Parameters
        ----------
        trial_ids : all that failed, if none is named; these are returned

        Raises
        ------
        ApiError
            There is no such experiment, or none of its trials failed, or not all of those that are named.
        """
        path = f"/experiments/{experiment_id}/trials"
        failed = [trial["trial_id"] for trial in self.api.pages(path, limit=1000, state="errored")]
        if others := sorted(set(trial_ids) - set(failed)):
            raise ApiError(f"not failed: {', '.join(map(str, others))}; only trials that did are tried again")
        if not failed:
            raise ApiError(f"no trial of {experiment_id} has failed")
        before = self.api.get(f"/experiments/{experiment_id}")
        self._commands.retry(experiment_id, list(trial_ids))
        self._until_heard(before)
        return list(trial_ids) or failed

    def change_runner(self, runner_id: str, enabled: bool, drain: bool = False, reason: str = "") -> None:
        """Take a runner out of service, or back into it.

        Parameters
        ----------
        drain : take its trials back, too, with a checkpoint; else they end by themselves

        Raises
        ------
        ApiError
            There is no such runner.
        """
        pools = [pool for pool in self.api.pages("/pools") for r in pool["runners"] if r["runner_id"] == runner_id]
        if not pools:
            raise ApiError(f"no runner {runner_id}; etude runner list shows those that there are")
        self._commands.change_runner(runner_id, pools[0]["pool"], enabled, drain, reason)

    def checkpoint(self, experiment_id: str, trial_id: int | None = None, length: int | None = None) -> dict[str, Any]:
        """The checkpoint of a trial at a length; its best one if no length is given, the experiment's if no trial is.

        Raises
        ------
        ApiError
            There is none; those that there are are listed.
        """
        uri: str | None = None
        if trial_id is None:
            experiment = self.api.get(f"/experiments/{experiment_id}")
            best = experiment["best"]
            if best is None:
                raise ApiError(_no_result(experiment))
            trial_id, uri = best["trial_id"], best["checkpoint"]
        elif length is None:
            trial = self.api.get(f"/experiments/{experiment_id}/trials/{trial_id}")
            uri = trial["best"]["checkpoint"] if trial["best"] else (trial["checkpoint"] or {}).get("uri")
        path = f"/experiments/{experiment_id}/trials/{trial_id}/checkpoints"
        there = [found for found in self.api.pages(path) if not found["deleted"]]
        fitting = [c for c in there if (c["uri"] == uri if length is None else c["length"] == length)]
        if not fitting:
            lengths = ", ".join(str(found["length"]) for found in there) or "none"
            raise ApiError(f"trial {trial_id} has no such checkpoint; there are checkpoints at: {lengths}")
        found: dict[str, Any] = fitting[-1]
        return found

    def metrics_at(self, experiment_id: str, trial_id: int, length: int) -> dict[str, Any]:
        """The metrics of a trial's validation at a length; none if there was none."""
        reported = self.api.pages(f"/experiments/{experiment_id}/validations", trial_id=trial_id)
        return next((dict(found["metrics"]) for found in reported if found["length"] == length), {})

    def delete_checkpoint(self, experiment_id: str, trial_id: int, length: int) -> None:
        """Delete the checkpoints of a trial at a length, on some runner.

        Raises
        ------
        ApiError
            There is none, or the trial may go on from it.
        """
        found = self.checkpoint(experiment_id, trial_id, length)
        trial = self.api.get(f"/experiments/{experiment_id}/trials/{trial_id}")
        latest = (trial["checkpoint"] or {}).get("uri")
        if trial["state"] in ("requested", "waiting", "running", "paused") and found["uri"] == latest:
            raise ApiError(f"trial {trial_id} is {trial['state']} and may go on from this checkpoint; it is kept")
        self._commands.discard(self.api.get(f"/experiments/{experiment_id}"), found)

    def watch(self, experiment_id: str, interval: float = 0.5, patience: float = 15.0) -> Iterator[dict[str, Any]]:
        """The experiment's state as it changes, up to its end.

        Parameters
        ----------
        interval : seconds between two questions
        patience : seconds for which an experiment may be unknown (it may be on its way) or the service away
        """
        last: dict[str, Any] | None = None
        answered = time.monotonic()
        while True:
            try:
                experiment = self.api.get(f"/experiments/{experiment_id}")
                answered = time.monotonic()
            except ApiError:
                if time.monotonic() - answered > patience:
                    raise
                time.sleep(interval)
                continue
            if experiment != last:
                yield experiment
                last = experiment
            if experiment["state"] in ENDED:
                return
            time.sleep(interval)

    def wait(self, experiment_id: str) -> dict[str, Any]:
        """The experiment at its end."""
        *_, last = self.watch(experiment_id)
        return last

    def close(self) -> None:
        """Close connections."""
        self.api.close()


def _checked(config: "ExperimentConfig | Path | str") -> "ExperimentConfig":
    from etude.config import ExperimentConfig, load

    return config if isinstance(config, ExperimentConfig) else load(Path(config))


def _essence(experiment: Mapping[str, Any]) -> list[Any]:
    """What of an experiment people change."""
    return [experiment[name] for name in ("state", "refused", "archived", "labels", "config")]


def _no_result(experiment: Mapping[str, Any]) -> str:
    over = experiment["state"] in ENDED
    reason = f": {experiment['reason']}" if experiment["reason"] else ""
    told = f"is {experiment['state']} and has no result{reason}" if over else "has no result yet"
    return f"experiment {experiment['experiment_id']} {told}"
