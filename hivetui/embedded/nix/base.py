"""The base flake of an embedded hive for the stand-in for nix: what base/flake.nix says, in Python.

A module is a path, a function or a set. Modules are merged as base/flake.nix merges them, and the options that it
names become a derivation with the same builder script. Both are tested to build the same systems.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

from hivetui.embedded.nix.builtins import Loader, concat_strings
from hivetui.embedded.nix.values import (
    Attributes,
    Builtin,
    Derivation,
    Function,
    NixError,
    Thunk,
    Value,
    apply,
    coerce,
    expect,
    expect_list,
    expect_set,
    force,
    is_number,
    position_of,
    to_string,
)

_SHIPPED = Path(__file__).parent.with_name("base")
_EARLIER = frozenset(
    (
        "dceba0f51c0906ae1897996061ecc07d0b250ac14b601fec300896807f365e9f",
        "9e9227b89b35ec47a42ec7907b4e094e276109837ec4cf1dde464744b94752f8",
    )
)
"""SHA-256 of the flake.nix of earlier versions, whose hives must still build: with package names, without phases."""
_NOT_OPTIONS = ("imports", "options", "_file", "key")
_HARNESS: Value = {"systemd": {"services": {"harness": {"description": "the agent's harness"}}}}


def is_base_flake(source: Path) -> bool:
    """Whether the flake in this tree is, byte for byte, the one that this module restates in Python."""
    flake = source / "flake.nix"
    if not flake.is_file() or not (source / "defaults.json").is_file():
        return False
    content = flake.read_bytes()
    return content == (_SHIPPED / "flake.nix").read_bytes() or hashlib.sha256(content).hexdigest() in _EARLIER


class BaseFlake:
    """The outputs of the base flake whose tree is at `source`."""

    def __init__(self, source: Path, loader: Loader) -> None:
        self._source, self._loader = source, loader
        self._defaults: dict[str, Any] = json.loads((source / "defaults.json").read_bytes())
        packages = source / "packages.json"
        self._packages: dict[str, str] = json.loads(
            (packages if packages.exists() else _SHIPPED / "packages.json").read_bytes()
        )

    def outputs(self) -> dict[str, Value]:
        """`nixosConfigurations` with the two systems that meta extends."""
        manager = {"networking": {"hostName": "hm1nd"}}
        systems = {"agent-base": self._system([_HARNESS]), "manager": self._system([_HARNESS, manager])}
        return {"nixosConfigurations": systems}

    def _system(self, modules: list[Value]) -> dict[str, Value]:
        config = Thunk(lambda: _merge_all([self._load_module(config, module, ()) for module in modules]))
        toplevel = Thunk(lambda: derivation(expect_set(config), self._defaults))

        def extend(more: Value) -> Value:
            return self._system([*modules, *expect_list(expect_set(more).get("modules"))])

        return {
            "config": Thunk(lambda: {**expect_set(config), "system": {"build": {"toplevel": toplevel}}}),
            "extendModules": Builtin(extend, 1),
        }

    def _load_module(self, config: Thunk, module: Value, importers: tuple[Path, ...]) -> Value:
        """The configuration of one module, merged with that of its imports, which come first.

        An error without a place is about the module itself, and gets the place where that is imported.
        """
        self._loader.limits.step()
        try:
            return self._read_module(config, module, importers)
        except NixError as failure:
            failure.position = failure.position or position_of(module)
            raise

    def _read_module(self, config: Thunk, module: Value, importers: tuple[Path, ...]) -> Value:
        value = force(module)
        if not isinstance(value, dict | Function | Builtin):
            path = Path(os.path.normpath(coerce(module)))
            if path in importers:
                cycle = " -> ".join(file.name for file in (*importers, path))
                raise NixError(f"infinite recursion encountered: modules import each other ({cycle})")
            importers, value = (*importers, path), self._loader.load(path)
        if isinstance(value, Function | Builtin):
            arguments = {"config": config, "lib": _LIB, "pkgs": self._packages, "modulesPath": self._source}
            value = apply(value, arguments)
        attributes = expect_set(value)
        own = attributes.get("config", {name: v for name, v in attributes.items() if name not in _NOT_OPTIONS})
        imports = expect_list(attributes.get("imports", []))
        return _merge_all([*(self._load_module(config, imported, importers) for imported in imports), own])


def _merge(left: Value, right: Value) -> Value:
    """Sets are merged by name and lists are joined; of other values the later one counts."""
    left, right = force(left), force(right)
    if isinstance(left, dict) and isinstance(right, dict):
        merged = dict(left)
        for name, value in right.items():
            merged[name] = _merge_later(left[name], value) if name in left else value
        return merged
    return left + right if isinstance(left, list) and isinstance(right, list) else right


def _merge_later(left: Value, right: Value) -> Thunk:
    find_position = right.find_position if isinstance(right, Thunk | Attributes) else None
    return Thunk(lambda: _merge(left, right), find_position)


def _merge_all(values: list[Value]) -> Value:
    return reduce(_merge, values, {})


def _optional(empty: Value) -> Callable[[Value, Value], Value]:
    return lambda condition, value: force(value) if expect(condition, bool) else empty


_LIB: dict[str, Value] = {
    "mkDefault": Builtin(force, 1),
    "mkForce": Builtin(force, 1),
    "mkIf": Builtin(_optional({}), 2),
    "mkMerge": Builtin(lambda values: _merge_all(expect_list(values)), 1),
    "optional": Builtin(lambda condition, value: [value] if expect(condition, bool) else [], 2),
    "optionals": Builtin(_optional([]), 2),
    "optionalString": Builtin(_optional(""), 2),
    "concatStringsSep": Builtin(concat_strings, 2),
}


# The derivation of a system


_INIT = "printf '#!/bin/sh\\n# The embedded host starts its own agent process on this system.\\n'" + ' > "$out/init"\n'


def derivation(config: dict[str, Value], defaults: dict[str, Any]) -> Derivation:
    """The system of a merged configuration."""
    host = coerce(_option(config, "networking", "hostName", default="agent"))
    lab: dict[str, Value] = defaults | expect_set(config.get("lab", {}))
    return Derivation(
        arguments=("-c", _script(config, lab, host)),
        environment={
            "PATH": "/usr/bin:/bin:/run/current-system/sw/bin",
            "builder": "/bin/sh",
            "name": f"nixos-system-{host}-embedded",
            "system": str(defaults["system"]),
        },
    )


def _option(config: Value, *names: str, default: Value) -> Value:
    """The value of an option, which may be a thunk, or the default where it is not set."""
    for name in names:
        config = force(config)
        if not isinstance(config, dict) or name not in config:
            return default
        config = config[name]
    return config


def _script(config: dict[str, Value], lab: dict[str, Value], host: str) -> str:
    variables = expect_set(_option(config, "systemd", "globalEnvironment", default={})) | expect_set(
        _option(config, "environment", "variables", default={})
    )
    packages = expect_list(_option(config, "environment", "systemPackages", default=[]))
    etc = expect_set(_option(config, "environment", "etc", default={}))
    services = expect_set(_option(config, "systemd", "services", default={}))
    fails = f"printf '%s\\n' {_quote(lab['fail'])} >&2; exit 1" if "fail" in lab else ""
    return "".join(
        (
            f'set -eu\necho "building the system of {host}"\n',
            "for part in environment units etc packages init; do\n",
            'echo "@nix {\\"action\\":\\"setPhase\\",\\"phase\\":\\"$part\\"}"\n',
            f'  echo "making $part"\n  sleep {_pause(lab["buildSeconds"])}\ndone\n{fails}\n',
            'mkdir -p "$out/etc" "$out/units" "$out/sw"\n',
            _write_file("env", _lines(_assignments(variables))),
            _write_file("sw/packages", _lines([to_string(package) for package in packages])),
            _write_file("talk-seconds", to_string(lab["talkSeconds"])),
            *(_write_file(f"etc/{name}", _option(etc[name], "text", default="")) for name in sorted(etc)),
            *(_write_unit(name, services[name]) for name in sorted(services)),
            _write_file("exit-seconds", to_string(lab["exitSeconds"])) if "exitSeconds" in lab else "",
            'touch "$out/broken"\n' if expect(lab.get("broken", False), bool) else "",
            _INIT,
            f'echo "the system of {host} is built"\n',
        )
    )


def _pause(build_seconds: Value) -> str:
    """The seconds between the five messages of a build."""
    seconds = force(build_seconds)
    if not is_number(seconds):
        raise NixError("lab.buildSeconds is not a number", position_of(build_seconds))
    return to_string(seconds / 5.0)


def _write_unit(name: str, service: Value) -> str:
    environment = expect_set(_option(service, "environment", default={}))
    unit = [
        "[Unit]",
        f"Description={coerce(_option(service, 'description', default=name))}",
        "[Service]",
        *(f'Environment="{assignment}"' for assignment in _assignments(environment)),
        f"ExecStart=/bin/sh /etc/hive-units/{name}.sh",
    ]
    script = _option(service, "script", default="true")
    return _write_file(f"units/{name}.service", _lines(unit)) + _write_file(f"units/{name}.sh", script)


def _assignments(variables: dict[str, Value]) -> list[str]:
    return [f"{name}={to_string(variables[name])}" for name in sorted(variables)]


def _lines(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _write_file(path: str, text: Value) -> str:
    """Shell commands that write a file of the system."""
    quoted = _quote(path)
    return f'mkdir -p "$(dirname "$out"/{quoted})"\nprintf %s {_quote(text)} > "$out"/{quoted}\n'


def _quote(text: Value) -> str:
    """A word of the shell."""
    return "'" + str(expect(text, str)).replace("'", "'\\''") + "'"
