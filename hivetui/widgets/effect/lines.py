"""The effect of a proposal in lines, for the console and for verbs. Pure.

Every text of an agent passes through `safe`. What could not be evaluated comes first, and nothing is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from hivetui.engine.model.commits import short_hash
from hivetui.engine.model.effect import Effect, EffectState, OptionChange, UnitChange
from hivetui.engine.model.text import safe
from hivetui.widgets import wording

Tone = Literal["", "head", "good", "bad", "warn", "dim"]
_UNDEFINED = "(not defined)"


class EffectLine(NamedTuple):
    """One line, safe to show; `tone` says how it is meant."""

    text: str
    tone: Tone = ""


def describe_state(effect: Effect, advice: str = "") -> EffectLine:
    """How far an effect is known, in a line; `advice` says how an unknown one is found out, "" if it cannot be."""
    if effect.state is EffectState.NONE:
        return EffectLine("; ".join(filter(None, ("not known", advice))), "dim")
    if effect.state is EffectState.RUNNING:
        return EffectLine(f"being found out by operation {effect.operation}", "dim")
    if effect.state is EffectState.FAILED:
        return EffectLine("it fails", "bad")
    if effect.state is EffectState.OUTDATED:
        moved = ", ".join(f"{safe(one.input)} {_revision(one.old)} → {_revision(one.new)}" for one in effect.moved)
        return EffectLine(f"OUTDATED, moved since: {moved}", "warn")
    if effect.changed is False:
        return EffectLine("no effect: the agent has this very system", "good")
    return EffectLine("known", "good")


def describe_effect(effect: Effect, advice: str = "") -> list[EffectLine]:
    """All that is known, in paragraphs; `advice` as in `describe_state`."""
    state = describe_state(effect, advice)
    lines = [EffectLine(f"effect: {state.text}", state.tone)]
    if effect.failure is not None:
        lines += _failure(effect)
    if effect.derivation is None:
        return lines
    parts = (_unknown, _system, _intent, _options, _packages, _units, _etc, _work)
    return [*lines, *(line for part in parts for line in part(effect))]


def _revision(revision: str | None) -> str:
    return "(none)" if revision is None else safe(short_hash(revision))


def _failure(effect: Effect) -> Iterator[EffectLine]:
    failure = effect.failure
    assert failure is not None
    yield EffectLine(f"  failed in:  {failure.stage}{f', {safe(failure.phase)}' if failure.phase else ''}", "bad")
    if failure.derivation:
        yield EffectLine(f"  derivation: {safe(failure.derivation)}")
    if failure.file:
        yield EffectLine(f"  place:      {safe(failure.file)}:{failure.line}")
    yield EffectLine(f"  base:       {failure.base}")
    yield from (EffectLine(f"    {safe(line)}") for line in failure.lines)
    if failure.hint:
        yield EffectLine(f"  hint:       {safe(failure.hint)}", "warn")


def _unknown(effect: Effect) -> Iterator[EffectLine]:
    for one in effect.unknown:
        yield EffectLine(f"  !! UNKNOWN {safe(one.namespace)} ({one.side}): {safe(one.why)}", "bad")


def _system(effect: Effect) -> Iterator[EffectLine]:
    yield EffectLine(f"  derivation: {safe(effect.derivation or '-')}", "dim")
    yield EffectLine(
        f"  system:     {safe(effect.system or '-')}{'' if effect.changed else ' (the one it has)'}", "dim"
    )
    if effect.drift:
        text = "its base would be another system too: the base flake has moved since it was built"
        yield EffectLine(f"  drift:      {text}", "warn")
    if effect.others:
        yield EffectLine(f"  !! OTHER AGENTS CHANGE TOO: {', '.join(map(safe, effect.others))}", "bad")


def _intent(effect: Effect) -> Iterator[EffectLine]:
    if effect.intent is None:
        return
    yield EffectLine(f"  intent:     {len(effect.intent.match)} as stated", "head")
    yield from (EffectLine(f"    !! surplus: {safe(one)}", "bad") for one in effect.intent.surplus)
    yield from (EffectLine(f"    missing: {safe(one)}", "warn") for one in effect.intent.missing)


def _options(effect: Effect) -> Iterator[EffectLine]:
    if effect.options or effect.hidden_options:
        hidden = f" ({effect.hidden_options} internal or read-only ones not compared)" if effect.hidden_options else ""
        yield EffectLine(f"  options: {len(effect.options)}{hidden}", "head")
    for option in effect.options:
        place = f"  {place_of(option)}" if option.file else ""
        yield EffectLine(f"    {safe(option.option)}{place}")
        yield from _values(option)


def place_of(option: OptionChange) -> str:
    """Where an option is set; "" if that is not known."""
    removed = " (removed)" if option.side == "old" else ""
    return f"{safe(option.file)}:{option.line}{removed}" if option.file else ""


def _values(option: OptionChange) -> Iterator[EffectLine]:
    if option.sha256 is not None:
        yield EffectLine(f"      not shown: {option.bytes} bytes, sha256 {option.sha256}", "warn")
        return
    yield EffectLine(f"      - {_value(option.old)}", "bad")
    yield EffectLine(f"      + {_value(option.new)}", "good")


def _value(text: str | None) -> str:
    return _UNDEFINED if text is None else safe(text)


def _packages(effect: Effect) -> Iterator[EffectLine]:
    packages = effect.packages
    rows = [EffectLine(f"    + {_package(one.name, one.version, one.bytes)}", "good") for one in packages.added]
    rows += [EffectLine(f"    - {_package(one.name, one.version, one.bytes)}", "bad") for one in packages.removed]
    rows += [
        EffectLine(f"    ~ {_package(one.name, f'{one.old} → {one.new}', one.bytes)}", "warn")
        for one in packages.changed
    ]
    if rows:
        sizes = packages.bytes
        old, new = wording.format_size(sizes.old), wording.format_size(sizes.new)
        yield EffectLine(f"  packages: {len(rows)}{f' ({old} → {new})' if sizes.new is not None else ''}", "head")
        yield from rows


def _package(name: str, version: str, size: int | None) -> str:
    return f"{safe(name)} {safe(version)}{'' if size is None else f' ({wording.format_size(size)})'}"


def _units(effect: Effect) -> Iterator[EffectLine]:
    units = effect.units
    yield from _names("units", units.added, units.removed, [one.unit for one in units.changed])
    for unit in units.changed:
        yield from _unit(unit)


def _unit(unit: UnitChange) -> Iterator[EffectLine]:
    if unit.exposure.new is not None:
        yield EffectLine(f"      {safe(unit.unit)} exposure {unit.exposure.old} → {unit.exposure.new}")
    for field in unit.fields:
        yield EffectLine(f"      {safe(unit.unit)} {safe(field.field)}: {_value(field.old)} → {_value(field.new)}")


def _etc(effect: Effect) -> Iterator[EffectLine]:
    yield from _names("etc", effect.etc.added, effect.etc.removed, effect.etc.changed)


def _names(title: str, added: Iterable[str], removed: Iterable[str], changed: Iterable[str]) -> Iterator[EffectLine]:
    rows = [EffectLine(f"    + {safe(name)}", "good") for name in added]
    rows += [EffectLine(f"    - {safe(name)}", "bad") for name in removed]
    rows += [EffectLine(f"    ~ {safe(name)}", "warn") for name in changed]
    if rows:
        yield EffectLine(f"  {title}: {len(rows)}", "head")
        yield from rows


def _work(effect: Effect) -> Iterator[EffectLine]:
    work = effect.work
    download = f", {wording.format_size(work.download_bytes)} to download" if work.download_bytes else ""
    last = f"; the last one took {work.last_seconds:.0f} s" if work.last_seconds is not None else ""
    free = f"; {wording.format_size(work.free_bytes)} free" if work.free_bytes is not None else ""
    yield EffectLine(f"  work: {len(work.build)} to build, {len(work.fetch)} to fetch{download}{last}{free}")
    yield from (EffectLine(f"    build {safe(name)}", "dim") for name in work.build)
    yield from (EffectLine(f"    fetch {safe(name)}", "dim") for name in work.fetch)
    if effect.restart.stops or effect.restart.starts:
        yield EffectLine(
            f"  restart: units that stop: {len(effect.restart.stops)}, start: {len(effect.restart.starts)}"
        )
