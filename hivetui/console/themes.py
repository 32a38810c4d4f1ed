"""The themes of the console. Widgets and style sheets name roles only, such as primary, error and success."""

from __future__ import annotations

from textual.theme import Theme

from hivetui.console.few_colors import COLORS_16, COLORS_256


def _lines(added: str, removed: str) -> dict[str, str]:
    """The backgrounds of added and removed lines."""
    return {"success-muted": added, "error-muted": removed}


DARK = Theme(
    name="hive-dark",
    primary="#e5b567",
    secondary="#7fa7c9",
    accent="#e5b567",
    warning="#e0a33e",
    error="#e06c6c",
    success="#8fbf6f",
    foreground="#d8d8d2",
    background="#15171a",
    surface="#1b1e22",
    panel="#262a30",
    variables=_lines("#223a26", "#43282c"),
)
LIGHT = Theme(
    name="hive-light",
    primary="#8a5a00",
    secondary="#1f5f8b",
    accent="#8a5a00",
    warning="#9a5b00",
    error="#b3261e",
    success="#2f6b1f",
    foreground="#1d1f21",
    background="#fbfaf7",
    surface="#f1efe9",
    panel="#e4e1d8",
    dark=False,
    variables=_lines("#d9efd0", "#f8dcd7"),
)
# Okabe and Ito's palette, whose colours people with every common kind of colour blindness can distinguish
COLOUR_BLIND = Theme(
    name="hive-colour-blind",
    primary="#56b4e9",
    secondary="#cc79a7",
    accent="#f0e442",
    warning="#e69f00",
    error="#d55e00",
    success="#009e73",
    foreground="#e6e6e6",
    background="#121212",
    surface="#1a1a1a",
    panel="#262626",
    variables=_lines("#162d27", "#352416"),
)
TRUECOLOR = (DARK, LIGHT, COLOUR_BLIND)
NAMES = tuple(theme.name for theme in TRUECOLOR)


def for_colors(system: str | None) -> tuple[Theme, ...]:
    """The themes for the colours of a terminal, which are named as by Rich: "truecolor", "256" or "standard"."""
    return {"standard": COLORS_16, "256": COLORS_256}.get(system or "", TRUECOLOR)
