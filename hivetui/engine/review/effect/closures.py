"""The packages of two built systems with their sizes, by their closures. The parsing is pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from hivetui.engine.host.host import Command, Host
from hivetui.engine.model.effect import ByteCounts, PackageChanges
from hivetui.engine.nix import evaluation
from hivetui.engine.nix.evaluation import Evaluator
from hivetui.engine.review.effect.systems import compare_packages

_NAME = re.compile(r"/[0-9a-z]{32}-([A-Za-z0-9+._?=-]+)$", re.ASCII)
_MAX_OUTPUT = 64 << 20


async def compare_closures(host: Host, who: Evaluator, old: Path, new: Path) -> PackageChanges | None:
    """What the closure of `new` has in place of that of `old`; None unless both are known."""
    before, after = [await _closure(host, who, system) for system in (old, new)]
    if before is None or after is None:
        return None
    sizes = _by_name(before) | _by_name(after)
    found = compare_packages(_names(before.keys() - after.keys()), _names(after.keys() - before.keys()), sizes)
    return found.model_copy(update={"bytes": ByteCounts(old=sum(before.values()), new=sum(after.values()))})


async def _closure(host: Host, who: Evaluator, system: Path) -> dict[str, int] | None:
    words = (*who.prefix, *host.tools.nix, "path-info", "--recursive", "--json", str(system))
    command = Command(words, env=who.environment, timeout=evaluation.QUERY_TIMEOUT, keep=_MAX_OUTPUT)
    completed = await host.runner.run(command, _ignore)
    return parse_closure(completed.stdout) if completed.status == 0 else None


def _ignore(_stream: str, _text: str, _cut: int) -> None:
    """The output is parsed as a whole."""


def parse_closure(output: bytes) -> dict[str, int] | None:
    """The size of each path; before nix 2.19 the paths are a list, since then the keys of an object."""
    try:
        content = json.loads(output)
        rows = content.items() if isinstance(content, dict) else ((row["path"], row) for row in content)
        return {str(path): int(row["narSize"]) for path, row in rows}
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def _names(paths: Iterable[str]) -> list[str]:
    return [match[1] for path in paths if (match := _NAME.search(path))]


def _by_name(closure: Mapping[str, int]) -> dict[str, int]:
    return {match[1]: size for path, size in closure.items() if (match := _NAME.search(path))}
