"""What the console notifies about once the hive is open: settings that it cannot use, and repairs after a crash."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from hivetui.console import keymap, themes
from hivetui.engine.model.text import safe

if TYPE_CHECKING:
    from textual.app import App

    from hivetui.console.session import Session
    from hivetui.engine.api import Hive
    from hivetui.engine.model.settings import ConsoleSection

_SECONDS = 12


def show_startup_notices(app: App[Any], session: Session, known_columns: Collection[str]) -> None:
    """Notify about each setting that cannot be used, and about each repair that opening the hive made."""
    problems = _settings_problems(session.settings, app.available_themes, known_columns)
    for text in problems:
        app.notify(safe(text), severity="warning", timeout=_SECONDS, markup=False)
    show_repairs(app, session.hive)


def show_repairs(app: App[Any], hive: Hive) -> None:
    """Notify about each repair that opening the hive made."""
    for text in _repair_notices(hive):
        app.notify(safe(text), severity="warning", timeout=_SECONDS, markup=False)


def _settings_problems(
    settings: ConsoleSection, known_themes: Collection[str], known_columns: Collection[str]
) -> Iterator[str]:
    if settings.theme not in known_themes:
        yield f"[console] theme: unknown theme {settings.theme[:40]!r}; known themes: {', '.join(themes.NAMES)}"
    for problem in keymap.find_problems(settings.keys):
        yield f"[console.keys]: {problem}"
    if unknown := [name for name in settings.columns if name not in known_columns]:
        yield f"[console] columns: unknown column {unknown[0][:40]!r}; known columns: {', '.join(known_columns)}"


def _repair_notices(hive: Hive) -> Iterator[str]:
    for repair in hive.repairs:
        yield f"{repair.agent or 'the hive'}: {repair.found}; {repair.done}"
    if (error := hive.repair_error) is not None:
        yield f"Repair after an earlier crash failed: {error.what}. {hive.description.complete_commands(error.fix)}"
