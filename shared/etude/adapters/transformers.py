"""Hugging Face transformers: a Trainer as a trial."""

import shutil
from pathlib import Path
from typing import Any

from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import IntervalStrategy, SaveStrategy

from etude.adapters.follower import Follower
from etude.core.run import Run
from etude.events import Unit

_FOLDER = "trainer"
_ROUNDING = 1e-6


def train(run: Run, trainer: Trainer) -> None:
    """``trainer.train()`` as far as the search wants, from the checkpoint if there is one.

    The search says how long to train, in epochs or batches (of which one is a step of the optimizer), and when to
    evaluate and save; what ``trainer.args`` say of that does not count. The learning rate is scheduled over the
    ``max_length`` of the search. Metrics have the Trainer's names, such as ``eval_loss``.
    """
    follower = Follower(run)
    args = trainer.args
    args.eval_strategy, args.save_strategy = IntervalStrategy.NO, SaveStrategy.NO
    args.save_total_limit, args.save_only_model = 1, False
    following = _Following(follower)
    trainer.add_callback(following)
    with run.restore_checkpoint() as folder:
        latest = folder / _FOLDER if folder else None
        if latest is not None:
            following.begin(TrainerState.load_from_json(str(latest / "trainer_state.json")))
        if follower.owing:
            trainer._load_from_checkpoint(str(latest))
            follower.validated(run.length, trainer.evaluate(), None)
        while not follower.done:  # more than once if the search was extended beyond its max_length
            length = follower.longest + following.offset
            epochs = follower.unit is Unit.EPOCHS
            args.num_train_epochs, args.max_steps = (float(length), -1) if epochs else (0.0, length)
            trainer.train(resume_from_checkpoint=str(latest) if latest else None)
            latest = following.latest


class _Following(TrainerCallback):
    """Lets the trainer evaluate, save and end when the search wants it.

    Attributes
    ----------
    offset : how much training the state has that another trial had
    latest : what the trainer saved last
    """

    def __init__(self, follower: Follower) -> None:
        self.offset = 0
        self.latest: Path | None = None
        self._follower = follower
        self._metrics: dict[str, Any] = {}

    def begin(self, state: TrainerState) -> None:
        """Take note of where the checkpoint is."""
        self.offset = self._count(state) - self._follower.run.length

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Evaluate and save where the search wants it; save and end if the slots are wanted back."""
        if self._follower.run.should_stop():
            control.should_save = control.should_training_stop = True
        elif self._follower.unit is Unit.BATCHES and self._follower.due(self._length(state)):
            control.should_evaluate = control.should_save = True

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Evaluate and save where the search wants it."""
        if self._follower.unit is Unit.EPOCHS and not self._follower.done and self._follower.due(self._length(state)):
            control.should_evaluate = control.should_save = True

    def on_evaluate(self, *_: Any, metrics: dict[str, Any], **__: Any) -> None:
        """Keep what is to be reported once the state is saved."""
        self._metrics = metrics

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Store what the trainer saved; report, and go on or end."""
        self.latest = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        metrics, self._metrics = self._metrics, {}
        if not metrics:
            self._follower.wanted_back(self._length(state), self._copy)
        elif not self._follower.validated(self._length(state), metrics, self._copy):
            control.should_training_stop = True

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **told: Any) -> None:
        """Report training metrics."""
        logs = told.get("logs") or {}
        if "loss" in logs:
            self._follower.trained(self._length(state), logs)

    def _copy(self, folder: Path) -> None:
        if self._follower.run.distributed.chief and self.latest is not None:
            shutil.copytree(self.latest, folder / _FOLDER)

    def _length(self, state: TrainerState) -> int:
        return self._count(state) - self.offset

    def _count(self, state: TrainerState) -> int:
        return int((state.epoch or 0) + _ROUNDING) if self._follower.unit is Unit.EPOCHS else int(state.global_step)
