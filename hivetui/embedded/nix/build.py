"""Builds of the stand-in for nix: a builder runs as the user who asks, without isolation."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from hivetui.embedded.files import locked
from hivetui.embedded.nix.output import Output
from hivetui.embedded.nix.store import Store
from hivetui.embedded.nix.values import Derivation, NixError

_LAST_LINES = 10
_NAME = re.compile(r"[A-Za-z0-9+_?=-][A-Za-z0-9+._?=-]{0,210}")


class Build:
    """The build of one derivation. Raises NixError for a name that a store path cannot have."""

    def __init__(self, store: Store, derivation: Derivation, output: Output) -> None:
        self._store, self._derivation, self._output = store, derivation, output
        self._name = derivation.environment["name"]
        if not _NAME.fullmatch(self._name):
            raise NixError(f"the name of the derivation, {self._name[:60]!r}, has characters that are not allowed")
        self._path = store.output_path(derivation.digest(), self._name)

    def run(self) -> Path:
        """The store path of the output, which is built unless it is valid already."""
        with locked(self._store.valid / f".{self._path.name}.lock"):
            if not self._store.is_valid(self._path):
                self._build()
        return self._path

    def _build(self) -> None:
        shutil.rmtree(self._path, ignore_errors=True)
        derivation_path = f"{self._path}.drv"
        self._output.build_started(derivation_path)
        with self._store.build_directory(self._path) as directory:
            status, last_lines = self._run_builder(directory)
        self._output.build_ended()
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
                line = raw.decode(errors="replace").rstrip("\n")
                last_lines = [*last_lines[1 - _LAST_LINES :], line]
                self._output.build_line(self._name, line)
        return process.returncode, last_lines


def _builder_failed(derivation_path: str, status: int, last_lines: list[str]) -> NixError:
    how = f"failed with exit code {status}" if status > 0 else f"failed due to signal {-status}"
    log = "".join(f"\n       > {line}" for line in last_lines)
    return NixError(f"builder for '{derivation_path}' {how};\n       last {len(last_lines)} log lines:{log}")
