"""What of an exported picture is kept: the same picture in fewer bytes, that asks no other host for a font."""

from __future__ import annotations

import re

CELL = 12.2
"""The width of a cell in Rich's pictures."""
_NOTHING_LOST = (
    (re.compile(r"\s*<!--.*?-->", re.DOTALL), ""),
    (re.compile(r"@font-face\s*\{[^}]*\}\s*"), ""),
    (re.compile(r"font-family: Fira Code, monospace"), "font-family: monospace"),
    (re.compile(r'\s*<clipPath id="terminal(?:-\d+)?-line-\d+">.*?</clipPath>', re.DOTALL), ""),
    (re.compile(r' clip-path="url\(#terminal(?:-\d+)?-line-\d+\)"'), ""),
    (re.compile(r"\bterminal-\d+-"), "terminal-"),
    (re.compile(r'<text [^>]*textLength="12\.2">\n</text>'), ""),
    (re.compile(r' shape-rendering="crispEdges"'), ""),
    (re.compile("&#160;"), "\N{NO-BREAK SPACE}"),
    (re.compile(r">\s+<"), ">\n<"),
    (re.compile(r"/><rect"), "/>\n<rect"),
    (re.compile(r"</text><text"), "</text>\n<text"),
)
_BOX = re.compile(r'<rect fill="([^"]+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="24\.65"/>\n')
_BLANKS_AT_END = re.compile(r'textLength="([\d.]+)">([^<]*?)(\N{NO-BREAK SPACE}+)</text>')


def compact(svg: str) -> str:
    """The picture without what Rich adds for browsers only; what is compact already stays as it is."""
    for pattern, kept in _NOTHING_LOST:
        svg = pattern.sub(kept, svg)
    return _BLANKS_AT_END.sub(_without_blanks, _joined(svg))


def _without_blanks(found: re.Match[str]) -> str:
    length = float(found[1]) - CELL * len(found[3])
    return f'textLength="{length:.1f}">{found[2]}</text>' if found[2] else found[0]


def _joined(svg: str) -> str:
    """Backgrounds of one colour that stand side by side as one."""
    parts: list[str] = []
    end = 0
    box: tuple[str, float, str, float] | None = None
    for found in _BOX.finditer(svg):
        fill, x, y, width = found[1], float(found[2]), found[3], float(found[4])
        touches = box is not None and found.start() == end and (box[0], box[2]) == (fill, y)
        if box is not None and touches and abs(box[1] + box[3] - x) < 1:
            box = (fill, box[1], y, box[3] + width)
        else:
            parts += [_drawn(box), svg[end : found.start()]]
            box = (fill, x, y, width)
        end = found.end()
    return "".join([*parts, _drawn(box), svg[end:]])


def _drawn(box: tuple[str, float, str, float] | None) -> str:
    if box is None:
        return ""
    fill, x, y, width = box
    return f'<rect fill="{fill}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="24.65"/>\n'
