"""Hostile text to shown text: what an agent wrote, as something that a terminal can be given. Pure.

Whatever shows text from outside passes it through here first, one line at a time. Nothing is dropped: what cannot be
shown as itself becomes a token that names it, `‹U+202E›`, or `‹\\x80›` for a byte that is no UTF-8. Text that contains
the letters of a token on its own looks like one; that frightens, and hides nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache

MOST_MARKS = 4  # combining marks on one letter; more than any living orthography stacks
_CUT = "…"
_ZERO_WIDTH = ("Mn", "Me")
_PRINTABLE_YET_INVISIBLE = frozenset(
    # Default_Ignorable_Code_Point (Unicode, DerivedCoreProperties.txt) where str.isprintable() is true, and a blank.
    (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2800, 0x3164, 0xFFA0)
).union(range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
Style = tuple[int, ...]
"""SGR codes in force (ECMA-48, 8.3.117): at most one each of weights and colours, ascending; () is plain."""
_WEIGHTS = (1, 2, 3, 4)
_COLOURS = (*range(31, 38), *range(90, 98))  # without black, and without backgrounds: none of these hides text
_ENDS = {22: (1, 2), 23: (3,), 24: (4,), 39: _COLOURS}
_OPERANDS = {5: 1, 2: 3}  # how many numbers follow 38;5 and 38;2
_SGR = re.compile(r"\x1b\[([0-9;:]{0,64})m")
_WORD = re.compile(r"\w+")
_SHARED_LETTERS = "µªº"  # letters by category, yet at home among Latin ones
_LOOK_ALIKES = frozenset("асеһіјӏорԛѕуѵԝхАВЕНІЈКМОРСТХѴѕαονρικυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ")


class _Shown(dict[int, str]):
    """A table for str.translate that fills itself: code point to what is shown for it."""

    def __missing__(self, code: int) -> str:
        if len(self) > 50_000:
            self.clear()
        self[code] = shown = _one(chr(code))
        return shown


def safe(text: str, width: int | None = None, *, tab: str = "→", newline: str = "⏎") -> str:
    """One line of `text` with nothing left in it that a terminal obeys, hides, reorders or leaves out.

    With `width`, in cells, what is longer is cut and ends with the count of characters that are not shown,
    `… (+1234)`, where that leaves half of the room to the text. Doing it twice changes nothing.
    """
    if width is not None and len(text) > width:
        return _cut(text, width, tab, newline)
    shown = _shown(text, tab, newline)
    return shown if width is None or cells(shown) <= width else _cut(text, width, tab, newline)


def safe_lines(text: str, width: int | None = None) -> tuple[str, ...]:
    """Each line of `text`, which only a line feed ends, made safe."""
    return tuple(safe(line, width) for line in text.split("\n"))


def cells(text: str) -> int:
    """How many cells of a terminal a text takes that is safe."""
    return len(text) if text.isascii() else sum(_cells_of(char) for char in text)


def mixed_script(text: str) -> tuple[tuple[int, int], ...]:
    """Where in `text` a word has letters of another script than its others: (start, end), to be marked.

    A word with a Latin letter is taken for Latin, another for what most of its letters are. A word that consists of
    nothing but letters that look Latin is marked whole.
    """
    if text.isascii():
        return ()
    return tuple(span for word in _WORD.finditer(text) for span in _strangers(word.group(), word.start()))


def sgr_only(text: str) -> list[tuple[str, Style]]:
    """A line of a log as pieces, each safe and with the colour it is in; nothing else of a sequence has an effect.

    `Style` holds SGR codes of colours and weights that cannot hide text; backgrounds and concealment are not among
    them.
    """
    if "\x1b" not in text:
        return [(safe(text), ())]
    pieces: list[tuple[str, Style]] = []
    style: Style = ()
    for number, part in enumerate(_SGR.split(text)):
        if number % 2:
            style = _next_style(style, part)
        elif part:
            pieces.append((safe(part), style))
    return pieces


@lru_cache(maxsize=4096)
def is_mark(char: str) -> bool:
    """Whether `char` is drawn onto the one before it."""
    return unicodedata.category(char) in _ZERO_WIDTH


def _one(char: str) -> str:
    if char.isprintable() and ord(char) not in _PRINTABLE_YET_INVISIBLE:
        return char
    return _token(char)


def _token(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape: a byte that is no UTF-8
        return f"‹\\x{code - 0xDC00:02x}›"
    return f"‹U+{code:04X}›"


_SHOWN = _Shown()


def _shown(text: str, tab: str, newline: str) -> str:
    if text.isprintable() and text.isascii():
        return text
    shown = text.replace("\t", tab).replace("\n", newline).translate(_SHOWN)
    return shown if shown.isascii() else _without_floods(shown)


def _without_floods(text: str) -> str:
    return "".join(_pieces(text))


def _pieces(text: str) -> list[str]:
    """What is shown for each character; a token for a mark that has nothing to sit on, or too many others there."""
    pieces: list[str] = []
    marks = MOST_MARKS
    for char in text:
        shown = _SHOWN[ord(char)]
        marks = marks + 1 if shown == char and is_mark(char) else 0
        pieces.append(_token(char) if marks > MOST_MARKS else shown)
    return pieces


def _cut(text: str, width: int, tab: str, newline: str) -> str:
    """`text` cut to at most `width` cells, tokens whole; looks at no more of it than could be shown."""
    own = {"\t": tab, "\n": newline}
    head = text[: (width + 1) * (MOST_MARKS + 1)]
    pieces = [own.get(char, piece) for char, piece in zip(head, _pieces(head), strict=True)]
    kept, taken = _fitting(pieces, width)
    if taken == len(text):
        return kept
    room = width - len(f"{_CUT} (+{len(text)})")
    if room < max(1, width // 2):
        return _fitting(pieces, width - 1)[0] + _CUT if width > 0 else ""
    kept, taken = _fitting(pieces, room)
    return f"{kept}{_CUT} (+{len(text) - taken})"


def _fitting(pieces: list[str], width: int) -> tuple[str, int]:
    """What of `pieces` fits into `width` cells, and how many pieces that is."""
    room = width
    for number, piece in enumerate(pieces):
        room -= cells(piece)
        if room < 0:
            return "".join(pieces[:number]), number
    return "".join(pieces), len(pieces)


@lru_cache(maxsize=4096)
def _cells_of(char: str) -> int:
    if is_mark(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


@lru_cache(maxsize=4096)
def _script(char: str) -> str | None:
    """The script of a letter by the first word of its Unicode name, None for what belongs to all."""
    if not char.isalpha() or char in _SHARED_LETTERS:
        return None
    return unicodedata.name(char, "unnamed").split()[0]


def _strangers(word: str, start: int) -> list[tuple[int, int]]:
    scripts = [_script(char) for char in word]
    count = Counter(script for script in scripts if script)
    if len(count) <= 1:
        return [(start, start + len(word))] if count and _LOOK_ALIKES.issuperset(word) else []
    home = "LATIN" if "LATIN" in count else count.most_common(1)[0][0]
    strange = "".join("x" if script not in (None, home) else " " for script in scripts)
    return [(start + run.start(), start + run.end()) for run in re.finditer("x+", strange)]


def _next_style(style: Style, parameters: str) -> Style:
    """The style after an SGR sequence; what is not kept of it, colours of 256 or millions too, changes nothing."""
    codes = iter(int(code or 0) for code in parameters.replace(":", ";").split(";"))
    for code in codes:
        if code in (38, 48, 58):
            for _ in range(_OPERANDS.get(next(codes, 0), 0)):
                next(codes, None)
        elif code == 0:
            style = ()
        elif code in _ENDS:
            style = tuple(kept for kept in style if kept not in _ENDS[code])
        elif code in _WEIGHTS:
            style = tuple(sorted({*style, code}))
        elif code in _COLOURS:
            style = tuple(sorted({*(kept for kept in style if kept not in _COLOURS), code}))
    return style
