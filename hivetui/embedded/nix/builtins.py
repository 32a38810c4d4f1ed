"""The built-in functions of the stand-in for nix: those that plain modules and flakes use.

Nothing here reaches outside the fetched sources: a file is read only below one of the loader's roots, as nix does in
pure evaluation.
"""

from __future__ import annotations

from pathlib import Path

from hivetui.embedded.nix.evaluate import evaluate_file
from hivetui.embedded.nix.pure_functions import pure_functions
from hivetui.embedded.nix.source import LARGEST_FILE, File, Limits
from hivetui.embedded.nix.values import (
    Builtin,
    Derivation,
    NixError,
    Position,
    Thrown,
    Thunk,
    Value,
    apply,
    coerce,
    expect,
    expect_list,
    expect_set,
    force,
    join,
    to_string,
    unsupported,
)

_GLOBAL = ("abort", "baseNameOf", "dirOf", "fromTOML", "import", "isNull", "map", "removeAttrs", "throw", "toString")
_MISSING_GLOBAL = (
    *("derivation", "derivationStrict", "fetchGit", "fetchMercurial", "fetchTarball", "fetchTree"),
    *("placeholder", "scopedImport"),
)
_MISSING = (
    *_MISSING_GLOBAL,
    *("addErrorContext", "appendContext", "builtins", "compareVersions", "currentSystem", "currentTime", "fetchurl"),
    *("filterSource", "findFile", "flakeRefToString", "genericClosure", "getContext", "getFlake"),
    *("hasContext", "hashFile", "match", "nixPath", "parseDrvName", "parseFlakeRef", "path"),
    *("readFileType", "split", "splitVersion", "storeDir", "storePath", "toFile", "toPath", "toXML"),
    *("traceVerbose", "unsafeDiscardOutputDependency", "unsafeGetAttrPos"),
)
"""Functions of the real nix that a module may well use, so that their lack is not taken for a mistake in the module."""


class Unreadable(NixError):
    """A path outside the sources, or where a source has nothing."""


class Loader:
    """Reads and evaluates files below its `roots`, to which fetched sources are added."""

    def __init__(self) -> None:
        self.roots: list[Path] = []
        self.limits = Limits()
        self.recognized: dict[bytes, Value] = {}
        """What stands for a file with a certain content, in place of its evaluation."""
        self._values: dict[Path, Value] = {}
        self._names = self._global_names()

    def allow_derivations(self, system: str) -> None:
        """Let the function `derivation` make one, for an expression of the command line."""
        self._names["derivation"] = Builtin(_derivation, 1)
        self._names["builtins"] = {**self._names["builtins"], "currentSystem": system}

    def load(self, path: Value) -> Value:
        """The value of a file, or of the default.nix of a directory; every file is evaluated once."""
        file = self._readable(path)
        file = self._readable(file / "default.nix") if file.is_dir() else file
        if file not in self._values:
            content = self._read(file)
            known = self.recognized.get(content)
            self._values[file] = known if known is not None else self.evaluate(str(file), content)
        return self._values[file]

    def start_of(self, path: Path) -> Position:
        """The beginning of a file, as the place of an error about all of it."""
        file = self._readable(path)
        return Position(str(file), self._read(file), 1, 1)

    def evaluate(self, name: str, source: bytes) -> Value:
        """The value of a text; `name` stands for its file in messages."""
        return evaluate_file(File(name, source, self.limits), self._names)

    def _readable(self, value: Value) -> Path:
        """The file that a path or a string names. Raises NixError outside the roots."""
        value = force(value)
        path = Path(value if isinstance(value, Path) else coerce(value)).resolve()
        if not any(path.is_relative_to(root.resolve()) for root in self.roots):
            raise Unreadable(f"access to absolute path '{path}' is forbidden in pure eval mode")
        if not path.exists():
            raise Unreadable(f"getting status of '{path}': No such file or directory")
        return path

    @staticmethod
    def _read(file: Path) -> bytes:
        try:
            if file.stat().st_size > LARGEST_FILE:
                raise NixError(f"cannot read '{file}': it is larger than {LARGEST_FILE} bytes")
            return file.read_bytes()
        except OSError as failure:
            raise NixError(f"cannot read '{file}': {failure.strerror}") from failure

    def _exists(self, path: Value) -> bool:
        try:
            self._readable(path)
        except Unreadable:
            return False
        return True

    def _read_directory(self, path: Value) -> dict[str, Value]:
        directory = self._readable(path)
        try:
            entries = sorted(directory.iterdir())
        except OSError as failure:
            raise NixError(f"cannot read directory '{directory}': {failure.strerror}") from failure
        return {entry.name: _type_of(entry) for entry in entries}

    def _read_text(self, path: Value) -> str:
        try:
            return self._read(self._readable(path)).decode()
        except UnicodeDecodeError as failure:
            raise NixError(f"cannot read '{coerce(path)}': {failure}") from failure

    def _global_names(self) -> dict[str, Value]:
        functions: dict[str, Value] = {
            **pure_functions(self.limits.step),
            "abort": Builtin(_abort, 1),
            "attrNames": Builtin(lambda attributes: sorted(expect_set(attributes)), 1),
            "concatStringsSep": Builtin(concat_strings, 2),
            "import": Builtin(self.load, 1),
            "getEnv": Builtin(lambda name: expect(name, str)[:0], 1),  # pure evaluation sees no variable
            "map": Builtin(_map, 2),
            "pathExists": Builtin(self._exists, 1),
            "readDir": Builtin(self._read_directory, 1),
            "readFile": Builtin(self._read_text, 1),
            "throw": Builtin(_throw, 1),
            "toString": Builtin(to_string, 1),
        }
        constants = {"true": True, "false": False, "null": None}
        versions = {"langVersion": 6, "nixVersion": "2.19.0"}
        builtins = {**constants, **versions, **functions, **{name: _missing(f"builtins.{name}") for name in _MISSING}}
        globals_ = {name: functions[name] for name in _GLOBAL} | {name: _missing(name) for name in _MISSING_GLOBAL}
        return {**constants, **globals_, "builtins": builtins}


def _type_of(entry: Path) -> str:
    """What `readDir` calls an entry; the sources have nothing but these."""
    return "symlink" if entry.is_symlink() else "directory" if entry.is_dir() else "regular"


def concat_strings(separator: Value, elements: Value) -> str:
    """What `concatStringsSep` makes of a list."""
    return join(expect(separator, str), (coerce(element) for element in expect_list(elements)))


def _map(function: Value, elements: Value) -> list[Value]:
    def apply_later(element: Value) -> Thunk:
        return Thunk(lambda: apply(function, element))

    return [apply_later(element) for element in expect_list(elements)]


def _abort(message: Value) -> Value:
    raise NixError(f"evaluation aborted with the following error message: '{coerce(message)}'")


def _throw(message: Value) -> Value:
    raise Thrown(coerce(message))


def _derivation(attributes: Value) -> Derivation:
    given = expect_set(attributes)
    arguments = tuple(coerce(argument) for argument in expect_list(given.get("args", [])))
    environment = {name: coerce(given[name]) for name in sorted(given) if name != "args"}
    return Derivation(arguments, environment)


def _missing(name: str) -> Thunk:
    """Stands for a function of the real nix. Raises NixError when it is used."""

    def fail() -> Value:
        raise unsupported(name)

    return Thunk(fail)
