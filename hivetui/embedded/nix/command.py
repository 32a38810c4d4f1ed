"""nix for an embedded host without nix: flakes in git repos of this machine, evaluated and built by a stand-in.

Supports: nix --version; build [-o|--out-link LINK | --no-link] [--print-out-paths] [--json] REF#ATTRIBUTE; eval
[--json|--raw] REF#ATTRIBUTE or --expr TEXT; flake metadata [--json], flake lock, flake update, show-config; with
--override-input NAME REF, --update-input NAME, --no-update-lock-file, --no-write-lock-file, -L, --log-format
internal-json, and --option NAME VALUE (of which only sandbox has an effect). It builds with --dry-run, and a .drv.
Of the language it evaluates everything but paths in <> and below ~ and URLs without quotes, with the built-in
functions that only compute; anything else is an error that names it. Does not support: nixpkgs, the network,
registries, garbage collection, derivations that use others, string contexts.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hivetui.embedded.files import replace_link
from hivetui.embedded.layout import Layout
from hivetui.embedded.nix.build import Build
from hivetui.embedded.nix.output import Output
from hivetui.embedded.nix.references import Reference, parse_reference
from hivetui.embedded.nix.request import Request
from hivetui.embedded.nix.store import Store, git
from hivetui.embedded.nix.values import Derivation, NixError, Value, coerce, expect_set, force, plain

if TYPE_CHECKING:
    from hivetui.embedded.nix.flakes import Flakes, Source
    from hivetui.embedded.nix.lock_file import Locker

_VERSION = "nix (Nix) 2.19.0+embedded"
_RECURSION_LIMIT = 20_000
"""Frames of Python: evaluation nests up to `source.DEEPEST` expressions, with about ten frames each."""


def main(root: str, arguments: list[str]) -> int:
    """Run one command; its exit status."""
    if arguments == ["--version"]:
        print(_VERSION)
        return 0
    sys.setrecursionlimit(_RECURSION_LIMIT)
    output = Output()
    try:
        request = Request(arguments)
        output = Output(request.wants_events, request.wants_logs)
        _run(Command(Layout(root), request, output))
    except NixError as failure:
        output.error(failure)
        return 1
    except RecursionError:
        output.error(NixError("stack overflow (possible infinite recursion)"))
        return 1
    return 0


class Command:
    """One command line on one embedded host."""

    def __init__(self, layout: Layout, request: Request, output: Output) -> None:
        self.request, self.output, self.store = request, output, Store(layout)

    def flakes(self) -> Flakes:
        """What fetches and evaluates flakes."""
        try:
            from hivetui.embedded.nix.flakes import Flakes  # loads tree-sitter, which --help and --version do without
        except ModuleNotFoundError as failure:
            raise NixError("the embedded nix needs the Python packages tree-sitter and tree-sitter-nix") from failure
        return Flakes(self.store)

    def locker(self, flakes: Flakes) -> Locker:
        """What computes the lock of a flake, with the options of the command line."""
        from hivetui.embedded.nix.lock_file import Locker  # as above

        overrides = {name: parse_reference(url) for name, url in self.request.overrides.items()}
        return Locker(flakes, overrides, may_change="--no-update-lock-file" not in self.request.flags)

    def fetch(self, flakes: Flakes, reference: Reference) -> Source:
        """Fetch a flake, with its warnings to standard error."""
        source = flakes.fetch(reference)
        for warning in flakes.warnings:
            self.output.message(f"warning: {warning}")
        return source

    def derivation(self) -> Derivation:
        """What is to be built: a derivation of the store, one that an expression makes, or REF#ATTRIBUTE."""
        word = self.request.word(1).removesuffix("^*")
        if word.endswith(".drv"):
            return self.store.read_derivation(Path(word))
        if "--expr" in self.request.values:
            loader = self.flakes().loader
            loader.allow_derivations(f"{os.uname().machine}-linux")
            value = loader.evaluate("«string»", self.request.values["--expr"].encode(errors="surrogateescape"))
        else:
            value = self.target()
        if not isinstance(value, Derivation):
            raise NixError(f"'{word}' is not a derivation")
        return value

    def target(self) -> Value:
        """The value of REF#ATTRIBUTE."""
        url, _, attribute = self.request.word(1).partition("#")
        flakes = self.flakes()
        source = self.fetch(flakes, parse_reference(url or "."))
        value: Value = flakes.evaluate(source, self.locker(flakes).lock(source)["nodes"])
        for quoted, unquoted in re.findall(r'"([^"]*)"|([^."]+)', attribute):
            attributes = expect_set(value)
            if (quoted or unquoted) not in attributes:
                raise NixError(f"flake '{url}' does not provide attribute '{attribute}'")
            value = force(attributes[quoted or unquoted])
        return value


