"""Turns hostile text into text that is safe to print on a terminal. Pure, no I/O.

Everything that shows text from outside passes it through `safe` first, one line at a time. Nothing is dropped: a
character that cannot be shown as itself becomes a token that names it, `‹U+202E›`, or `‹\\x80›` for a byte that is not
UTF-8. Text may contain a literal look-alike of a token; that can alarm a reader, but hides nothing.

Widths. A line whose width we misjudge overwrites its neighbours, so hostile text must not contain a character that
terminals, libraries and we measure differently. Instead of choosing one table of widths, `safe` turns those characters
into tokens (`_has_disputed_width`): spacing combining marks (0 cells in Rich, 1 in glibc, xterm and VTE), emoji skin
tones (👍🏽 is 2 or 4 cells), lone flag letters (1 or 2) and symbols that Unicode 16 made wide. Zero-width joiners and
variation selectors are tokens already, as Default_Ignorable_Code_Point. What remains is measured one code point at a
time, and `cells` agrees with `rich.cells.cell_len`, by which Textual lays out, for every code point
(tests/widgets/test_widths.py); so there is one function, `cells`, and no dependency.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from itertools import dropwhile, takewhile

NO_MESSAGE = "(no message)"
"""The subject of a commit without a message."""
MAX_MARKS = 4  # combining marks on one letter; more than any living orthography stacks
_ELLIPSIS = "…"
_SUBSTITUTES = {"\t": "→", "\n": "⏎"}
_COMBINING = ("Mn", "Me")
_INVISIBLE = frozenset(
    # Default_Ignorable_Code_Point (Unicode, DerivedCoreProperties.txt) where str.isprintable() is true, and U+2800,
    # a Braille pattern without dots.
    (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2800, 0x3164, 0xFFA0)
).union(range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
_WIDENED = frozenset(
    # Narrow up to Unicode 15.1, wide since 16 (EastAsianWidth.txt): hexagrams, monograms, counting rods.
    (*range(0x2630, 0x2638), *range(0x268A, 0x2690), *range(0x4DC0, 0x4E00), *range(0x1D300, 0x1D377))
)
_SKIN_TONES = frozenset(range(0x1F3FB, 0x1F400))
_FLAG_LETTERS = frozenset(range(0x1F1E6, 0x1F200))
_DISPUTED_WIDTH = _WIDENED | _SKIN_TONES | _FLAG_LETTERS
_UNDECODABLE = re.compile("[\ud800-\udfff]")
_JOINING_JAMO = re.compile("[\u1161-\u11ff\ud7b0-\ud7fb]")  # Hangul vowels and finals: drawn into the letter before
_HANGUL = re.compile("[\u1100-\u11ff\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7fb]")
Style = tuple[int, ...]
"""SGR codes in force (ECMA-48, 8.3.117), ascending, with at most one colour; () is plain."""
_WEIGHTS = (1, 2, 3, 4)
_COLOURS = (*range(31, 38), *range(90, 98))  # no black and no backgrounds, which could hide text
_RESETS = {22: (1, 2), 23: (3,), 24: (4,), 39: _COLOURS}
_OPERANDS = {5: 1, 2: 3}  # how many numbers follow `38;5` (palette) and `38;2` (RGB)
_SGR = re.compile(r"\x1b\[([0-9;:]{0,64})m")
_WORD = re.compile(r"\w+")
_COMMON_LETTERS = "µªº"  # letters of other scripts by name or category that are usual in Latin text
_LOOK_ALIKES = frozenset("асеһіјӏорԛѕуѵԝхАВЕНІЈКМОРСТХѴѕαονρικυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ")


class _Shown(dict[int, str]):
    """A table for str.translate that fills itself on demand: code point to the text shown for it."""

    def __missing__(self, code: int) -> str:
        if len(self) > 50_000:
            self.clear()
        self[code] = shown = _show(chr(code))
        return shown


def safe(text: str, width: int | None = None, *, tab: str = "→", newline: str = "⏎") -> str:
    """Make one line of `text` safe: nothing is left in it that a terminal obeys, hides, reorders or leaves out.

    With `width`, in cells, longer text is cut. It then ends with the count of characters that are not shown,
    `… (+1234)`, if that leaves at least half of the width to the text, else with `…`. Idempotent.
    """
    if width is not None and len(text) > width:
        return _cut(text, width, tab, newline)
    shown = _shown(text, tab, newline)
    return shown if width is None or cells(shown) <= width else _cut(text, width, tab, newline)


def safe_pieces(text: str) -> list[str]:
    """What `safe` shows for each character of one line."""
    return [_SUBSTITUTES.get(char, piece) for char, piece in zip(text, _pieces(text), strict=True)]


def safe_end(text: str, width: int) -> str:
    """The end of one line of `text`, made safe, as much of it as fits into `width` cells; no token is cut in two."""
    tail = text[-(max(0, width) + 1) * (MAX_MARKS + 1) :]
    pieces = safe_pieces(tail)
    start = len(pieces)
    while start and (width := width - cells(pieces[start - 1])) >= 0:
        start -= 1
    while start < len(pieces) and not cells(pieces[start]):  # a mark without the letter that it is on
        start += 1
    return "".join(pieces[start:])


def safe_lines(text: str, width: int | None = None) -> tuple[str, ...]:
    """Split `text` at line feeds only, and make each line safe."""
    return tuple(safe(line, width) for line in text.split("\n"))


def safe_block(text: str) -> str:
    """Text of our own with line feeds where it breaks, each line made safe; the blank ones are left out."""
    return "\n".join(safe(line.rstrip()) for line in text.split("\n") if line.strip())


def join_lines(text: str) -> str:
    """The lines of our own text as one: "; " between two, unless the first of them ends in a stop."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return "".join(f"{line}{_gap_after(line)}" for line in lines[:-1]) + "".join(lines[-1:])


