"""The flake that compares two commits of an agent: meta as it is locked, with each of them in turn.

It is written into a private directory and evaluated as a whole, so that both sides are read by one evaluation and under
one lock, and neither applied nor meta changes. The derivation of a side is the one that a deploy of it would build.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from hivetui.engine.git import objects
from hivetui.engine.host import files, scratch
from hivetui.engine.host.host import Host
from hivetui.engine.meta.flake import BASE, INPUT_PREFIX, quote
from hivetui.engine.meta.lock import FLAKE_FILE, LOCK_FILE
from hivetui.engine.model.errors import OperationFailed
from hivetui.engine.nix import argv, lock_file

_META, _COMPARE = "meta.nix", "compare.nix"
_TEMPLATE = """\
{
  inputs = {
    "@BASE@".url = @URL@;
    "@AGENT@".url = @SOURCE@;
    old.url = @SOURCE@;
  };

  outputs = inputs:
    let
      meta = import ./meta.nix;
      system = source: (meta.outputs (inputs // { "@AGENT@" = source; })).nixosConfigurations."@NAME@";
      found = import ./compare.nix (system inputs.old) (system inputs."@AGENT@");
      sources = { old = "${inputs.old}"; new = "${inputs."@AGENT@"}"; };
    in
    found // {
      inherit sources;
      system = [ found.new.derivation found.new.system ];
      report = { inherit sources; inherit (found) changes old new; };
    };
}
"""


@dataclass(frozen=True)
class Comparison:
    """A flake to evaluate, and the arguments that make its inputs the two commits."""

    flake: str
    overrides: tuple[str, ...]


@contextmanager
def written(host: Host, name: str, old: str, new: str, head: str) -> Iterator[Comparison]:
    """The flake that compares commit `new` of an agent with commit `old`, as meta at its commit `head` is locked."""
    git_dir = host.paths.meta / ".git"
    meta, lock = (objects.file_at(git_dir, head, file) for file in (FLAKE_FILE, LOCK_FILE))
    agent = INPUT_PREFIX + name
    with scratch.scratch_directory(host.paths) as folder:
        folder.chmod(0o755)  # nix reads it as another user
        files.replace(folder / FLAKE_FILE, _flake(host, name, meta))
        files.replace(folder / LOCK_FILE, lock_file.remove_inputs(lock, [agent]))
        files.replace(folder / _META, meta)
        files.replace(folder / _COMPARE, compare_source())
        pairs = ((agent, new), ("old", old))
        overrides = (("--override-input", key, argv.candidate_url(host.paths, name, commit)) for key, commit in pairs)
        yield Comparison(f"path:{folder}", tuple(word for words in overrides for word in words))


def compare_source() -> bytes:
    """The text of compare.nix."""
    return Path(str(resources.files("hivetui.engine.review.effect") / _COMPARE)).read_bytes()


def flake_text(host: Host, name: str, head: str) -> bytes:
    """The flake.nix that compares commits of an agent with meta at `head`."""
    return _flake(host, name, objects.file_at(host.paths.meta / ".git", head, FLAKE_FILE))


def _flake(host: Host, name: str, meta: bytes) -> bytes:
    base = re.search(rf'^    "{BASE}"\.url = (".*");$', meta.decode("utf-8", "surrogateescape"), re.MULTILINE)
    if base is None:
        why = f'Its inputs have no line "{BASE}".url = …;'
        raise OperationFailed("The flake.nix of meta cannot be read", why, "Run: hivetui repair")
    values = {
        "@BASE@": BASE,
        "@URL@": base[1],
        "@AGENT@": INPUT_PREFIX + name,
        "@SOURCE@": quote(argv.input_url(host.paths, name)),
        "@NAME@": name,
    }
    text = re.sub("@[A-Z]+@", lambda mark: values[mark[0]], _TEMPLATE)
    return text.encode("utf-8", "surrogateescape")
