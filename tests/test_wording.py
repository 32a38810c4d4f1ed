"""Words that were hard to read are in no text that a person sees: of the program, its rules and its documents."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
OLD = (
    *(r"gone but kept", r"\b1 tasks\b", r"^WAITS\b", r"^UPDATE$", r"^RUNS$", r"\bf ended\b"),
    *(r"one or all", r"\((\{\}|\d+) by (\{\}|root)\)", r"^rollback \S+ of proposal"),
    *(r"(line below )?brings it back", r"what ran before", r"left as a failure"),
    *(r"^changes of blanks", r"BLANKS ARE HIDDEN", r"lines? of \d+ lines?", r"goes to the error"),
    *(r"shows what was run", r"^whole \S+ file", r"^what there is$", r"^gone$", r"\btake (it|them)$"),
    *(r"\bj k which", r"Type something", r"came at once", r"nothing shows all", r"waiting; of"),
    *(r"it waits no more", r"Take it back", r"\btakes back\b", r"; moved$"),
    *(r"Their work in progress ends", r"It is \{?\w*succeeded", r"no longer waits", r"is on its way"),
    *(r"in place of one", r"make another", r"To the last file", r"nothing ran on"),
    *(r"is no (folder|index)", r"Turn the order", r"What waits; all"),
)
"""What stood on screens before, as patterns; the second table of the style guide, and labels of its first."""


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """The texts of a module but for docstrings, with their lines; what is filled in is `{}`."""
    tree = ast.parse(path.read_text())
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    within = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare | within:
            yield node.lineno, node.value


def found_in(text: str) -> list[str]:
    return [old for old in OLD if re.search(old, text, re.MULTILINE)]


@pytest.mark.parametrize("text", ["gone but kept (1)", "WAITS 1 #9", "it takes back 1 deployed commit", "take it"])
def test_an_old_text_would_be_found(text: str) -> None:
    assert found_in(text)


def test_no_text_of_the_program_has_old_words() -> None:
    modules = sorted((PROJECT / "hivetui").rglob("*.py"))
    assert len(modules) > 300
    found = [
        f"{path.relative_to(PROJECT)}:{line}: {text}"
        for path in modules
        if "embedded" not in path.parts  # stand-ins say what the real programs do
        for line, text in texts_of(path)
        if found_in(text)
    ]
    assert found == []


def test_no_rule_document_or_picture_has_old_words() -> None:
    places = [
        *PROJECT.glob("*.md"),
        *(PROJECT / "docs").rglob("*.md"),
        *(PROJECT / "hivetui").rglob("*.toml"),
        *(PROJECT / "docs/pictures").glob("*.svg"),
        *(PROJECT / "snapshots").rglob("*.svg"),
    ]
    assert len(places) > 100
    found = [(str(path.relative_to(PROJECT)), old) for path in places for old in found_in(path.read_text())]
    assert found == []
