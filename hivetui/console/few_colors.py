"""The themes for terminals with 256 or 16 colours, in colours that such terminals have.

The nearest of 256 colours to a dark green is a grey, and of 16 it is black: what a colour said would be lost. The 16
are those of VGA; terminals have other shades of them, so added and removed lines differ in background there.
"""

from __future__ import annotations

from textual.theme import Theme


def _theme(name: str, roles: str, grounds: str, marks: str, cursor: str, match: str, dark: bool = True) -> Theme:
    """`roles`: primary, secondary, accent, warning, error, success; `grounds`: foreground, background, surface, panel;
    `marks`: the backgrounds of added and removed lines, and of the words that changed in them.
    """
    primary, secondary, accent, warning, error, success = roles.split()
    foreground, background, surface, panel = grounds.split()
    added, removed, added_word, removed_word = marks.split()
    variables = {
        "text-primary": primary,
        "text-secondary": secondary,
        "text-accent": accent,
        "text-warning": warning,
        "text-error": error,
        "text-success": success,
        "primary-muted": cursor,
        "block-cursor-blurred-background": cursor,
        "warning-muted": match,
        "success-muted": added,
        "error-muted": removed,
        "success-darken-3": added_word,
        "error-darken-3": removed_word,
    }
    return Theme(
        name,
        primary=primary,
        secondary=secondary,
        accent=accent,
        warning=warning,
        error=error,
        success=success,
        foreground=foreground,
        background=background,
        surface=surface,
        panel=panel,
        dark=dark,
        variables=variables,
    )


_BLACK = "#dadada #121212 #1c1c1c #303030"
COLORS_256 = (
    _theme(
        "hive-dark",
        "#ffaf5f #87afd7 #ffaf5f #ffaf5f #ff8787 #87d787",
        _BLACK,
        "#005f00 #5f0000 #008700 #af0000",
        "#3a3a3a",
        "#5f5f00",
    ),
    _theme(
        "hive-light",
        "#875f00 #005f87 #875f00 #875f00 #af0000 #005f00",
        "#1c1c1c #ffffff #ffffff #e4e4e4",
        "#d7ffd7 #ffd7d7 #87d787 #ffafaf",
        "#ffd787",
        "#ffff87",
        dark=False,
    ),
    _theme(
        "hive-colour-blind",
        "#5fafff #d787af #ffff5f #ffaf00 #ff8700 #00d7af",
        _BLACK,
        "#005f87 #5f0000 #005faf #af5f00",
        "#3a3a3a",
        "#5f5f00",
    ),
)
COLORS_16 = (
    _theme(
        "hive-dark",
        "#ffff55 #55ffff #ffff55 #ffff55 #ff5555 #55ff55",
        "#aaaaaa #000000 #000000 #0000aa",
        "#00aa00 #aa0000 #55ff55 #ff5555",
        "#0000aa",
        "#00aaaa",
    ),
    _theme(
        "hive-light",
        "#0000aa #aa00aa #0000aa #aa00aa #aa0000 #0000aa",
        "#000000 #ffffff #ffffff #aaaaaa",
        "#00aa00 #aa0000 #55ff55 #ff5555",
        "#55ffff",
        "#ffff55",
        dark=False,
    ),
    _theme(
        "hive-colour-blind",
        "#55ffff #ff55ff #ffff55 #ffff55 #ff5555 #55ffff",
        "#aaaaaa #000000 #000000 #0000aa",
        "#00aaaa #ffff55 #55ffff #ffffff",
        "#0000aa",
        "#ff55ff",
    ),
)
