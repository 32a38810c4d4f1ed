"""The safe text of a line of a diff: whitespace that matters is made visible, git's header lines are put in words."""

from __future__ import annotations

import re

from hivetui.engine.model.text import safe

SHOWN_BYTES = 2000  # of a line
_TAB = 8
_TRAILING = re.compile(r" +(?=\r?$)")
_MODES = {
    "100644": "file",
    "100755": "executable file",
    "120000": "symbolic link",
    "160000": "submodule (a commit of another repository)",
    "040000": "directory",
}
_MODE_WORDS = (
    ("old mode ", "mode was"),
    ("new mode ", "mode is now"),
    ("new file mode ", "new"),
    ("deleted file mode ", "deleted"),
)
_PLAIN_WORDS = ("similarity index ", "dissimilarity index ", "rename from ", "rename to ", "copy from ", "copy to ")
NO_NEWLINE = "⊘ no newline at end of file"


def shown_line(raw: bytes) -> tuple[str, int]:
    """The shown text of a line of a file (without git's sign), and how many of its bytes are not shown."""
    text = raw[:SHOWN_BYTES].decode("utf-8", "surrogateescape")
    text = _TRAILING.sub(lambda match: "·" * len(match[0]), text)
    if text.endswith("\r"):
        text = text[:-1] + "␍"
    if "\t" in text:
        text = _expand_tabs(text)
    return safe(text), max(0, len(raw) - SHOWN_BYTES)


def _expand_tabs(text: str) -> str:
    """Replace each tab by an arrow and spaces up to the next tab stop."""
    out, column = [], 0
    for part in text.split("\t"):
        column += len(part)
        fill = _TAB - column % _TAB
        out.append(part + "→" + " " * (fill - 1))
        column += fill
    return "".join(out)[: -len(out[-1])] + text.rpartition("\t")[2]


def header_words(raw: bytes) -> str:
    """A line of a file's header in words; an unknown one is shown as it is."""
    text = raw[:SHOWN_BYTES].decode("utf-8", "surrogateescape")
    for start, words in _MODE_WORDS:
        if text.startswith(start):
            mode = text.removeprefix(start)
            return safe(f"  {words}: {_MODES.get(mode, 'unknown kind')} ({mode})")
    if text.startswith("Binary files "):
        return "  binary file: its contents cannot be shown as text"
    if text.startswith(_PLAIN_WORDS):
        return safe("  " + text.replace(" index", "", 1))
    if text.startswith("index "):
        return safe("  " + _index_words(text))
    return safe("  " + text)


def _index_words(text: str) -> str:
    """The blobs by short hash, and the kind of file if its mode did not change."""
    match = re.fullmatch(r"index ([0-9a-f]+)\.\.([0-9a-f]+)(?: (\d+))?", text)
    if not match:
        return text
    kind = f", {_MODES.get(match[3], 'unknown kind')}" if match[3] and match[3] != "100644" else ""
    return f"blob {match[1][:10]} → {match[2][:10]}{kind}"
