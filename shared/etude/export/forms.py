"""Forms that an experiment can be exported to."""

from collections.abc import Callable
from pathlib import Path

from etude.errors import Failure
from etude.material import Material


class ExportError(Failure, RuntimeError):
    """An export that cannot be made; the message says what would help."""


def export(material: Material, form: str, target: Path) -> Path:
    """Write an experiment in a form; returns what was written.

    Parameters
    ----------
    form : one of :data:`FORMS`
    target : a folder, or for ``optuna`` and ``mlflow`` a file; it must not exist

    Raises
    ------
    ExportError
        The form is not known, its library is not installed, or ``target`` exists.
    """
    if form not in FORMS:
        raise ExportError(f"{form!r} is none of {', '.join(FORMS)}")
    if target.exists():
        raise ExportError(f"{target} exists; name something new")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        FORMS[form](material, target)
    except ImportError as error:
        raise ExportError(f"{form} needs {error.name}: pip install etude[export]") from None
    return target


def _optuna(material: Material, target: Path) -> None:
    from etude.figures.study import make_study

    make_study(material, storage=f"sqlite:///{target}", name=str(material.experiment["experiment_id"]))


def _csv(material: Material, target: Path) -> None:
    from etude.export.tables import tables, write_csv

    target.mkdir()
    for name, table in tables(material).items():
        write_csv(table, target / f"{name}.csv")


def _parquet(material: Material, target: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    from etude.export.tables import tables

    target.mkdir()
    for name, table in tables(material).items():
        parquet.write_table(pyarrow.Table.from_pylist(table), target / f"{name}.parquet")


def _tensorboard(material: Material, target: Path) -> None:
    from etude.export.event_files import write_event_files

    write_event_files(material, target)


def _mlflow(material: Material, target: Path) -> None:
    from etude.export.mlflow_runs import write_runs

    write_runs(material, target)


FORMS: dict[str, Callable[[Material, Path], None]] = {
    "optuna": _optuna,
    "tensorboard": _tensorboard,
    "csv": _csv,
    "parquet": _parquet,
    "mlflow": _mlflow,
}
