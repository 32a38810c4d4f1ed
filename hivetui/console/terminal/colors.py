"""The SGR parameters of styles, in the colours that the terminal has.

Where it has few, Rich takes the nearest colour for the text and for its background by themselves, which can leave the
text unreadable: such text is then black or white. Where it has all, a colour that is not readable on its background,
such as that of a state in the row of the cursor, is shifted towards black or white as far as needed.
"""

from __future__ import annotations

from functools import lru_cache

from rich.color import Color, ColorSystem, blend_rgb
from rich.color_triplet import ColorTriplet
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from textual.strip import Strip

MINIMUM_CONTRAST = 4.5
"""Of text, by the Web Content Accessibility Guidelines, level AA."""
_SHIFTS = 20
_VGA = ("000000", "aa0000", "00aa00", "aa5500", "0000aa", "aa00aa", "00aaaa", "aaaaaa")
_VGA_BRIGHT = ("555555", "ff5555", "55ff55", "ffff55", "5555ff", "ff55ff", "55ffff", "ffffff")
_XTERM = ("000000", "cd0000", "00cd00", "cdcd00", "0000ee", "cd00cd", "00cdcd", "e5e5e5")
_XTERM_BRIGHT = ("7f7f7f", "ff0000", "00ff00", "ffff00", "5c5cff", "ff00ff", "00ffff", "ffffff")


def _terminal(colors: tuple[str, ...]) -> TerminalTheme:
    triplets = [(int(color[:2], 16), int(color[2:4], 16), int(color[4:], 16)) for color in colors]
    return TerminalTheme(triplets[0], triplets[15], triplets[:8], triplets[8:])


TERMINALS = (_terminal(_VGA + _VGA_BRIGHT), _terminal(_XTERM + _XTERM_BRIGHT))
"""What the 16 colours look like on the Linux console and in xterm; others are between."""


@lru_cache(maxsize=4096)
def sgr(style: Style, colors: ColorSystem | None, is_text: bool) -> str:
    """The parameters for a style; `colors` None: none at all. `is_text`: it has to be read, unlike a scrollbar."""
    if colors is None:
        return Strip.render_ansi(style.without_color, ColorSystem.TRUECOLOR)
    if is_text:
        style = _readable(style, colors)
    return Strip.render_ansi(style, colors)


def _readable(style: Style, colors: ColorSystem) -> Style:
    if style.color is None or style.bgcolor is None or style.color.is_default or style.bgcolor.is_default:
        return style
    text, background = style.color.downgrade(colors), style.bgcolor.downgrade(colors)
    if contrast(text, background) >= MINIMUM_CONTRAST:
        return style
    if colors is ColorSystem.TRUECOLOR:
        return style + Style(color=_shift(text.get_truecolor(), background))
    black, white = Color.from_ansi(0), Color.from_ansi(15)
    best = max((black, white), key=lambda color: contrast(color, background))
    if contrast(best, background) < MINIMUM_CONTRAST:  # a grey that is too light or too dark on one of the terminals
        return style + Style(color=white, bgcolor=black)
    return style + Style(color=best)


def _shift(text: ColorTriplet, background: Color) -> Color:
    """The colour between a text's and black or white that is the first to be readable."""
    ends = (ColorTriplet(0, 0, 0), ColorTriplet(255, 255, 255))
    end = max(ends, key=lambda triplet: contrast(Color.from_triplet(triplet), background))
    shifted = (Color.from_triplet(blend_rgb(text, end, step / _SHIFTS)) for step in range(1, _SHIFTS + 1))
    return next(
        (color for color in shifted if contrast(color, background) >= MINIMUM_CONTRAST), Color.from_triplet(end)
    )


def contrast(text: Color, background: Color) -> float:
    """The contrast of two colours where the terminal shows it least, from 1 to 21 as the WCAG define it."""
    return min(_contrast(text.get_truecolor(shown), background.get_truecolor(shown)) for shown in TERMINALS)


def _contrast(one: ColorTriplet, other: ColorTriplet) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: ColorTriplet) -> float:
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in color.normalized]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
