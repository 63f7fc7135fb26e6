"""The files of a model directory: which of them make a model definition, and which stay behind."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pathspec import GitIgnoreSpec

IGNORE_FILES = (".etudeignore", ".detignore")
"""Patterns of what stays behind, as in ``.gitignore``; the second is Determined's."""
_LEFT_OUT = """
__pycache__/
*.pyc
.git
.hg/
.svn/
.etude/
.venv/
.env
.env.*
.mypy_cache/
.pytest_cache/
.ruff_cache/
.ipynb_checkpoints/
.DS_Store
"""
_SHOWN = 3


@dataclass
class ModelFiles:
    """What of a directory is packed.

    Attributes
    ----------
    files : by name within the directory, sorted; where each lies
    sizes : of the same, in bytes
    left_out : what people may miss: names, each with the reason
    """

    files: dict[str, Path] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all."""
        return sum(self.sizes.values())

    @property
    def largest(self) -> list[str]:
        """The largest files, with their sizes, for people."""
        names = sorted(self.sizes, key=lambda name: -self.sizes[name])[:_SHOWN]
        return [f"{name} ({describe_size(self.sizes[name])})" for name in names]

    def describe(self) -> str:
        """How much there is, and what stays behind."""
        count = len(self.files)
        told = f"{count} file{'' if count == 1 else 's'}, {describe_size(self.size)}"
        if self.left_out:
            names = [f"{name} ({reason})" for name, reason in list(self.left_out.items())[:_SHOWN]]
            more = len(self.left_out) - len(names)
            told += f"; left out: {', '.join(names)}{f' and {more} more' if more else ''}"
        return told


def model_files(directory: Path) -> ModelFiles:
    """Find the files of a model directory.

    Links are followed as long as they stay within it. ``.etudeignore`` says what else stays behind, or, with ``!``
    before a pattern, what does not.
    """
    found = ModelFiles()
    spec = _spec(directory)
    _collect(directory, "", spec, found, (directory.resolve(),))
    found.files = dict(sorted(found.files.items()))
    found.sizes = {name: found.sizes[name] for name in found.files}
    return found


def describe_size(count: int) -> str:
    """A number of bytes for people.

    >>> describe_size(812), describe_size(3 * 2**20)
    ('1 KiB', '3 MiB')
    """
    return f"{-(-count >> 10)} KiB" if count < 2**20 else f"{count >> 20} MiB"


def _spec(directory: Path) -> GitIgnoreSpec:
    lines = _LEFT_OUT.splitlines()
    for name in IGNORE_FILES:
        if (directory / name).is_file():
            lines += (directory / name).read_text("utf-8", "replace").splitlines()
    return GitIgnoreSpec.from_lines(lines)


def _collect(folder: Path, prefix: str, spec: GitIgnoreSpec, found: ModelFiles, within: tuple[Path, ...]) -> None:
    """Add what a folder has.

    Parameters
    ----------
    within : the model directory and the folders on the way to this one, resolved: what leads back to one has no end
    """
    for entry in _entries(folder):
        name = f"{prefix}{entry.name}"
        path = Path(entry.path)
        try:
            real = path.resolve(strict=True)
            status = real.stat()
        except (OSError, RuntimeError):
            if not spec.match_file(name):
                found.left_out[name] = "leads nowhere"
            continue
        is_folder = stat.S_ISDIR(status.st_mode)
        if spec.match_file(f"{name}/" if is_folder else name):
            if entry.name.startswith(".env"):
                found.left_out[name] = "may hold secrets"
        elif not real.is_relative_to(within[0]):
            found.left_out[name] = f"leads out of the folder, to {real}"
        elif is_folder:
            if real in within:
                found.left_out[name] = "leads back to itself"
            elif (real / "pyvenv.cfg").is_file():
                found.left_out[name] = "is a virtual environment"
            else:
                _collect(path, f"{name}/", spec, found, (*within, real))
        elif stat.S_ISREG(status.st_mode):
            found.files[name], found.sizes[name] = real, status.st_size
        else:
            found.left_out[name] = "is no file"


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from sorted(entries, key=lambda entry: entry.name)
