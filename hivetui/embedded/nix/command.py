"""nix for an embedded host without nix: flakes in git repos of this machine, evaluated and built by a small stand-in.

Plays: nix --version; build [-o|--out-link LINK | --no-link] [--print-out-paths] [--json] REF#ATTRIBUTE; eval
[--json|--raw] REF#ATTRIBUTE or --expr TEXT; flake metadata [--json], flake lock, flake update, show-config; with
--override-input NAME REF, --update-input NAME, --no-update-lock-file, --no-write-lock-file, --option NAME VALUE (read
and without effect), -L, --log-format internal-json. The language is played by `nix_syntax`, `nix_evaluate` and
`nix_builtins`; what these do not know is an error that says so. A derivation is really built, by its own builder, as
the user who asks and without isolation. Does not play: nixpkgs, the network, registries, garbage collection,
derivations that use others, string contexts.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hivetui.embedded.folder import Folder, lock
from hivetui.embedded.nix.references import parse_reference
from hivetui.embedded.nix.store import Store, git
from hivetui.embedded.nix.values import Derivation, NixError, Value, coerce, expect_set, force, plain

if TYPE_CHECKING:
    from hivetui.embedded.nix.flakes import Flakes, Source

VERSION = "nix (Nix) 2.19.0+embedded"
_TAKES = {
    "--option": 2,
    "--override-input": 2,
    "--update-input": 1,
    "--log-format": 1,
    "-o": 1,
    "--out-link": 1,
    "--expr": 1,
    "--flake": 1,
    "--extra-experimental-features": 1,
    "--max-jobs": 1,
    "-j": 1,
}
_FLAGS = {
    "--json",
    "--raw",
    "--impure",
    "--no-link",
    "--print-out-paths",
    "--no-update-lock-file",
    "--no-write-lock-file",
    "--no-registries",
    "-L",
    "--print-build-logs",
    "--no-allow-dirty",
    "--commit-lock-file",
    "--recreate-lock-file",
    "--offline",
    "-v",
    "--verbose",
    "--refresh",
    "--keep-failed",
    "--no-warn-dirty",
    "--quiet",
}
_LAST_LINES = 10
_BUILD, _LOG_LINE = 105, 101  # nix's ActivityType actBuild and ResultType resBuildLogLine (logging.hh)


class Request:
    """The command line, read."""

    def __init__(self, arguments: list[str]) -> None:
        self.words: list[str] = []
        self.flags: set[str] = set()
        self.values: dict[str, str] = {}
        self.overrides: dict[str, str] = {}
        self.updates: set[str] = set()
        rest = list(arguments)
        while rest:
            self._one(rest.pop(0), rest)

    def _one(self, word: str, rest: list[str]) -> None:
        count = _TAKES.get(word, 0)
        given, rest[:count] = rest[:count], []
        if len(given) < count:
            raise NixError(f"flag '{word}' requires {count} argument(s)")
        if word == "--override-input":
            self.overrides[given[0]] = given[1]
        elif word == "--update-input":
            self.updates.add(given[0])
        elif count:
            self.values["--out-link" if word == "-o" else word] = given[0]
        elif word in _FLAGS:
            self.flags.add(word)
        elif word == "--":
            self.words += rest
            rest.clear()
        elif word.startswith("-"):
            raise NixError(f"unrecognised flag '{word}' (to the embedded nix)")
        else:
            self.words.append(word)


class Talk:
    """What is said on standard error: words for people, or events (`--log-format internal-json`)."""

    def __init__(self, request: Request) -> None:
        self.events = request.values.get("--log-format") == "internal-json"
        self.logs = bool(request.flags & {"-L", "--print-build-logs"}) or request.values.get("--log-format") in (
            "bar-with-logs",
            "raw-with-logs",
        )

    def event(self, **parts: Any) -> None:
        """One event, where events are wanted."""
        if self.events:
            self._write("@nix " + json.dumps(parts))

    def say(self, text: str, level: int = 1) -> None:
        """A message."""
        if self.events:
            self.event(action="msg", level=level, msg=text)
        else:
            self._write(text)

    def error(self, failure: NixError) -> None:
        """Why it ends."""
        if self.events:
            self.event(action="msg", level=0, msg=f"error: {failure.render()}", raw_msg=failure.message)
        else:
            self._write(f"error: {failure.render()}")

    def log(self, name: str, line: str) -> None:
        """A line of a builder."""
        if self.events:
            self.event(action="result", id=1, type=_LOG_LINE, fields=[line])
        elif self.logs:
            self._write(f"{name}> {line}")

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def main(root: str, arguments: list[str]) -> int:
    """Run one command; its exit status."""
    if arguments == ["--version"]:
        print(VERSION)
        return 0
    sys.setrecursionlimit(20_000)
    talk = Talk(Request([]))
    try:
        request = Request(arguments)
        talk = Talk(request)
        _run(Folder(root), request, talk)
    except NixError as failure:
        talk.error(failure)
        return 1
    except RecursionError:
        talk.error(NixError("stack overflow (possible infinite recursion)"))
        return 1
    return 0


def _run(folder: Folder, request: Request, talk: Talk) -> None:
    command = " ".join(request.words[: 2 if request.words[:1] == ["flake"] else 1])
    commands = {
        "build": _build_target,
        "eval": _eval,
        "flake metadata": _metadata,
        "flake info": _metadata,
        "flake lock": _lock,
        "flake update": _update,
        "show-config": _show_config,
    }
    if command not in commands:
        raise NixError(f"'{command}' is not a recognised command (of the embedded nix: {', '.join(commands)})")
    commands[command](folder, request, talk)


def _flakes(folder: Folder, request: Request) -> Flakes:
    try:
        from hivetui.embedded.nix.flakes import Flakes  # loads tree-sitter, which --help and --version do without
    except ModuleNotFoundError as failure:
        raise NixError("the embedded nix needs the Python packages tree-sitter and tree-sitter-nix") from failure
    return Flakes(Store(folder), request.overrides, "--no-update-lock-file" not in request.flags)


def _fetched(flakes: Flakes, url: str, talk: Talk) -> Source:
    source = flakes.fetch(parse_reference(url))
    for warning in flakes.warnings:
        talk.say(f"warning: {warning}")
    return source


def _target(folder: Folder, request: Request, talk: Talk) -> Value:
    """The value of REF#ATTRIBUTE."""
    url, _, attribute = (request.words[1] if len(request.words) > 1 else ".").partition("#")
    flakes = _flakes(folder, request)
    value: Value = flakes.evaluate(_fetched(flakes, url or ".", talk))
    path = [quoted or plain_name for quoted, plain_name in re.findall(r'"([^"]*)"|([^."]+)', attribute)]
    for name in path:
        found = expect_set(value)
        if name not in found:
            raise NixError(f"flake '{url}' does not provide attribute '{attribute}'")
        value = force(found[name])
    return value


