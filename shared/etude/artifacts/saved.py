"""SavedModel: a checkpoint in a folder, for those who go on with its model in plain torch."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from etude.artifacts.checkpoint import MANIFEST, Manifest
from etude.artifacts.errors import ArtifactError
from etude.events import Length

RESULT = "result.json"
"""File beside a downloaded checkpoint: what the trial had reported by then."""
_STATE = "state.pt"


@dataclass(frozen=True)
class SavedModel:
    """What a checkpoint holds.

    Attributes
    ----------
    folder : where it lies
    length : how far it was trained
    hyperparameters : of its trial
    metrics : of the validation at this length, as far as the folder knows them
    state : of a PyTorchTrial: ``models`` and ``optimizers``, lists of state dicts, among others; of a script: whatever
        it saved as ``state.pt``; empty if it saved other files
    metadata : whatever else was saved with it
    """

    folder: Path
    length: Length
    hyperparameters: dict[str, Any]
    metrics: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict, repr=False)
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def models(self) -> list[dict[str, Any]]:
        """State dicts, in the order in which models were wrapped."""
        return list(self.state.get("models", []))

    @property
    def optimizers(self) -> list[dict[str, Any]]:
        """State dicts, in the order in which optimizers were wrapped."""
        return list(self.state.get("optimizers", []))


def load_checkpoint(folder: str | Path, map_location: Any = "cpu") -> SavedModel:
    """Open a checkpoint that `etude run` kept, or that was downloaded.

    No code of the checkpoint is run: it may be anybody's.

    Parameters
    ----------
    map_location : as for ``torch.load``

    Raises
    ------
    ArtifactError
        There is no whole checkpoint in the folder, or it holds more than tensors and plain values.
    """
    place = Path(folder)
    try:
        manifest = Manifest.model_validate_json((place / MANIFEST).read_bytes())
    except OSError:
        raise ArtifactError(f"{place} holds no checkpoint: there is no {MANIFEST}") from None
    except ValidationError as error:
        raise ArtifactError(f"{place / MANIFEST} is damaged: {error}") from None
    metadata = dict(manifest.metadata)
    return SavedModel(
        folder=place,
        length=manifest.length,
        hyperparameters=metadata.pop("hyperparameters", {}),
        metrics=_read_result(place).get("metrics", {}),
        state=_load_state(place / _STATE, map_location),
        metadata=metadata,
    )


def write_result(folder: Path, metrics: dict[str, Any]) -> None:
    """Note beside a checkpoint what was reported with it."""
    (folder / RESULT).write_text(json.dumps({"metrics": metrics}, indent=1) + "\n")


def _read_result(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / RESULT).read_bytes()))
    except (OSError, ValueError, TypeError):
        return {}


def _load_state(path: Path, map_location: Any) -> dict[str, Any]:
    if not path.exists():
        return {}
    import pickle

    import torch

    try:
        state = torch.load(path, map_location=map_location, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ArtifactError(
            f"{path} holds more than tensors and plain values, or is damaged ({str(error).splitlines()[0]}); if it is "
            "your own: torch.load(path, weights_only=False)"
        ) from None
    return state if isinstance(state, dict) else {"state": state}
