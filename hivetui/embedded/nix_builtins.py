"""The built-in functions of the stand-in of nix: those a configuration without nixpkgs needs, and no more.

Another name of `builtins` is an error that says so. Nothing here reaches out of the sources and the store: a file is
read only below one of the `roots`, which is what pure evaluation allows in nix.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hivetui.embedded.nix_evaluate import (
    Builtin,
    Function,
    Scope,
    Thunk,
    Value,
    apply,
    attributes,
    equal,
    evaluate,
    force,
    less,
    text_of,
    truth,
    wanted,
)
from hivetui.embedded.nix_syntax import NixError, parse

_GLOBAL = [
    "abort",
    "baseNameOf",
    "derivation",
    "dirOf",
    "import",
    "isNull",
    "map",
    "removeAttrs",
    "throw",
    "toString",
    "true",
    "false",
    "null",
]


def scope(roots: Callable[[], list[Path]]) -> Scope:
    """The names that every file sees. `roots` tells which folders may be read now."""
    found: dict[str, Value] = {name: Builtin(work, count) for name, (work, count) in _PLAIN.items()}
    found |= {"true": True, "false": False, "null": None, "currentSystem": "x86_64-linux", "nixVersion": "2.19.0"}

    def readable(value: Value) -> Path:
        value = force(value)
        path = Path(value if isinstance(value, Path) else text_of(value)).resolve()
        if not any(path.is_relative_to(root.resolve()) for root in roots()):
            raise NixError(f"access to absolute path '{path}' is forbidden in pure eval mode")
        if not path.exists():
            raise NixError(f"getting status of '{path}': No such file or directory")
        return path

    found["import"] = Builtin(lambda value: import_file(readable(value), files), 1)
    found["readFile"] = Builtin(lambda value: readable(value).read_text(), 1)
    found["pathExists"] = Builtin(lambda value: _exists(readable, value), 1)
    found["readDir"] = Builtin(lambda value: {p.name: _type(p) for p in sorted(readable(value).iterdir())}, 1)
    files = Scope({**{name: found[name] for name in _GLOBAL}, "builtins": found}, None)
    return files


def import_file(path: Path, names: Scope) -> Value:
    """The value of a file, or of the default.nix of a folder."""
    path = path / "default.nix" if path.is_dir() else path
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as failure:
        raise NixError(f"cannot read '{path}': {failure}") from failure
    return evaluate(parse(str(path), text), names)


def _exists(readable: Callable[[Value], Path], value: Value) -> bool:
    try:
        readable(value)
    except NixError:
        return False
    return True


def _type(path: Path) -> str:
    return "symlink" if path.is_symlink() else "directory" if path.is_dir() else "regular"


def _list(value: Value) -> list[Value]:
    found: list[Value] = wanted(value, list, "a list")
    return found


def _string(value: Value) -> str:
    return str(wanted(value, str, "a string"))


def _index(value: Value, number: Value) -> Value:
    items, at = _list(value), wanted(number, int, "an integer")
    if not 0 <= at < len(items):
        raise NixError(f"list index {at} is out of bounds")
    return force(items[at])


def _fold(function: Value, start: Value, items: Value) -> Value:
    result = force(start)
    for item in _list(items):
        result = force(apply(apply(function, result), item))
    return result


def _get(name: Value, names: Value) -> Value:
    found = attributes(names)
    if _string(name) not in found:
        raise NixError(f"attribute '{_string(name)}' missing")
    return force(found[_string(name)])


def _pair(item: Value) -> tuple[str, Value]:
    found = attributes(item)
    return _string(_get("name", found)), found.get("value")


def _list_to_attrs(items: Value) -> dict[str, Value]:
    made: dict[str, Value] = {}
    for item in _list(items):
        name, value = _pair(item)
        made.setdefault(name, value)
    return made


def _map_attrs(function: Value, names: Value) -> dict[str, Value]:
    def one(name: str, value: Value) -> Thunk:
        return Thunk(lambda: apply(apply(function, name), value))

    return {name: one(name, value) for name, value in attributes(names).items()}


def _map(function: Value, items: Value) -> list[Value]:
    def one(item: Value) -> Thunk:
        return Thunk(lambda: apply(function, item))

    return [one(item) for item in _list(items)]


def _sort(compare: Value, items: Value) -> list[Value]:
    from functools import cmp_to_key

    def order(a: Value, b: Value) -> int:
        if truth(apply(apply(compare, a), b)):
            return -1
        return 1 if truth(apply(apply(compare, b), a)) else 0

    return sorted(_list(items), key=cmp_to_key(order))


def _replace(old: Value, new: Value, text: Value) -> str:
    pairs = {_string(a): _string(b) for a, b in reversed(list(zip(_list(old), _list(new), strict=True)))}
    if not pairs or "" in pairs:
        raise NixError("the embedded nix does not know replaceStrings with an empty string")
    ordered = [re.escape(_string(a)) for a in _list(old)]
    return re.sub("|".join(ordered), lambda found: pairs[found[0]], _string(text))


def plain(value: Value) -> Any:
    """A value as JSON would have it, everything in it evaluated."""
    value = force(value)
    if isinstance(value, dict):
        if "outPath" in value or "__toString" in value:
            return text_of(value)
        return {name: plain(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, Function | Builtin):
        raise NixError("cannot convert a function to JSON")
    return str(value) if isinstance(value, Path) else value


def _from_json(text: Value) -> Value:
    try:
        return json.loads(_string(text))
    except ValueError as wrong:
        raise NixError(f"cannot parse JSON: {wrong}") from wrong


def _throw(text: Value) -> Value:
    raise NixError(text_of(text))


def _try(value: Value) -> Value:
    try:
        return {"success": True, "value": force(value)}
    except NixError:
        return {"success": False, "value": False}


def _deep(value: Value, then: Value) -> Value:
    value = force(value)
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _deep(part, None)
    return force(then)


def _match(pattern: Value, text: Value) -> Value:
    found = re.fullmatch(_string(pattern), _string(text))
    return list(found.groups()) if found else None


def _arguments(function: Value) -> Value:
    function = force(function)
    formals = function.formals if isinstance(function, Function) else None
    return {name: default is not None for name, default in (formals[0] if formals else {}).items()}


def _substring(start: Value, length: Value, text: Value) -> str:
    whole, at, count = text_of(text), wanted(start, int, "an integer"), wanted(length, int, "an integer")
    return whole[at:] if count < 0 else whole[at : at + count]


def derivation(given: Value) -> Value:
    """The set of a derivation. Its paths follow from all that goes into its build; nothing is built here."""
    named = attributes(given)
    for needed in ("name", "builder", "system"):
        if needed not in named:
            raise NixError(f"required attribute '{needed}' missing")
    arguments = [text_of(item, loose=True) for item in _list(named.get("args", []))]
    environment = {
        name: text_of(value, loose=True) for name, value in named.items() if name != "args" and force(value) is not None
    }
    recipe = {"args": arguments, "env": environment}
    digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).digest()
    return {**named, "type": "derivation", "recipe": recipe, "digest": digest.hex()}


def _is(*classes: type) -> Callable[[Value], bool]:
    def look(value: Value) -> bool:
        value = force(value)
        return isinstance(value, classes) and (bool in classes or not isinstance(value, bool))

    return look


_PLAIN: dict[str, tuple[Callable[..., Value], int]] = {
    "abort": (_throw, 1),
    "all": (lambda f, items: all(truth(apply(f, item)) for item in _list(items)), 2),
    "any": (lambda f, items: any(truth(apply(f, item)) for item in _list(items)), 2),
    "attrNames": (lambda names: sorted(attributes(names)), 1),
    "attrValues": (lambda names: [value for _, value in sorted(attributes(names).items(), key=lambda p: p[0])], 1),
    "baseNameOf": (lambda value: text_of(value).rstrip("/").rpartition("/")[2], 1),
    "concatLists": (lambda lists: [item for part in _list(lists) for item in _list(part)], 1),
    "concatMap": (lambda f, items: [found for item in _list(items) for found in _list(apply(f, item))], 2),
    "concatStringsSep": (lambda glue, items: _string(glue).join(text_of(item) for item in _list(items)), 2),
    "deepSeq": (_deep, 2),
    "derivation": (derivation, 1),
    "dirOf": (lambda value: Path(text_of(value)).parent if isinstance(force(value), Path) else _dir(value), 1),
    "elem": (lambda item, items: any(equal(item, other) for other in _list(items)), 2),
    "elemAt": (_index, 2),
    "filter": (lambda f, items: [item for item in _list(items) if truth(apply(f, item))], 2),
    "foldl'": (_fold, 3),
    "fromJSON": (_from_json, 1),
    "functionArgs": (_arguments, 1),
    "genList": (lambda f, count: _map(f, list(range(wanted(count, int, "an integer")))), 2),
    "getAttr": (_get, 2),
    "hasAttr": (lambda name, names: _string(name) in attributes(names), 2),
    "hashString": (lambda kind, text: hashlib.new(_string(kind), _string(text).encode()).hexdigest(), 2),
    "head": (lambda items: _index(items, 0), 1),
    "intersectAttrs": (lambda a, b: {name: v for name, v in attributes(b).items() if name in attributes(a)}, 2),
    "isAttrs": (_is(dict), 1),
    "isBool": (_is(bool), 1),
    "isFloat": (_is(float), 1),
    "isFunction": (_is(Function, Builtin), 1),
    "isInt": (_is(int), 1),
    "isList": (_is(list), 1),
    "isNull": (_is(type(None)), 1),
    "isPath": (_is(Path), 1),
    "isString": (_is(str), 1),
    "length": (lambda items: len(_list(items)), 1),
    "lessThan": (lambda a, b: less(a, b), 2),
    "listToAttrs": (_list_to_attrs, 1),
    "map": (_map, 2),
    "mapAttrs": (_map_attrs, 2),
    "match": (_match, 2),
    "removeAttrs": (
        lambda names, gone: {n: v for n, v in attributes(names).items() if n not in {_string(g) for g in _list(gone)}},
        2,
    ),
    "replaceStrings": (_replace, 3),
    "seq": (lambda value, then: (force(value), force(then))[1], 2),
    "sort": (_sort, 2),
    "stringLength": (lambda text: len(text_of(text).encode()), 1),
    "substring": (_substring, 3),
    "tail": (lambda items: _list(items)[1:], 1),
    "throw": (_throw, 1),
    "toJSON": (lambda value: json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False), 1),
    "toString": (lambda value: text_of(value, loose=True), 1),
    "trace": (lambda _message, value: force(value), 2),
    "tryEval": (_try, 1),
    "typeOf": (lambda value: _type_of(force(value)), 1),
}
_TYPES = {type(None): "null", bool: "bool", int: "int", float: "float", str: "string", list: "list", dict: "set"}


def _type_of(value: Value) -> str:
    return "path" if isinstance(value, Path) else _TYPES.get(type(value), "lambda")


def _dir(value: Value) -> str:
    return text_of(value).rpartition("/")[0] or "."