def _eval(folder: Folder, request: Request, talk: Talk) -> None:
    if "--expr" in request.values:
        expression = request.values["--expr"].encode(errors="surrogateescape")
        value = _flakes(folder, request).loader.evaluate("«string»", expression)
    else:
        value = _target(folder, request, talk)
    if "--raw" in request.flags:
        sys.stdout.write(coerce(value))
    else:
        print(json.dumps(plain(value), separators=(",", ":")))


def _metadata(folder: Folder, request: Request, talk: Talk) -> None:
    url = request.words[2] if len(request.words) > 2 else "."
    flakes, reference = _flakes(folder, request), parse_reference(url)
    source = _fetched(flakes, url, talk)
    description = flakes.description(source).get("description")
    told: dict[str, Any] = {
        "description": force(description),
        "lastModified": source.locked.get("lastModified"),
        "locked": source.locked,
        "locks": flakes.lock(source),
        "original": reference.attributes(),
        "originalUrl": reference.shown(),
        "path": str(source.path),
        "resolved": reference.attributes(),
        "resolvedUrl": reference.shown(),
        "revision": source.locked.get("rev"),
        "url": reference._replace(rev=source.locked.get("rev")).shown(),
    }
    told = {name: value for name, value in told.items() if value is not None}
    print(json.dumps(told) if "--json" in request.flags else "\n".join(f"{k}: {v}" for k, v in told.items()))


def _lock(folder: Folder, request: Request, talk: Talk) -> None:
    _write_lock(folder, request, request.words[2] if len(request.words) > 2 else ".", request.updates, talk)


def _update(folder: Folder, request: Request, talk: Talk) -> None:
    """Both forms: inputs by name (since nix 2.19), or all inputs of the flake that is named."""
    names = {word for word in request.words[2:] if re.fullmatch(r"[A-Za-z][\w-]*", word)}
    paths = [word for word in request.words[2:] if word not in names]
    url = request.values.get("--flake") or (paths[0] if paths else ".")
    if not names:
        flakes = _flakes(folder, request)
        names = set(flakes.inputs(flakes.fetch(parse_reference(url))))
    _write_lock(folder, request, url, names, talk)


