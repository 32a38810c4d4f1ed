"""Notifications that the terminal shows on the desktop: OSC 9 (iTerm2, kitty, WezTerm …) and OSC 777 (rxvt, foot, VTE).

A terminal that is not known gets both: each knows one of them at most, with few exceptions, and ignores the other. The
console of Linux shows what it does not know, and tmux and screen keep it to themselves, so these get neither.
"""

from __future__ import annotations

from collections.abc import Mapping

from hivetui.engine.model.text import safe

NINE, SEVENS = "9", "777"
_WITHOUT = ("linux", "dumb", "vt", "screen", "tmux")
_OF_TERM = {"xterm-kitty": NINE, "xterm-ghostty": NINE, "wezterm": NINE, "foot": SEVENS, "rxvt": SEVENS}
_OF_PROGRAM = {"iTerm.app": NINE, "WezTerm": NINE, "ghostty": NINE, "kitty": NINE}
_TEXT_CELLS = 240


def known_sequences(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Which of the two to send to the terminal that the environment describes."""
    term = environment.get("TERM", "")
    if not term or term.startswith(_WITHOUT) or environment.get("TMUX") or environment.get("STY"):
        return ()
    for start, sequence in _OF_TERM.items():
        if term.startswith(start):
            return (sequence,)
    if (sequence := _OF_PROGRAM.get(environment.get("TERM_PROGRAM", ""), "")) != "":
        return (sequence,)
    return (SEVENS,) if environment.get("VTE_VERSION") else (NINE, SEVENS)


def encode(title: str, text: str, sequences: tuple[str, ...]) -> str:
    """What shows the text, which no part of it can end or extend: it is made safe, and separators are replaced."""
    title, text = _parameter(title), _parameter(text)
    made = {NINE: f"\x1b]9;{title}: {text}\a", SEVENS: f"\x1b]777;notify;{title};{text}\a"}
    return "".join(made[sequence] for sequence in sequences)


def _parameter(text: str) -> str:
    return safe(text, _TEXT_CELLS).replace(";", ",")
