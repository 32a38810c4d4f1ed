"""docs/wire.md is what the engine does."""

from __future__ import annotations

from pathlib import Path

from hivetui.service.hyperhive import COMMANDS
from hivetui.wire.verbs import VERBS
from tests.service.wire_document import document

_PAGE = Path(__file__).parents[2] / "docs/wire.md"


def test_the_page_is_current() -> None:
    assert _PAGE.read_text("utf-8") == document(), "run: make docs"


def test_the_page_names_every_verb() -> None:
    page = document()
    assert [name for name in (*VERBS, *COMMANDS) if f"| `{name}` |" not in page] == []
