"""Reads a widget's style sheet: the `.tcss` file beside its module."""

from __future__ import annotations

from pathlib import Path


def load_styles(module_file: str, name: str | None = None) -> str:
    """The text of the style sheet beside a module (its `__file__`): of the same name, or `name.tcss`.

    It becomes the `DEFAULT_CSS` of the widget, which Textual scopes to that one class; so each widget has its own file.
    """
    module = Path(module_file)
    return module.with_name(f"{name or module.stem}.tcss").read_text(encoding="utf-8")
