"""Tables: trials and validations as rows."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from etude.material import Material

Row = dict[str, Any]


def tables(material: Material) -> dict[str, list[Row]]:
    """``trials`` and ``validations``; all rows of a table have the same columns."""
    trials = [
        {
            "trial_id": trial["trial_id"],
            "state": trial["state"],
            "length": trial["length"],
            "best": trial["best"]["value"] if trial["best"] else None,
            "best_length": trial["best"]["length"] if trial["best"] else None,
            "restarts": trial["restarts"],
            "requested_at": trial["requested_at"],
            "ended_at": trial["ended_at"],
            **{f"hyperparameters.{name}": value for name, value in flat(trial["hyperparameters"]).items()},
            **{f"metrics.{name}": value for name, value in (trial["metrics"] or {}).items()},
        }
        for trial in material.trials
    ]
    validations = [
        {"trial_id": curve["trial_id"], "length": length, "unit": curve["unit"], material.metric: value}
        for curve in material.curves
        for length, value in zip(curve["lengths"], curve["values"], strict=True)
    ]
    return {"trials": _even(trials), "validations": _even(validations)}


def flat(values: Mapping[str, Any], prefix: str = "") -> Row:
    """Nested hyperparameters by dotted name; lists as JSON.

    >>> flat({"lr": 0.1, "net": {"width": 8}, "sizes": [1, 2]})
    {'lr': 0.1, 'net.width': 8, 'sizes': '[1, 2]'}
    """
    found: Row = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = json.dumps(value) if isinstance(value, list) else value
    return found


def write_csv(table: Sequence[Row], target: Path) -> None:
    """A file with a line of titles."""
    with target.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]) if table else [])
        writer.writeheader()
        writer.writerows(table)


def _even(rows: Sequence[Row]) -> list[Row]:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return [{name: row.get(name) for name in columns} for row in rows]
