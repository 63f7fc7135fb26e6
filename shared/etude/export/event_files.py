"""Event files of TensorBoard: a run for each trial."""

from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from etude.export.tables import flat
from etude.material import Material


def write_event_files(material: Material, target: Path) -> None:
    """Validations as scalars over length, and hyperparameters for the HPARAMS page."""
    curves = {curve["trial_id"]: curve for curve in material.curves}
    for trial in material.trials:
        writer = EventFileWriter(str(target / f"trial-{trial['trial_id']}"))
        hyperparameters = {name: value for name, value in flat(trial["hyperparameters"]).items() if value is not None}
        writer.add_event(Event(step=0, wall_time=0.0, summary=hparams_pb(hyperparameters)))
        curve = curves.get(trial["trial_id"], {"lengths": [], "values": []})
        for length, value in zip(curve["lengths"], curve["values"], strict=True):
            if value is not None:
                scalar = Summary(value=[Summary.Value(tag=material.metric, simple_value=value)])
                writer.add_event(Event(step=length, wall_time=float(length), summary=scalar))
        writer.close()
