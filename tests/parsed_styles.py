"""Style sheets that are parsed once for all apps of a test process: Textual parses those of every widget for each app.

It takes a tenth of a second, more than most tests of a widget. Benches do not share them: they measure a first start.
"""

from __future__ import annotations

from typing import Any

from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

_parse = Stylesheet._parse_rules
_known: dict[tuple[object, ...], list[RuleSet]] = {}


def _parse_once(sheet: Stylesheet, css: str, *place: Any, **kind: Any) -> list[RuleSet]:
    """The rules of a sheet, which depend on its text, its place and the colours of the theme, and never change."""
    key = (css, place, tuple(kind.items()), tuple(sheet._variables.items()))
    if key not in _known:
        _known[key] = _parse(sheet, css, *place, **kind)
    return _known[key]


def share_parsed_styles() -> None:
    """Let all apps of this process share them from now on."""
    Stylesheet._parse_rules = _parse_once  # type: ignore[method-assign,assignment]
