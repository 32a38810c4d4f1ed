"""Packages, units, /etc and what a restart does, from what compare.nix reports of both systems. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hivetui.engine.model.effect import (
    EtcChanges,
    FieldChange,
    Package,
    PackageChange,
    PackageChanges,
    Restart,
    UnitChange,
    UnitChanges,
)
from hivetui.engine.review.effect import notation

_MAX_NAMES = 2000
_VERSION = re.compile(r"-(?=[0-9])")


def parse_package(name: str) -> tuple[str, str]:
    """Name and version, as `builtins.parseDrvName`: the version begins after the first dash before a digit."""
    match = _VERSION.search(name)
    return (name[: match.start()], name[match.end() :]) if match else (name, "")


def package_names(encoded: Iterable[Any]) -> list[str]:
    """The names of `environment.systemPackages`: strings, where packages are only names, or derivations."""
    return [str(one[1]) for one in encoded if isinstance(one, list) and one[:1] in (["s"], ["d"])]


def are_built(encoded: Iterable[Any]) -> bool:
    """Whether packages are derivations, so that they are in the closure of a system; elsewhere they are only names."""
    return any(isinstance(one, list) and one[:1] == ["d"] for one in encoded)


def compare_packages(old: Iterable[str], new: Iterable[str], sizes: Mapping[str, int] | None = None) -> PackageChanges:
    """The packages by name that only one side has, and those with another version; `sizes` are bytes by full name."""
    before, after = _versions(old), _versions(new)
    sizes = sizes or {}
    added, removed, changed = [], [], []
    for name in sorted({*before, *after}):
        gone, came = before.get(name, Counter()) - after.get(name, Counter()), Counter(after.get(name))
        came -= before.get(name, Counter())
        olds, news = sorted(gone.elements()), sorted(came.elements())
        for before_version, after_version in zip(olds, news, strict=False):
            growth = _difference(sizes, _full(name, before_version), _full(name, after_version))
            changed.append(PackageChange(name=name, old=before_version, new=after_version, bytes=growth))
        added += [_package(name, version, sizes) for version in news[len(olds) :]]
        removed += [_package(name, version, sizes) for version in olds[len(news) :]]
    return PackageChanges(
        added=tuple(added[:_MAX_NAMES]), removed=tuple(removed[:_MAX_NAMES]), changed=tuple(changed[:_MAX_NAMES])
    )


def _versions(names: Iterable[str]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for name, version in map(parse_package, sorted(set(names))):
        found.setdefault(name, Counter())[version] += 1
    return found


def _full(name: str, version: str) -> str:
    return f"{name}-{version}" if version else name


def _package(name: str, version: str, sizes: Mapping[str, int]) -> Package:
    return Package(name=name, version=version, bytes=sizes.get(_full(name, version)))


def _difference(sizes: Mapping[str, int], old: str, new: str) -> int | None:
    return sizes[new] - sizes[old] if old in sizes and new in sizes else None


# Units


def unit_fields(encoded: Any) -> dict[str, str]:
    """The fields of a unit: of its text as "Section.Name", or of the options that it is made of."""
    if isinstance(encoded, list) and encoded[:1] == ["s"]:
        return dict(_parse_unit(str(encoded[1])))
    if isinstance(encoded, list) and encoded[:1] == ["a"]:
        return dict(_flatten(encoded, ()))
    return {} if encoded in (None, ["n"]) else {"": notation.render(encoded)}


def _parse_unit(text: str) -> Iterator[tuple[str, str]]:
    """The assignments of a unit; one that is repeated has the lines of all."""
    section = ""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif line and line[0] not in "#;":
            name, _, value = line.partition("=")
            key = f"{section}.{name.strip()}"
            fields[key] = f"{fields[key]}\n{value.strip()}" if key in fields else value.strip()
    yield from fields.items()


def _flatten(encoded: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if encoded[:1] == ["a"] and encoded[1]:
        for name, value in sorted(encoded[1].items()):
            yield from _flatten(value, (*path, name))
    elif encoded[:1] == ["s"]:
        yield ".".join(path), str(encoded[1])
    else:
        yield ".".join(path), notation.render(encoded)


def compare_units(old: Mapping[str, Any], new: Mapping[str, Any]) -> UnitChanges:
    """The units that only one side has, and those with other fields."""
    both = sorted(set(old) & set(new))
    pairs = ((name, unit_fields(old[name]), unit_fields(new[name])) for name in both)
    changed = tuple(
        UnitChange(unit=name, fields=tuple(_compare_fields(before, after)))
        for name, before, after in pairs
        if before != after
    )
    return UnitChanges(
        added=tuple(sorted(set(new) - set(old))), removed=tuple(sorted(set(old) - set(new))), changed=changed
    )


def _compare_fields(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[FieldChange]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield FieldChange(field=name, old=old.get(name), new=new.get(name))


def unit_text(encoded: Any) -> str:
    """A unit as systemd reads it; of one that is known by its options, what can be said of it."""
    if isinstance(encoded, list) and encoded[:1] == ["s"]:
        return str(encoded[1])
    fields = unit_fields(encoded)
    lines = ["[Unit]", f"Description={fields.get('description', '')}", "[Service]", "ExecStart=/bin/sh"]
    config = "serviceConfig."
    lines += [f"{name.removeprefix(config)}={value}" for name, value in fields.items() if name.startswith(config)]
    return "".join(f"{line}\n" for line in lines)


def compare_etc(old: Mapping[str, Any], new: Mapping[str, Any]) -> EtcChanges:
    """The files below /etc that only one side has, and those with another content."""
    both = set(old) & set(new)
    return EtcChanges(
        added=tuple(sorted(set(new) - set(old))),
        removed=tuple(sorted(set(old) - set(new))),
        changed=tuple(sorted(name for name in both if old[name] != new[name])),
    )


def restart(old: Mapping[str, Any], new: Mapping[str, Any], is_changed: bool) -> Restart:
    """All units of the old system stop and all of the new one start, since a container is restarted as a whole."""
    return Restart(stops=tuple(sorted(old)), starts=tuple(sorted(new))) if is_changed else Restart()
