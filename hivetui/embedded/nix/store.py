"""The store of the stand-in for nix: trees of git commits with their NAR hashes, and outputs of builds.

A path in the store is complete when it is registered in `valid/`; one that a killed build left is replaced.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hivetui.embedded.files import read_json, write_json
from hivetui.embedded.layout import Layout
from hivetui.embedded.nix.values import Derivation, NixError
from hivetui.engine.git import environment

_NAME = re.compile(r"[A-Za-z0-9+_?=-][A-Za-z0-9+._?=-]{0,210}")
_LETTERS = "0123456789abcdfghijklmnpqrsvwxyz"  # nix's base 32 (Nix manual, "Store Path Specification")


def store_hash(digest: bytes) -> str:
    """The hash in the name of a store path: 160 bits of a digest in base 32."""
    number = int.from_bytes(digest[:20], "big")
    return "".join(_LETTERS[number >> (5 * place) & 31] for place in range(32))


def nar_hash(tree: Path) -> str:
    """The hash of a tree as nix writes it: SHA-256 of its NAR, in SRI form."""
    digest = hashlib.sha256()
    _write_string(digest.update, b"nix-archive-1")
    _write_nar(digest.update, tree)
    return "sha256-" + base64.b64encode(digest.digest()).decode()


def _write_string(write: Callable[[bytes], None], data: bytes) -> None:
    """A string of the archive: its length in 8 bytes, little-endian, and its bytes, padded to a multiple of 8."""
    write(len(data).to_bytes(8, "little"))
    write(data + b"\0" * (-len(data) % 8))


def _write_nar(write: Callable[[bytes], None], path: Path) -> None:
    """One file, symbolic link or directory in a Nix Archive (Nix manual, "Nix Archive (NAR) format")."""

    def put(*parts: bytes) -> None:
        for part in parts:
            _write_string(write, part)

    put(b"(", b"type")
    if path.is_symlink():
        put(b"symlink", b"target", os.fsencode(path.readlink()))
    elif path.is_dir():
        put(b"directory")
        for child in sorted(path.iterdir(), key=lambda entry: os.fsencode(entry.name)):
            put(b"entry", b"(", b"name", os.fsencode(child.name), b"node")
            _write_nar(write, child)
            put(b")")
    else:
        executable = (b"executable", b"") if path.stat().st_mode & 0o100 else ()
        put(b"regular", *executable, b"contents", path.read_bytes())
    put(b")")


def git(repo: Path, *arguments: str, data: bytes = b"") -> bytes:
    """The output of git in a repo. Raises NixError when it fails."""
    program = os.environ.get("HYPERHIVE_GIT") or "git"
    argv = [program, *environment.hardened_options(), "-C", str(repo), *arguments]
    env = environment.hardened_environment(os.environ)
    try:
        done = subprocess.run(argv, check=False, capture_output=True, input=data, env=env)
    except FileNotFoundError as failure:
        raise NixError(f"executing '{program}': No such file or directory") from failure
    if done.returncode:
        why = done.stderr.decode("utf-8", "surrogateescape").strip()
        raise NixError(f"program '{program}' failed with exit code {done.returncode}: {why}")
    for line in done.stderr.decode("utf-8", "surrogateescape").splitlines():
        print(f"warning: git: {line}", file=sys.stderr)
    return done.stdout


class Store:
    """The store of one embedded host."""

    def __init__(self, layout: Layout) -> None:
        self.path = layout.store
        self.valid = layout.root / "nix/var/valid"
        self.valid.mkdir(parents=True, exist_ok=True)
        self._builds = layout.root / "nix/var/builds"

    def is_valid(self, path: Path) -> bool:
        """Whether a path is complete in the store."""
        return path.parent == self.path and (self.valid / path.name).exists() and path.exists()

    def register(self, path: Path) -> None:
        """Record that a path is complete."""
        (self.valid / path.name).touch()

    @contextmanager
    def build_directory(self, output: Path) -> Iterator[Path]:
        """An empty directory for the build of an output, inside the host so that a killed build leaves nothing else."""
        directory = self._builds / output.name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def output_path(self, derivation: Derivation) -> Path:
        """The path of the output of a derivation. Raises NixError for a name that a store path cannot have."""
        name = derivation.environment["name"]
        if not _NAME.fullmatch(name):
            raise NixError(f"the name of the derivation, {name[:60]!r}, has characters that are not allowed")
        return self.path / f"{store_hash(derivation.digest())}-{name}"

    def add_derivation(self, derivation: Derivation) -> Path:
        """Keep a derivation in the store, beside its output (PATH.drv); the path of the output."""
        path = self.output_path(derivation)
        file = path.with_name(f"{path.name}.drv")
        if not file.exists():
            write_json(file, {"arguments": derivation.arguments, "environment": derivation.environment})
        return path

    def read_derivation(self, path: Path) -> Derivation:
        """A derivation of the store. Raises NixError for a path that is none."""
        content = read_json(path) if path.parent == self.path else {}
        if not content:
            raise NixError(f"path '{path}' is not valid")
        derivation = Derivation(tuple(content["arguments"]), dict(content["environment"]))
        if f"{self.output_path(derivation)}.drv" != str(path):
            raise NixError(f"derivation '{path}' has been changed")
        return derivation

    def add_commit(self, repo: Path, commit: str) -> Path:
        """Copy the tree of a commit into the store."""
        return self._add(lambda tree: _check_out(repo, commit, tree))

    def add_work_tree(self, repo: Path) -> Path:
        """Copy the tracked files of a work tree into the store."""
        return self._add(lambda tree: _copy_tracked(repo, tree))

    def add_directory(self, directory: Path) -> Path:
        """Copy a directory into the store."""
        if not directory.is_dir():
            raise NixError(f"getting status of '{directory}': No such file or directory")
        return self._add(lambda tree: _copy(directory, tree))

    def _add(self, fill: Callable[[Path], None]) -> Path:
        temporary = self.path / f".new-{os.getpid()}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            fill(temporary)
            digest = base64.b64decode(nar_hash(temporary).removeprefix("sha256-"))
            path = self.path / f"{store_hash(digest)}-source"
            if not self.is_valid(path):
                shutil.rmtree(path, ignore_errors=True)
                temporary.rename(path)
                self.register(path)
            return path
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _check_out(repo: Path, commit: str, tree: Path) -> None:
    """Write the files of a commit without a checkout, which would apply attributes, filters and hooks."""
    entries = []
    for entry in git(repo, "ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0"):
        head, _, name = entry.partition(b"\t")
        if name and head.split()[1] == b"blob":
            entries.append((head.split()[0], head.split()[2], os.fsdecode(name)))
    blobs = git(repo, "cat-file", "--batch", data=b"".join(blob + b"\n" for _, blob, _ in entries))
    offset = 0
    for mode, _, path in entries:
        end = blobs.index(b"\n", offset)
        size = int(blobs[offset:end].split()[2])
        _write(tree / path, mode, blobs[end + 1 : end + 1 + size])
        offset = end + 1 + size + 1


def _copy(directory: Path, tree: Path) -> None:
    try:
        shutil.copytree(directory, tree, symlinks=True, dirs_exist_ok=True)
    except shutil.Error as failures:  # one for each file, of which the first is reported
        raise OSError(failures.args[0][0][2]) from failures


def _write(path: Path, mode: bytes, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode == b"120000":
        path.symlink_to(os.fsdecode(data))
        return
    path.write_bytes(data)
    path.chmod(0o755 if mode == b"100755" else 0o644)


def _copy_tracked(repo: Path, tree: Path) -> None:
    for raw in git(repo, "ls-files", "-z").split(b"\0"):
        source = repo / os.fsdecode(raw)
        if raw and (source.exists() or source.is_symlink()):
            target = tree / os.fsdecode(raw)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
