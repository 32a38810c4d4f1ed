"""What a proposal says that it does, beside what it does. Pure.

A message says it in trailers, one kind each: `Intent: packages jq ripgrep`, `Intent: ports 8080`, `Intent: units
report.service`, `Intent: options services.foo`. An option covers what is below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from hivetui.engine.model.effect import Effect, Intent, OptionChange

KINDS = ("packages", "ports", "units", "options")
_TRAILER = re.compile(rf"^Intent:[ \t]+({'|'.join(KINDS)})[ \t]+(\S.*?)[ \t\r]*$", re.MULTILINE)
_SUFFIX = re.compile(r"\.(service|timer|socket|target|path|mount|slice)$")
_PORT_LISTS = re.compile(r"^networking\.firewall\.(.*\.)?allowed(TCP|UDP)Ports$")
_PORT = re.compile(r"(^|\.)(port|listenPort|httpPort|http_port)$")
_NUMBER = re.compile(r"(?<![\w.])[0-9]{1,5}(?![\w.])")
_UNIT_OPTION = re.compile(r"^systemd\.(services|timers|sockets|paths|targets)\.(\"[^\"]*\"|[^.]+)(\.|$)")
_PACKAGES = "environment.systemPackages"
_FIREWALL = "networking.firewall"
Item = tuple[str, str]
"""A kind and a name."""


def parse_trailers(messages: Iterable[str]) -> list[Item]:
    """What the trailers of the messages state, each once."""
    found = (
        (match[1], name)
        for message in messages
        for match in _TRAILER.finditer(message)
        for name in re.split(r"[,\s]+", match[2])
        if name
    )
    return list(dict.fromkeys(found))


def compare_intent(stated: Sequence[Item], effect: Effect) -> Intent | None:
    """What was stated and happens, what happens besides, and what was stated and does not; None if nothing was."""
    if not stated:
        return None
    facts = list(dict.fromkeys(_facts(effect)))
    covered = {fact: [one for one in stated if _covers(one, fact)] for fact in facts}
    matched = {one for group in covered.values() for one in group}
    matched |= {one for one in stated if one[0] == "options" and _changes(one[1], effect.options)}
    return Intent(
        match=tuple(_text(one) for one in stated if one in matched),
        surplus=tuple(_text(fact) for fact in facts if not covered[fact]),
        missing=tuple(_text(one) for one in stated if one not in matched),
    )


def _text(item: Item) -> str:
    return f"{item[0]} {item[1]}"


def _facts(effect: Effect) -> Iterable[Item]:
    """What the effect does, each thing told once, by the kind that says most of it."""
    yield from (("packages", name) for name in _package_names(effect))
    units = [*effect.units.added, *effect.units.removed, *(one.unit for one in effect.units.changed)]
    yield from (("units", name) for name in units)
    for option in effect.options:
        ports = sorted(_ports(option), key=int)
        yield from (("ports", port) for port in ports)
        follows = bool(ports) or _follows(option.option, units, bool(_package_names(effect)))
        if not follows:
            yield "options", option.option


def _package_names(effect: Effect) -> list[str]:
    packages = effect.packages
    moved = [one.name for one in (*packages.added, *packages.removed)]
    return [*moved, *(one.name for one in packages.changed)]


def _follows(option: str, units: Sequence[str], has_packages: bool) -> bool:
    """Whether a changed option says no more than a package or a unit that is told by itself."""
    if option == _PACKAGES:
        return has_packages
    match = _UNIT_OPTION.match(option)
    return match is not None and any(_unit_name(unit) == match[2].strip('"') for unit in units)


def _ports(option: OptionChange) -> set[str]:
    """The ports that an option opens or closes."""
    if not (_PORT_LISTS.search(option.option) or _PORT.search(option.option)):
        return set()
    old, new = (set(_NUMBER.findall(value or "")) for value in (option.old, option.new))
    return old ^ new


def _unit_name(unit: str) -> str:
    return _SUFFIX.sub("", unit)


def _covers(stated: Item, fact: Item) -> bool:
    kind, name = stated
    if kind == fact[0] == "units":
        return name == fact[1] or (_SUFFIX.search(name) is None and name == _unit_name(fact[1]))
    if kind == "options":
        return _is_below(_option_of(fact), name)
    return stated == fact


def _option_of(fact: Item) -> str:
    """The option that a fact is about."""
    kind, name = fact
    if kind == "units":
        suffix = _SUFFIX.search(name)
        return f"systemd.{suffix[1] if suffix else 'service'}s.{_unit_name(name)}"
    return {"packages": _PACKAGES, "ports": _FIREWALL}.get(kind, name)


def _is_below(option: str, stated: str) -> bool:
    return option == stated or option.startswith(f"{stated}.")


def _changes(stated: str, options: Iterable[OptionChange]) -> bool:
    return any(_is_below(one.option, stated) for one in options)