def _gap_after(line: str) -> str:
    return " " if line.endswith((".", ":", ";", ",", "!", "?")) else "; "


def is_hidden(char: str) -> bool:
    """Whether a character shows nothing of its own, or changes how others are shown, by its Unicode properties.

    These are Cc, Cf, Cs, Co, Cn, Zl, Zp, Default_Ignorable_Code_Point, and every Zs but U+0020.
    """
    return not char.isprintable() or ord(char) in _INVISIBLE


def subject(message: str) -> str:
    """The subject of a commit message as git shows it: its first paragraph on one line; NO_MESSAGE without one."""
    lines = (line.strip() for line in message.split("\n"))
    paragraph = takewhile(bool, dropwhile(lambda line: not line, lines))
    return " ".join(paragraph) or NO_MESSAGE


def exact_bytes(text: str) -> bytes | None:
    """The bytes that a text was decoded from, if not all of them were UTF-8; None if the text says it all."""
    if not _UNDECODABLE.search(text):
        return None
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return text.encode("utf-8", "surrogatepass")


def to_bytes(text: str) -> bytes:
    """The bytes that a text was decoded from; never fails."""
    exact = exact_bytes(text)
    return text.encode() if exact is None else exact


def show_bytes(text: str) -> str:
    """The text with tokens for the bytes that are not UTF-8, as `safe` writes them; everything else unchanged."""
    return _UNDECODABLE.sub(lambda byte: _token(byte[0]), text)


def cells(text: str) -> int:
    """The width of a safe text in terminal cells."""
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def mixed_script(text: str) -> tuple[tuple[int, int], ...]:
    """Spans (start, end) of `text` to highlight because a word mixes scripts, as homograph attacks do.

    A word with a Latin letter counts as Latin, any other as the script of most of its letters. A word made entirely of
    letters that look Latin is highlighted as a whole.
    """
    if text.isascii():
        return ()
    return tuple(span for word in _WORD.finditer(text) for span in _foreign_spans(word.group(), word.start()))


