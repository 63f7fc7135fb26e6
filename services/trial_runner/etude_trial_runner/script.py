"""Scripts: entrypoints that are command lines, and how they run as Python, or a shell, would run them."""

import builtins
import importlib.util
import io
import os
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NoReturn

from etude.core.errors import CoreError

_PYTHON = {"python", "python3", f"python3.{sys.version_info.minor}", sys.executable}
_SHELL_SYNTAX = frozenset("|&;<>()$`*?[]{}~#!\\\n")


@dataclass(frozen=True)
class ScriptCommand:
    """``python [-u] [-B] FILE ARGUMENTS`` or ``python [-u] [-B] -m MODULE ARGUMENTS``.

    Such a command needs no new process: a forked one, where torch is imported already, is equal to it.

    Attributes
    ----------
    target : the file or the module
    is_unbuffered : ``-u``: what is written goes out at once
    writes_bytecode : False for ``-B``
    """

    target: str
    is_module: bool = False
    arguments: tuple[str, ...] = ()
    is_unbuffered: bool = False
    writes_bytecode: bool = True

    @classmethod
    def parse(cls, entrypoint: str) -> "ScriptCommand | None":
        """Read an entrypoint; None for what needs a process of its own: a shell, another program or interpreter.

        >>> ScriptCommand.parse("python -u train.py --epochs 3")
        ScriptCommand(target='train.py', is_module=False, arguments=('--epochs', '3'), is_unbuffered=True, \
writes_bytecode=True)
        >>> ScriptCommand.parse("torchrun train.py") is None
        True
        """
        if _SHELL_SYNTAX & set(entrypoint):
            return None
        try:
            words = iter(shlex.split(entrypoint))
        except ValueError:  # a quote without end, of which the shell complains
            return None
        return cls._parse_words(words) if next(words, "") in _PYTHON else None

    @classmethod
    def _parse_words(cls, words: Iterator[str]) -> "ScriptCommand | None":
        flags = ""
        for word in words:
            if not word.startswith("-"):
                is_script = word.endswith(".py") and not set(flags) - set("uB")
                return cls._with(flags, word, False, words) if is_script else None
            flags += word[1:]
            if "m" in word:
                module = next(words, "")
                is_plain = word.endswith("m") and module and not set(flags[:-1]) - set("uB")
                return cls._with(flags, module, True, words) if is_plain else None
        return None

    @classmethod
    def _with(cls, flags: str, target: str, is_module: bool, arguments: Iterator[str]) -> "ScriptCommand":
        return cls(target, is_module, tuple(arguments), "u" in flags, "B" not in flags)

    def run(self) -> None:
        """Run it as ``__main__`` of this process, in the working directory.

        Raises
        ------
        CoreError
            There is no such file.
        ModuleNotFoundError
            There is no such module.
        """
        sys.dont_write_bytecode = not self.writes_bytecode
        if self.is_unbuffered:
            for stream in (sys.stdout, sys.stderr):
                stream.reconfigure(write_through=True)  # type: ignore[union-attr]
        sys.modules["__main__"] = main = ModuleType("__main__")
        main.__dict__.update(__builtins__=builtins, __annotations__={})
        code, origin, fields = self.compile()
        sys.argv = [origin, *self.arguments]
        main.__dict__.update(fields)
        exec(code, main.__dict__)

    def compile(self) -> tuple[CodeType, str, dict[str, Any]]:
        """Find it, and let its folder be found first; returns its code, ``sys.argv[0]``, and fields of ``__main__``.

        Raises
        ------
        CoreError, ModuleNotFoundError
            As :meth:`run` does.
        SyntaxError
            It is no Python.
        """
        return self._find_module() if self.is_module else self._read_file()

    def _read_file(self) -> tuple[CodeType, str, dict[str, Any]]:
        path = os.path.abspath(self.target)  # not resolved, as Python's __file__ is not
        sys.path.insert(0, str(Path(path).resolve().parent))
        try:
            with io.open_code(path) as file:
                source = file.read()
        except OSError as error:
            raise CoreError(
                f"the entrypoint's script cannot be read: {error}; it must be in the model folder"
            ) from None
        code = compile(source, path, "exec", dont_inherit=True)
        loader = SourceFileLoader("__main__", path)
        return code, self.target, {"__file__": path, "__cached__": None, "__loader__": loader, "__spec__": None}

    def _find_module(self) -> tuple[CodeType, str, dict[str, Any]]:
        sys.path.insert(0, str(Path.cwd()))
        sys.argv = ["-m", *self.arguments]
        spec = importlib.util.find_spec(self.target)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{self.target}.__main__")
        code = _code_of(spec) if spec is not None else None
        if spec is None or spec.origin is None or code is None:
            raise ModuleNotFoundError(f"No module named {self.target} that can be run", name=self.target)
        fields = {"__file__": spec.origin, "__cached__": spec.cached, "__loader__": spec.loader, "__spec__": spec}
        return code, spec.origin, {**fields, "__package__": spec.parent}


def _code_of(spec: ModuleSpec) -> CodeType | None:
    read = getattr(spec.loader, "get_code", None)
    return read(spec.name) if read is not None else None


def put_interpreter_first() -> None:
    """Let ``python`` and the programs of this environment (``torchrun``) be found before any others."""
    path = os.environ.get("PATH") or os.defpath
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), path])


def run_in_shell(command: str) -> NoReturn:
    """Become a shell that runs the command, as it stands."""
    os.execv("/bin/sh", ["sh", "-c", command])
