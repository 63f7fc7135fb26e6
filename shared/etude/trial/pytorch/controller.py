"""PyTorchController: the training loop around a PyTorchTrial."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from etude.config import parse
from etude.core.errors import CoreError
from etude.core.metrics import read_number
from etude.core.run import Run
from etude.events import Length, Unit
from etude.trial.pytorch.averages import Averages
from etude.trial.pytorch.context import PyTorchTrialContext, StepMode
from etude.trial.pytorch.data import TrainingData
from etude.trial.pytorch.evaluation import Evaluation
from etude.trial.pytorch.process_group import leave_process_group
from etude.trial.pytorch.random_state import rng_state, seed_everything
from etude.trial.pytorch.state import load_state, save_state
from etude.trial.pytorch.trial import PyTorchTrial


class PyTorchController:
    """Trains, validates, saves and reports, from one target of the search to the next."""

    def __init__(self, trial_class: type[PyTorchTrial], run: Run) -> None:
        self._run = run
        self._config = parse(run.assignment.config)
        seed_everything(run.trial_seed)
        self._context = PyTorchTrialContext(run)
        self._trial = trial_class(self._context)
        if not self._context.models or not self._context.optimizers:
            raise CoreError(
                f"{trial_class.__name__}.__init__ must wrap its model and optimizer: "
                "self.model = context.wrap_model(...), self.optimizer = context.wrap_optimizer(...)"
            )
        self._loader = self._trial.build_training_data_loader()
        self._distributed = run.distributed
        self._data = TrainingData(self._loader, run.trial_seed, self._distributed.rank, self._distributed.size)
        self._evaluation = Evaluation(self._trial, self._context, self._trial.build_validation_data_loader())
        self._callbacks = self._trial.build_callbacks()
        self._batches = 0
        self._epoch = 0
        self._batch_in_epoch = 0
        self._open_epoch: Iterator[Any] | None = None
        self._saved_at = -1
        self._best = math.inf  # of the validations on the way
        self._averages = Averages()

    def run(self) -> None:
        """Carry the run out."""
        self._restore()
        for callback in self._callbacks.values():
            callback.on_training_start()
        if self._config.perform_initial_validation and self._batches == 0:
            self._run.report_validation(0, self._validate())
        for operation in self._run.searcher.operations():
            target = self._in_batches(Length(unit=operation.unit, amount=operation.length))
            if not self._train_until(target):
                self._save(self._in_unit(self._batches))
                break
            self._save(operation.length)  # is stored while the model is validated
            self._run.report_validation(operation.length, self._validate())
        self._run.close()
        for callback in self._callbacks.values():
            callback.on_trial_shutdown()
        leave_process_group()

    def _restore(self) -> None:
        """Go on where the checkpoint is, if there is one."""
        if self._distributed.size > 1:  # models are the same everywhere by now; dropout is not to be
            seed_everything(_mixed(self._run.trial_seed, self._distributed.rank))
        with self._run.restore_checkpoint() as folder:
            if folder is not None:
                place = load_state(folder, self._context, self._callbacks)
                self._batches, self._epoch, self._batch_in_epoch = place
                self._saved_at = self._batches
        if self._run.starts_from_another:
            self._batches = self._epoch = self._batch_in_epoch = 0
            self._saved_at = -1
            seed_everything(_mixed(self._run.trial_seed, self._distributed.rank))

    def _train_until(self, target: int) -> bool:
        """Train; False if the slots are wanted back before the target is reached."""
        unit = self._config.scheduling_unit
        validate_every = self._period(self._config.min_validation_period)
        save_every = self._period(self._config.min_checkpoint_period)
        while self._batches < target:
            if self._run.should_stop():
                return False
            periods = [period for period in (unit, validate_every, save_every) if period]
            stop = min(target, *((self._batches // period + 1) * period for period in periods))
            self._train(stop)
            self._averages.merge(self._distributed)
            metrics = {**self._averages.take(), **self._context.reduce(for_training=True)}
            self._run.report_training(self._in_unit(self._batches), metrics)
            if self._batches == target:
                break
            if save_every and self._batches % save_every == 0:
                self._save(self._in_unit(self._batches))
            if validate_every and self._batches % validate_every == 0:
                self._validate_on_the_way()
        return True

    def _train(self, stop: int) -> None:
        self._context.set_training(True)
        while self._batches < stop:
            if self._open_epoch is None:
                if self._batch_in_epoch == 0:
                    for callback in self._callbacks.values():
                        callback.on_training_epoch_start(self._epoch)
                self._open_epoch = self._data.batches(self._epoch, self._batch_in_epoch)
            batch = next(self._open_epoch, None)
            if batch is None:
                self._end_epoch()
                continue
            with self._context.training_step(self._batches):
                metrics = self._trial.train_batch(self._context.to_device(batch), self._epoch, self._batches)
            self._averages.add(metrics if isinstance(metrics, Mapping) else {"loss": metrics})
            self._batches += 1
            self._batch_in_epoch += 1
            if self._batch_in_epoch == self._data.batches_per_epoch:
                self._end_epoch()

    def _end_epoch(self) -> None:
        if self._batch_in_epoch == 0:
            raise CoreError("the training data loader gave no batch in a whole epoch; check its dataset")
        self._context.step_schedulers(StepMode.EVERY_EPOCH)
        for callback in self._callbacks.values():
            callback.on_training_epoch_end(self._epoch)
        self._open_epoch = None
        self._epoch += 1
        self._batch_in_epoch = 0

    def _validate(self) -> dict[str, Any]:
        for callback in self._callbacks.values():
            callback.on_validation_start()
        self._context.reset_reducers(for_training=False)
        metrics = self._evaluation.run()
        for callback in self._callbacks.values():
            callback.on_validation_end(metrics)
        return metrics

    def _validate_on_the_way(self) -> None:
        """A validation that the search did not ask for; with a checkpoint, if the policy wants one."""
        length, metrics = self._in_unit(self._batches), self._validate()
        searcher, policy = self._config.searcher, self._config.checkpoint_policy
        number = read_number(metrics.get(searcher.metric))
        value = math.nan if number is None else number if searcher.smaller_is_better else -number
        if self._distributed.decide(lambda: policy == "all" or (policy == "best" and value < self._best)):
            self._save(length)
        self._best = min(self._best, value)
        self._run.report_validation(length, metrics)

    def _save(self, length: int) -> None:
        if self._saved_at == self._batches:
            return
        with self._run.save_checkpoint(length, {"entrypoint": self._config.entrypoint}) as folder:
            rng = self._distributed.gather(rng_state())
            if self._distributed.chief:
                place = self._batches, self._epoch, self._batch_in_epoch
                save_state(folder, self._context, self._callbacks, rng, place)
        self._saved_at = self._batches

    # Lengths

    def _period(self, length: Length | None) -> int:
        return self._in_batches(length) if length else 0

    def _in_batches(self, length: Length) -> int:
        match length.unit:
            case Unit.BATCHES:
                return length.amount
            case Unit.RECORDS:
                return math.ceil(length.amount / self._batch_size())
            case Unit.EPOCHS:
                return length.amount * self._batches_per_epoch()

    def _in_unit(self, batches: int) -> int:
        """How much training a number of batches is in the unit of the search, rounded down."""
        match self._run.assignment.train_until.unit:
            case Unit.BATCHES:
                return batches
            case Unit.RECORDS:
                return batches * self._batch_size()
            case Unit.EPOCHS:
                return batches // self._batches_per_epoch()

    def _batches_per_epoch(self) -> int:
        if self._config.records_per_epoch:
            return math.ceil(self._config.records_per_epoch / self._batch_size())
        if self._data.batches_per_epoch is None:
            raise CoreError(
                "a length in epochs needs records_per_epoch in the configuration: the dataset has no length"
            )
        return self._data.batches_per_epoch

    def _batch_size(self) -> int:
        """Records in a batch of all slots together."""
        size = self._loader.batch_size or getattr(self._loader.batch_sampler, "batch_size", None)
        if not size:
            raise CoreError("a length in records needs a training data loader with a batch_size")
        return int(size) * self._distributed.size


def _mixed(seed: int, rank: int) -> int:
    """A seed of its own for each process; the first has the trial's."""
    return (seed + rank * 1_000_003) % 2**31
