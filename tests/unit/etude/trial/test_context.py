"""What a Trial may ask about itself."""

from pathlib import Path

from etude.trial import TrialContext
from tests.unit.etude.core.recording import run


def test_a_context_tells_what_the_trial_is(tmp_path: Path) -> None:
    made, _ = run(tmp_path, data={"path": "/data"})
    context = TrialContext(made)
    assert context.get_hparam("lr") == 0.1
    assert context.get_hparams() == {"lr": 0.1, "net": {"width": 8}}
    assert context.get_data_config() == {"path": "/data"}
    assert context.get_experiment_config()["entrypoint"] == "model_def:Trial"
    assert (context.get_experiment_id(), context.get_trial_id(), context.get_trial_seed()) == ("exp", 1, 7)
