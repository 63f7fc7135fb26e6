"""What is wrong with an entrypoint that only its import shows."""

from pathlib import Path

import pytest

from etude_trial_runner.check import check_entrypoint
from tests.unit.make import config

FILES = {
    "good.py": "from etude.trial import Trial\nclass Mine(Trial):\n    pass\n",
    "needs.py": "import not_installed\nclass Mine: ...\n",
    "other.py": "class Mine: ...\n",
    "train.py": "print('never run')\nraise SystemExit(3)\n",
    "broken.py": "x = (\n",
    "run.sh": "exit 1\n",
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "run.sh").chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    "entrypoint",
    ["good:Mine", "python train.py", "python -u train.py --x 1", "python -m train", "./run.sh", "A=1 sh run.sh"],
)
def test_what_can_be_imported_is_fine_and_is_not_run(model: Path, entrypoint: str) -> None:
    assert check_entrypoint(config(entrypoint=entrypoint), model) == []
    assert not (model / "__pycache__").exists()


@pytest.mark.parametrize(
    ("entrypoint", "message"),
    [
        ("needs:Mine", "ModuleNotFoundError: No module named 'not_installed'"),
        ("other:Mine", "name a subclass of etude.trial.Trial"),
        ("good:Yours", "has no Yours"),
        ("python broken.py", "SyntaxError"),
        ("python -m nothing", "No module named nothing"),
        ("torchrum train.py", "there is no program torchrum here"),
        ("./train.py", "there is no program ./train.py here, or it cannot be executed"),
    ],
)
def test_what_cannot_be_imported_is_told(model: Path, entrypoint: str, message: str) -> None:
    [problem] = check_entrypoint(config(entrypoint=entrypoint), model)
    assert problem.path == "entrypoint"
    assert message in problem.message


def test_without_a_folder_nothing_is_imported() -> None:
    assert check_entrypoint(config(entrypoint="nothing:Mine"), None) == []
