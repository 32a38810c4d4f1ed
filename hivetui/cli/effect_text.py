"""The effect of a proposal as text for people. Pure; every text of an agent passes through `safe`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hivetui.cli import render
from hivetui.engine.model.commits import short_hash
from hivetui.engine.model.effect import Effect, EffectState, OptionChange, UnitChange
from hivetui.engine.model.text import safe

_VALUE_CELLS = 200
_UNDEFINED = "(not defined)"


def show_effect(effect: Effect, number: int) -> list[str]:
    """The effect in paragraphs; what could not be evaluated comes first."""
    lines = ["", f"effect: {describe_state(effect, number)}"]
    if effect.failure is not None:
        lines += list(_failure(effect))
    if effect.derivation is None:
        return lines
    lines += list(_unknown(effect))
    lines += list(_system(effect))
    lines += list(_intent(effect))
    lines += list(_options(effect))
    lines += list(_packages(effect))
    lines += list(_units(effect))
    lines += _names("etc", (("+", effect.etc.added), ("-", effect.etc.removed), ("~", effect.etc.changed)))
    return [*lines, *_work(effect)]


def describe_state(effect: Effect, number: int) -> str:
    """How far it is known, in a line."""
    if effect.state is EffectState.NONE:
        return f"not known; find out with: hivetui preview {number}"
    if effect.state is EffectState.RUNNING:
        return f"being found out by operation {effect.operation}"
    if effect.state is EffectState.FAILED:
        return "it fails"
    if effect.state is EffectState.OUTDATED:
        moved = ", ".join(f"{safe(one.input)} {_rev(one.old)} → {_rev(one.new)}" for one in effect.moved)
        return f"OUTDATED, moved since: {moved}"
    if effect.changed is False:
        return "no effect: the agent has this very system"
    return "known"


def _rev(revision: str | None) -> str:
    return "(none)" if revision is None else safe(short_hash(revision))


def _failure(effect: Effect) -> Iterator[str]:
    failure = effect.failure
    assert failure is not None
    yield f"  failed in:  {failure.stage}{f', {safe(failure.phase)}' if failure.phase else ''}"
    if failure.derivation:
        yield f"  derivation: {safe(failure.derivation)}"
    if failure.file:
        yield f"  place:      {safe(failure.file)}:{failure.line}"
    yield f"  base:       {failure.base}"
    yield from (f"    {safe(line)}" for line in failure.lines)
    if failure.hint:
        yield f"  hint:       {safe(failure.hint)}"


def _unknown(effect: Effect) -> Iterator[str]:
    for one in effect.unknown:
        yield f"  !! UNKNOWN {safe(one.namespace)} ({one.side}): {safe(one.why)}"


def _system(effect: Effect) -> Iterator[str]:
    yield f"  derivation: {safe(effect.derivation or '-')}"
    yield f"  system:     {safe(effect.system or '-')}{'' if effect.changed else ' (the one it has)'}"
    if effect.drift:
        yield "  drift:      its base would be another system too: the base flake has moved since it was built"
    if effect.others:
        yield f"  !! OTHER AGENTS CHANGE TOO: {', '.join(map(safe, effect.others))}"


def _intent(effect: Effect) -> Iterator[str]:
    if effect.intent is None:
        return
    yield f"  intent:     {len(effect.intent.match)} as stated"
    yield from (f"    !! surplus: {safe(one)}" for one in effect.intent.surplus)
    yield from (f"    missing: {safe(one)}" for one in effect.intent.missing)


def _options(effect: Effect) -> Iterator[str]:
    if effect.options or effect.hidden_options:
        hidden = f" ({effect.hidden_options} internal or read-only ones not compared)" if effect.hidden_options else ""
        yield f"  options: {len(effect.options)}{hidden}"
    for option in effect.options:
        place = f"  {safe(option.file)}:{option.line}" if option.file else ""
        yield f"    {safe(option.option)}{place}{' (removed)' if option.side == 'old' else ''}"
        yield from _values(option)


def _values(option: OptionChange) -> Iterator[str]:
    if option.sha256 is not None:
        yield f"      not shown: {option.bytes} bytes, sha256 {option.sha256}"
        return
    yield f"      - {_value(option.old)}"
    yield f"      + {_value(option.new)}"


def _value(text: str | None) -> str:
    return _UNDEFINED if text is None else safe(text, _VALUE_CELLS)


def _packages(effect: Effect) -> Iterator[str]:
    packages = effect.packages
    rows = [f"    + {safe(one.name)} {safe(one.version)}{_size(one.bytes)}" for one in packages.added]
    rows += [f"    - {safe(one.name)} {safe(one.version)}{_size(one.bytes)}" for one in packages.removed]
    rows += [f"    ~ {safe(one.name)} {safe(one.old)} → {safe(one.new)}" for one in packages.changed]
    if rows:
        sizes = packages.bytes
        total = f" ({render.size(sizes.old)} → {render.size(sizes.new)})" if sizes.new is not None else ""
        yield f"  packages: {len(rows)}{total}"
        yield from rows


def _size(count: int | None) -> str:
    return "" if count is None else f" ({render.size(count)})"


def _units(effect: Effect) -> Iterator[str]:
    units = effect.units
    yield from _names("units", (("+", units.added), ("-", units.removed), ("~", [one.unit for one in units.changed])))
    for unit in units.changed:
        yield from _unit(unit)


def _unit(unit: UnitChange) -> Iterator[str]:
    if unit.exposure.new is not None:
        yield f"      {safe(unit.unit)} exposure {unit.exposure.old} → {unit.exposure.new}"
    for field in unit.fields:
        old, new = _value(field.old), _value(field.new)
        yield f"      {safe(unit.unit)} {safe(field.field)}: {old} → {new}"


def _names(title: str, groups: Iterable[tuple[str, Iterable[str]]]) -> list[str]:
    rows = [f"    {sign} {safe(name)}" for sign, names in groups for name in names]
    return [f"  {title}: {len(rows)}", *rows] if rows else []


def _work(effect: Effect) -> Iterator[str]:
    work = effect.work
    download = f", {render.size(work.download_bytes)} to download" if work.download_bytes else ""
    last = f"; the last one took {work.last_seconds:.0f} s" if work.last_seconds is not None else ""
    free = f"; {render.size(work.free_bytes)} free" if work.free_bytes is not None else ""
    yield f"  work: {len(work.build)} to build, {len(work.fetch)} to fetch{download}{last}{free}"
    if effect.restart.stops or effect.restart.starts:
        yield f"  restart: {len(effect.restart.stops)} units stop, {len(effect.restart.starts)} start"
