"""Settings that were read from Nix modules, and the place in a module where a walk is. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from hivetui.engine.review.findings.nix_scope import Names, Spot


@dataclass(frozen=True)
class Setting:
    """One option that is set, or one element of a list.

    `spots` are where it and its value stand, the option first. `context` are the conditions and priorities around it,
    as text. `known` says that the value is a constant.
    """

    path: Names
    value: str
    known: bool
    spots: tuple[Spot, ...]
    context: tuple[str, ...] = ()


@dataclass
class Options:
    """What was read: the settings; the files that were read and those that the system is made of (`reached`); and
    of some files why they were not read.

    `is_open` says that a module is imported by a path that is not a constant, so that any file may be one.
    """

    settings: list[Setting] = field(default_factory=list)
    files: set[str] = field(default_factory=set)
    reached: frozenset[str] = frozenset()
    unread: dict[str, str] = field(default_factory=dict)
    is_open: bool = False


class Place(NamedTuple):
    """Where the walk is: the attribute path, where the option stands and what led there, conditions, and the depth."""

    path: Names = ()
    spot: Spot | None = None
    context: tuple[str, ...] = ()
    spots: tuple[Spot, ...] = ()
    depth: int = 0
    in_flake: bool = False
    is_module: bool = True

    def below(self) -> Place:
        """The same place, one expression deeper."""
        return self._replace(depth=self.depth + 1)

    def at(self, names: Names, where: Spot | None = None) -> Place:
        """The place of an attribute below this one, which is set at `where`."""
        path = (*self.path, *names)
        moved = self._replace(path=path if self.in_flake and path[:1] != ("outputs",) else _canonical(path))
        if where is None:
            return moved
        return moved._replace(spot=where, spots=(self.spot, *self.spots) if self.spot else self.spots)


def _canonical(path: Names) -> Names:
    """The option that a path sets: without `config`, and without the name of a specialisation."""
    while path:
        if path[0] in ("config", "outputs"):
            path = path[1:]
        elif path[0] == "specialisation" and path[2:3] == ("configuration",):
            path = path[3:]
        else:
            return path
    return path


def resolve(source: str, text: str) -> str | None:
    """The path in the tree that `text` names in the file `source`; None if it leads out of the tree."""
    if text.startswith(("/", "<", "~")) or "://" in text:
        return None
    parts: list[str] = []
    for part in (*PurePosixPath(source).parent.parts, *text.split("/")):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def flatten(content: Any, depth: int) -> Iterator[tuple[Names, Any]]:
    """The leaves of a value from JSON or TOML, each with its path; `depth` bounds how deep it may nest."""
    if isinstance(content, dict) and content and depth < 60:
        for key, value in content.items():
            yield from (((str(key), *below), leaf) for below, leaf in flatten(value, depth + 1))
    elif isinstance(content, list) and content and depth < 60:
        for value in content:
            yield from flatten(value, depth + 1)
    else:
        yield (), content