def _run(command: Command) -> None:
    words = command.request.words
    name = " ".join(words[: 2 if words[:1] == ["flake"] else 1])
    if name not in _COMMANDS:
        raise NixError(f"'{name}' is not a recognised command (of the embedded nix: {', '.join(_COMMANDS)})")
    _COMMANDS[name](command)


def _eval(command: Command) -> None:
    request = command.request
    if "--expr" in request.values:
        expression = request.values["--expr"].encode(errors="surrogateescape")
        value = command.flakes().loader.evaluate("«string»", expression)
    else:
        value = command.target()
    if "--raw" in request.flags:
        sys.stdout.write(coerce(value))
    else:
        print(json.dumps(plain(value), separators=(",", ":")))


def _metadata(command: Command) -> None:
    flakes, reference = command.flakes(), parse_reference(command.request.word(2))
    source = command.fetch(flakes, reference)
    metadata: dict[str, Any] = {
        "description": force(flakes.declaration(source).get("description")),
        "lastModified": source.locked.get("lastModified"),
        "locked": source.locked,
        "locks": command.locker(flakes).lock(source),
        "original": reference.attributes(),
        "originalUrl": reference.render(),
        "path": str(source.path),
        "resolved": reference.attributes(),
        "resolvedUrl": reference.render(),
        "revision": source.locked.get("rev"),
        "url": reference._replace(rev=source.locked.get("rev")).render(),
    }
    metadata = {name: value for name, value in metadata.items() if value is not None}
    if "--json" in command.request.flags:
        print(json.dumps(metadata))
    else:
        print("\n".join(f"{name}: {value}" for name, value in metadata.items()))


def _lock(command: Command) -> None:
    _write_lock(command, command.request.word(2), command.request.updates)


def _update(command: Command) -> None:
    """Both forms: inputs by their names (since nix 2.19), or all inputs of the flake that is named."""
    words = command.request.words[2:]
    names = {word for word in words if re.fullmatch(r"[A-Za-z][\w-]*", word)}
    urls = [word for word in words if word not in names]
    url = command.request.values.get("--flake") or (urls[0] if urls else ".")
    if not names:
        flakes = command.flakes()
        names = set(flakes.inputs(flakes.fetch(parse_reference(url))))
    _write_lock(command, url, names)


def _write_lock(command: Command, url: str, updates: set[str]) -> None:
    flakes, reference = command.flakes(), parse_reference(url)
    lock = command.locker(flakes).lock(command.fetch(flakes, reference), updates)
    text = json.dumps(lock, indent=2) + "\n"
    file = reference.directory / "flake.lock"
    if "--no-write-lock-file" in command.request.flags or (file.exists() and file.read_text() == text):
        return
    command.output.message(f"warning: {'updating' if file.exists() else 'creating'} lock file '{file}'")
    temporary = file.with_name(f".flake.lock.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(file)
    git(reference.directory, "add", "--intent-to-add", "--", "flake.lock")


def _show_config(_command: Command) -> None:
    print("experimental-features = flakes nix-command\nsandbox = false\nsubstituters =")


def _build(command: Command) -> None:
    request, derivation = command.request, command.derivation()
    build = Build(command.store, derivation, command.output, request.settings.get("sandbox") == "true")
    if "--dry-run" in request.flags:
        if build.is_needed:
            command.output.message(f"this derivation will be built:\n  {command.store.output_path(derivation)}.drv")
        return
    path = build.run()
    if "--no-link" not in request.flags:
        replace_link(Path(request.values.get("--out-link", "result")), path)
    if "--json" in request.flags:
        print(json.dumps([{"drvPath": f"{path}.drv", "outputs": {"out": str(path)}}]))
    elif "--print-out-paths" in request.flags:
        print(path)


_COMMANDS = {
    "build": _build,
    "eval": _eval,
    "flake metadata": _metadata,
    "flake info": _metadata,
    "flake lock": _lock,
    "flake update": _update,
    "show-config": _show_config,
}