def sgr_only(text: str) -> list[tuple[str, Style]]:
    """Split a log line into safe pieces with the style of each; other escape sequences become tokens.

    `Style` holds only SGR codes that cannot hide text: weights and foreground colours, no backgrounds, no concealment.
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
    """Whether `char` takes no cell of its own, because it is drawn onto or into the character before it."""
    return unicodedata.category(char) in _COMBINING or _JOINING_JAMO.match(char) is not None


def _show(char: str) -> str:
    if char.isprintable() and ord(char) not in _INVISIBLE and not _has_disputed_width(char):
        return char
    return _token(char)


def _has_disputed_width(char: str) -> bool:
    """Whether terminals disagree on the cells that `char` takes; see the docstring of this module."""
    return ord(char) in _DISPUTED_WIDTH or unicodedata.category(char) == "Mc"


def _token(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape: a byte that is not UTF-8
        return f"‹\\x{code - 0xDC00:02x}›"
    return f"‹U+{code:04X}›"


_SHOWN = _Shown()


def _shown(text: str, tab: str, newline: str) -> str:
    if text.isprintable() and text.isascii():
        return text
    shown = text.replace("\t", tab).replace("\n", newline).translate(_SHOWN)
    return "".join(_pieces(shown)) if any(map(is_mark, set(shown))) else shown


def _pieces(text: str) -> list[str]:
    """What is shown for each character; a mark becomes a token if it has no base, or too many marks are on its base."""
    pieces: list[str] = []
    marks, before = MAX_MARKS, ""
    for char in text:
        shown = _SHOWN[ord(char)]
        if shown == char and is_mark(char):
            marks += 1
            if marks > MAX_MARKS or (_JOINING_JAMO.match(char) and not _HANGUL.match(before)):
                shown = _token(char)
        else:
            marks = 0
        pieces.append(shown)
        before = shown
    return pieces


def _cut(text: str, width: int, tab: str, newline: str) -> str:
    """Cut `text` to `width` cells without splitting a token; reads no more of it than could be shown."""
    substitutes = {"\t": tab, "\n": newline}
    head = text[: (width + 1) * (MAX_MARKS + 1)]
    pieces = [substitutes.get(char, piece) for char, piece in zip(head, _pieces(head), strict=True)]
    kept, taken = _fitting(pieces, width)
    if taken == len(text):
        return kept
    available = width - len(f"{_ELLIPSIS} (+{len(text)})")
    if available < max(1, width // 2):
        return _fitting(pieces, width - 1)[0] + _ELLIPSIS if width > 0 else ""
    kept, taken = _fitting(pieces, available)
    return f"{kept}{_ELLIPSIS} (+{len(text) - taken})"


def _fitting(pieces: list[str], width: int) -> tuple[str, int]:
    """As many of `pieces` as fit into `width` cells, joined, and how many those are."""
    left = width
    for number, piece in enumerate(pieces):
        left -= cells(piece)
        if left < 0:
            return "".join(pieces[:number]), number
    return "".join(pieces), len(pieces)


@lru_cache(maxsize=4096)
def _cells_of(char: str) -> int:
    if is_mark(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


@lru_cache(maxsize=4096)
def _script(char: str) -> str | None:
    """The script of a letter, by the first word of its Unicode name; None for characters that all scripts use."""
    if not char.isalpha() or char in _COMMON_LETTERS:
        return None
    return unicodedata.name(char, "unnamed").split()[0]


def _foreign_spans(word: str, start: int) -> list[tuple[int, int]]:
    scripts = [_script(char) for char in word]
    count = Counter(script for script in scripts if script)
    if len(count) <= 1:
        return [(start, start + len(word))] if count and _LOOK_ALIKES.issuperset(word) else []
    main = "LATIN" if "LATIN" in count else count.most_common(1)[0][0]
    foreign = "".join("x" if script not in (None, main) else " " for script in scripts)
    return [(start + run.start(), start + run.end()) for run in re.finditer("x+", foreign)]


def _next_style(style: Style, parameters: str) -> Style:
    """The style after an SGR sequence. Codes that are not kept, palette and RGB colours included, change nothing."""
    codes = iter(int(code or 0) for code in parameters.replace(":", ";").split(";"))
    for code in codes:
        if code in (38, 48, 58):
            for _ in range(_OPERANDS.get(next(codes, 0), 0)):
                next(codes, None)
        elif code == 0:
            style = ()
        elif code in _RESETS:
            style = tuple(kept for kept in style if kept not in _RESETS[code])
        elif code in _WEIGHTS:
            style = tuple(sorted({*style, code}))
        elif code in _COLOURS:
            style = tuple(sorted({*(kept for kept in style if kept not in _COLOURS), code}))
    return style
