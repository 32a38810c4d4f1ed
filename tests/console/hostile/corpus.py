"""What an agent could write to harm a terminal, its reader or the console; and that none of it was written on."""

from __future__ import annotations

import re
import unicodedata

ESCAPES = (
    "\x1b[971;913H",
    "\x1b[8;2;971mconcealed",
    "\x1b]0;MK-title\x07",
    "\x1b]52;c;TUstY2xpcGJvYXJk\x07",
    "\x1b]8;;http://mk-link.example/\x1b\\here\x1b]8;;\x1b\\",
    "\x1bPMK-dcs\x1b\\",
    "\x1b_MK-apc\x1b\\",
    "\x1b^MK-pm\x1b\\",
    "\x1bc\x1b(0MK-charset",
    "\u009b972;914H",
    "\u009d0;MK-c1-title\u009c",
    "\u0090MK-c1-dcs\u009c",
    "MK-bell\x07MK-backspace\b\b\bMK-return\rMK-vt\x0b\x0c\x7f",
)
INVISIBLE = (
    "a\u202eMK-rlo\u202c b\u2066MK-isolate\u2069 c\u200b\u200d\ufeff\u2060\u00ad\U000e0041\u3164\u115fd \ufff9x\ufffb"
)
MARKUP = "[@click=app.quit]MK-click[/] [/x] [bold on red]b[/] [link=http://mk.example]l[/link] $error"
FLOOD = "z" + "\u0336\u0489\u20dd" * 60
EVIL = " ".join((*ESCAPES, INVISIBLE, MARKUP, FLOOD))
RAW_BYTES = (
    b"MK-raw \x9b973;915H \x9d0;MK-raw-title\x9c \x90MK-raw-dcs\x9c \xff\xfe\xc0\xaf\xed\xa0\x80 " + EVIL.encode()
)
ESCAPE_SHOWN, OVERRIDE_SHOWN = "‹U+001B›", "‹U+202E›"
"""What a person sees of an escape and of a right-to-left override."""

_HOSTILE_BYTES = tuple(one.encode() for one in (*ESCAPES, *INVISIBLE) if not one.isascii() or "\x1b" in one)
_OURS = re.compile(
    rb"\x1b\[[0-9;:]*[mHABCDGJKdfrst]|\x1bM"  # colours, places, clearing, scrolling
    rb"|\x1b\[\?[0-9;]+(?:\$p|[hlu])|\x1b\[[<>=]?[0-9;]*u|\x1b\[[0-9;]*[tn]|\x1b\[[0-9 ]*q|\x1b\[c"  # modes, questions
    rb"|\x1b\](?:52;c;[A-Za-z0-9+/=]*|22;[a-z-]*)\x07|\x1b[78]"  # clipboard (as base64), shape of the pointer
)
"""The sequences that the console itself has a use for."""
_TORN = re.compile(rb"(?:\x1b(?:\[[0-9;:?<>= $]*|\][^\x07]*)?|[\xc0-\xf7][\x80-\xbf]{0,2})\Z")
"""What a read ended in the middle of: the beginning of a sequence or of a character."""
_PLACE = re.compile(rb"\x1b\[(\d+);(\d+)[Hfr]")
_STYLE = re.compile(rb"\x1b\[([0-9;:]*)m")
_MIXED_COLOUR = re.compile(rb"[345]8[;:](?:2[;:]\d+[;:]\d+[;:]\d+|5[;:]\d+)")
_CONCEALED = b"8"
_LARGEST = 200
"""More rows or columns than any terminal of these tests has; the corpus goes to 900 and more."""


def no_sequence_but_ours(written: bytes) -> None:
    """Nothing that the console wrote is a control but its own; all of it is UTF-8 that hides nothing."""
    for sequence in _HOSTILE_BYTES:
        assert sequence not in written, sequence
    _ours_lead_nowhere(written)
    text = _OURS.sub(b"", _TORN.sub(b"", written)).decode("utf-8", "strict")
    bad = {char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn") and char not in "\r\n"}
    assert not bad, [ascii(text[max(0, at - 20) : at + 40]) for at in map(text.index, bad)]
    assert not re.search(r"[\u0300-\u036f\u0483-\u0489\u20d0-\u20f0]{5}", text)
    assert not set(text) & set("\u3164\u115f\u034f\u2800")


def _ours_lead_nowhere(written: bytes) -> None:
    """What has the form of our own sequences goes to no place outside the terminal, and conceals nothing."""
    assert not [place for place in _PLACE.findall(written) if max(map(int, place)) > _LARGEST]
    for codes in set(_STYLE.findall(written)):
        assert _CONCEALED not in _MIXED_COLOUR.sub(b"", codes).split(b";"), codes