def _write_lock(folder: Folder, request: Request, url: str, updates: set[str], talk: Talk) -> None:
    flakes, reference = _flakes(folder, request), parse_reference(url)
    made = json.dumps(flakes.lock(_fetched(flakes, url, talk), updates), indent=2) + "\n"
    file = reference.folder / "flake.lock"
    if "--no-write-lock-file" in request.flags or (file.exists() and file.read_text() == made):
        return
    talk.say(f"warning: {'updating' if file.exists() else 'creating'} lock file '{file}'")
    fresh = file.with_name(f".flake.lock.{os.getpid()}")
    fresh.write_text(made)
    fresh.replace(file)
    git(reference.folder, "add", "--intent-to-add", "--", "flake.lock")


def _show_config(_folder: Folder, _request: Request, _talk: Talk) -> None:
    print("experimental-features = flakes nix-command\nsandbox = false\nsubstituters =")


def _build_target(folder: Folder, request: Request, talk: Talk) -> None:
    value = force(_target(folder, request, talk))
    if not isinstance(value, Derivation):
        raise NixError(f"'{request.words[1]}' is not a derivation")
    path = Build(folder, value, talk).run()
    if "--no-link" not in request.flags:
        _link(Path(request.values.get("--out-link", "result")), path)
    if "--json" in request.flags:
        print(json.dumps([{"drvPath": f"{path}.drv", "outputs": {"out": str(path)}}]))
    elif "--print-out-paths" in request.flags:
        print(path)


def _link(link: Path, path: Path) -> None:
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(path)
    fresh.replace(link)


class Build:
    """One build of a derivation."""

    def __init__(self, folder: Folder, derivation: Derivation, talk: Talk) -> None:
        self.folder, self.talk, self.store = folder, talk, Store(folder)
        self.name = derivation.environment["name"]
        if not re.fullmatch(r"[A-Za-z0-9+_?=-][A-Za-z0-9+._?=-]{0,210}", self.name):
            raise NixError(f"the name of the derivation, {self.name[:60]!r}, has characters that are not allowed")
        self.derivation = derivation
        self.output = self.store.output(derivation.digest(), self.name)

    def run(self) -> Path:
        """The output, built unless it is there."""
        held = lock(self.store.valid / f".{self.output.name}.lock")
        try:
            if not self.store.is_valid(self.output):
                self._build()
        finally:
            os.close(held)
        return self.output

    def _build(self) -> None:
        shutil.rmtree(self.output, ignore_errors=True)
        drv = f"{self.output}.drv"
        if self.talk.events:
            self.talk.event(
                action="start", id=1, level=3, parent=0, type=_BUILD, text=f"building '{drv}'", fields=[drv, "", 1, 1]
            )
        else:
            self.talk.say(f"building '{drv}'...")
        with tempfile.TemporaryDirectory(prefix="nix-build-") as top:
            status, last = self._builder(Path(top))
        self.talk.event(action="stop", id=1)
        if status:
            raise self._failed(drv, status, last)
        if not self.output.exists():
            raise NixError(f"builder for '{drv}' failed to produce output path '{self.output}'")
        self.store.keep(self.output)

    def _builder(self, top: Path) -> tuple[int, list[str]]:
        environment = {"PATH": "/path-not-set", "HOME": "/homeless-shelter", "NIX_STORE": str(self.store.path)}
        environment |= {"NIX_BUILD_TOP": str(top), "TMPDIR": str(top), "TERM": "xterm-256color"}
        environment |= self.derivation.environment | {"out": str(self.output)}
        argv = [self.derivation.environment["builder"], *self.derivation.arguments]
        last: list[str] = []
        try:
            process = subprocess.Popen(
                argv,
                cwd=top,
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
                last = [*last[1 - _LAST_LINES :], line]
                self.talk.log(self.name, line)
        return process.returncode, last

    @staticmethod
    def _failed(drv: str, status: int, last: list[str]) -> NixError:
        how = f"failed with exit code {status}" if status > 0 else f"failed due to signal {-status}"
        log = "".join(f"\n       > {line}" for line in last)
        return NixError(f"builder for '{drv}' {how};\n       last {len(last)} log lines:{log}")
