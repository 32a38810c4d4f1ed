"""Builds of the stand-in for nix: a builder runs as the user who asks, without isolation."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from hivetui.embedded.files import locked
from hivetui.embedded.nix.output import Output, phase_of
from hivetui.embedded.nix.store import Store
from hivetui.embedded.nix.values import Derivation, NixError

_LAST_LINES = 10
_STORE = "store"
_SYSTEM = ("/bin", "/usr", "/lib", "/lib64")


class Build:
    """The build of one derivation, isolated by bubblewrap if that is asked for.

    Raises NixError for a name that a store path cannot have.
    """

    def __init__(self, store: Store, derivation: Derivation, output: Output, is_isolated: bool = False) -> None:
        self._store, self._derivation, self._output = store, derivation, output
        self._is_isolated = is_isolated
        self._name = derivation.environment["name"]
        self._path = store.add_derivation(derivation)

    @property
    def is_needed(self) -> bool:
        """Whether the output has to be built."""
        return not self._store.is_valid(self._path)

    def run(self) -> Path:
        """The store path of the output, which is built unless it is valid already."""
        with locked(self._store.valid / f".{self._path.name}.lock"):
            if self.is_needed:
                self._build()
        return self._path

    def _build(self) -> None:
        shutil.rmtree(self._path, ignore_errors=True)
        derivation_path = f"{self._path}.drv"
        self._output.build_started(derivation_path)
        with self._store.build_directory(self._path) as directory:
            status, last_lines = self._run_builder(directory)
            if self._is_isolated and (directory / _STORE / self._path.name).exists():
                (directory / _STORE / self._path.name).rename(self._path)
            is_built = not status and self._path.exists()
        self._output.build_ended(is_built)
        if status:
            raise _builder_failed(derivation_path, status, last_lines)
        if not self._path.exists():
            raise NixError(f"builder for '{derivation_path}' failed to produce output path '{self._path}'")
        self._store.register(self._path)

    def _run_builder(self, directory: Path) -> tuple[int, list[str]]:
        """The exit status of the builder, and the last lines of its output."""
        environment = {
            "PATH": "/path-not-set",
            "HOME": "/homeless-shelter",
            "NIX_STORE": str(self._store.path),
            "NIX_BUILD_TOP": str(directory),
            "TMPDIR": str(directory),
            "TERM": "xterm-256color",
            **self._derivation.environment,
            "out": str(self._path),
        }
        argv = [self._derivation.environment["builder"], *self._derivation.arguments]
        if self._is_isolated:
            (directory / _STORE).mkdir()
            argv = [*isolation(directory, self._store.path), *argv]
        last_lines: list[str] = []
        try:
            process = subprocess.Popen(
                argv,
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except OSError as failure:
            raise NixError(f"executing '{argv[0]}': {failure.strerror}") from failure
        with process:
            for raw in process.stdout or ():
                line = raw.decode("utf-8", "surrogateescape").rstrip("\n")
                if (phase := phase_of(line)) is not None:
                    self._output.build_phase(phase)
                    continue
                last_lines = [*last_lines[1 - _LAST_LINES :], line]
                self._output.build_line(self._name, line)
        return process.returncode, last_lines


def isolation(directory: Path, store: Path) -> list[str]:
    """The start of an argv that runs a builder where it sees the system's programs and its own directory.

    It has no network. What it writes below the path of the store is in `directory`. Raises NixError without bubblewrap.
    """
    program = shutil.which("bwrap")
    if program is None:
        raise NixError("this system does not support the kernel namespaces that are required for sandboxing: no bwrap")
    system = (word for path in _SYSTEM for word in ("--ro-bind-try", path, path))
    own = ("--bind", str(directory), str(directory), "--bind", str(directory / _STORE), str(store))
    isolated = ("--unshare-all", "--die-with-parent", "--new-session", "--proc", "/proc", "--dev", "/dev")
    return [program, *isolated, "--tmpfs", "/tmp", *system, *own, "--chdir", str(directory), "--"]  # noqa: S108


def _builder_failed(derivation_path: str, status: int, last_lines: list[str]) -> NixError:
    how = f"failed with exit code {status}" if status > 0 else f"failed due to signal {-status}"
    log = "".join(f"\n       > {line}" for line in last_lines)
    return NixError(f"builder for '{derivation_path}' {how};\n       last {len(last_lines)} log lines:{log}")
