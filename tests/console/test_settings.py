"""The console follows its settings file, and reports what is wrong in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from hivetui.console import actions, keymap
from hivetui.console.state import HiveState
from hivetui.embedded.hive import open_embedded_hive
from hivetui.engine.host.operators import from_environment
from hivetui.engine.model.settings import ConsoleSection, Section, Settings
from hivetui.screens import catalogue
from hivetui.widgets.log.log_view import LogView

DOCUMENTED = Path(__file__).parents[2] / "docs/settings.md"

if TYPE_CHECKING:
    from tests.console.conftest import Home, Opened


def written(folder: Path, text: str) -> str:
    path = folder / "settings.toml"
    path.write_text(text)
    return str(path)


def test_a_mistake_is_three_lines_and_78_with_the_terminal_as_it_was(terminal: Opened, tmp_path: Path) -> None:
    path = written(tmp_path, '[console]\nthme = "x"\n')
    opened = terminal("--config", path)
    assert opened.ended() == 78
    assert opened.is_restored()
    assert opened.errors.splitlines() == [
        f"{path}:2: console.thme is not a setting",
        "The nearest known key is console.theme.",
        "Replace thme by theme.",
    ]


@pytest.mark.slow
def test_a_missing_file_is_reported_too(terminal: Opened) -> None:
    opened = terminal("--config", "/nonexistent/settings.toml")
    assert opened.ended() == 78
    assert opened.is_restored()
    assert "Traceback" not in opened.errors
    assert len(opened.errors.splitlines()) == 3


@pytest.mark.slow
def test_a_remapped_key_works_and_is_shown_wherever_keys_are(terminal: Opened, home: Home, tmp_path: Path) -> None:
    keymap = '[console.keys]\n"everywhere.help" = "H"\n"everywhere.quit" = "Z"\n"everywhere.history" = "9"\n'
    opened = terminal("--config", written(tmp_path, keymap))
    opened.until(*home.agents, "H help", "9:history")
    opened.type("?q5")  # what they were does nothing now
    assert "1:agents*" in opened.settle()
    opened.type("9")
    opened.until("9:history*")
    opened.type("H")
    opened.until("Z            quit", "9            history")
    opened.type("\x1b")
    opened.gone("Z            quit")
    opened.type(":")
    opened.until("Search")
    opened.type("quit")
    opened.until("quit  (Z)")
    opened.type("\x1b")
    opened.gone("quit  (Z)")
    opened.type("Z")
    opened.until("1:agents*")
    opened.type("Z")
    assert opened.ended() == 0


@pytest.mark.slow
def test_the_keys_of_a_question_can_be_set_and_unsafe_ones_are_refused(
    terminal: Opened, home: Home, tmp_path: Path
) -> None:
    keys = '[console.keys]\n"dialog.confirm" = "Y"\n"dialog.refuse" = "n,ctrl+n"\n"agents.restart" = "Y"\n'
    opened = terminal("--config", written(tmp_path, keys))
    opened.until(*home.agents, "dialog.confirm:", "agents.restart")
    opened.type("x")
    opened.until("[ esc  no ]", " y ")


@pytest.mark.slow
def test_columns_are_those_that_were_chosen(terminal: Opened, home: Home, tmp_path: Path) -> None:
    opened = terminal("--config", written(tmp_path, '[console]\ncolumns = ["port", "state"]\n'))
    text = opened.until(*home.agents, "PORT")
    header = next(line for line in text.splitlines() if "PORT" in line)
    assert header.split() == ["NAME", "PORT", "STATE"]


def test_settings_that_the_console_cannot_use_are_notified(terminal: Opened, home: Home, tmp_path: Path) -> None:
    text = (
        '[console]\ntheme = "pink"\ncolumns = ["size"]\n[console.keys]\n"agents.stpo" = "S"\n"agents.start" = "flop"\n'
    )
    opened = terminal("--config", written(tmp_path, text))
    opened.until("'pink'", "'size'", "'agents.stpo'", "'agents.stop'", "'flop'")
    opened.until(*home.agents)


def leaves(model: type[BaseModel], place: str = "") -> Iterator[tuple[str, object]]:
    """Every key of a section with its default; of named tables the name is NAME."""
    for attribute, field in model.model_fields.items():
        name = field.alias or attribute
        inner = next((one for one in (field.annotation, *get_args(field.annotation)) if is_section(one)), None)
        if inner is None:
            yield place + name, field.default
        else:
            yield from leaves(inner, f"{place}{name}." + ("NAME." if get_origin(field.annotation) is dict else ""))


def is_section(kind: object) -> TypeGuard[type[Section]]:
    return isinstance(kind, type) and issubclass(kind, Section)


def as_written(default: object) -> str:
    """A default as the page has it: as TOML, a dash where there is none."""
    if default is None or default is PydanticUndefined:
        return "–"
    return f"`{json.dumps(default)}`"


def test_every_setting_is_documented_with_its_default() -> None:
    rows = DOCUMENTED.read_text().splitlines()
    found = dict(leaves(Settings))
    assert "agents.NAME.limits.memory_max" in found
    for name, default in found.items():
        assert any(row.startswith(f"| `{name}` | {as_written(default)} |") for row in rows), name
    told = {
        name
        for row in rows
        if (name := row.removeprefix("| `").partition("`")[0]) in row and "` | " in row and len(name) > 1
    }
    assert told - set(found) == {one.id for one in actions.ACTIONS} - set(found)  # review.preview is both


def test_every_action_is_documented_with_its_keys() -> None:
    text = DOCUMENTED.read_text()
    for one in actions.ACTIONS:
        shown = " ".join(f"`{keymap.display_key(key)}`" for key in keymap.split_keys(one.keys))
        assert f"| `{one.id}` | {shown} | {one.tooltip} |" in text


async def test_a_log_keeps_as_many_lines_as_the_settings_say(tmp_path: Path) -> None:
    hive = await open_embedded_hive(tmp_path / "h", Settings(), from_environment({}))
    state = HiveState(description=hive.description)
    screen = catalogue.make_screen("logs", hive, state, settings=ConsoleSection(log_lines=2000))
    view = next(one for one in screen.body() if isinstance(one, LogView))
    assert view.store.limit == 2000


SSH = "192.0.2.1 50000 192.0.2.2 22"


@pytest.mark.parametrize(
    ("variables", "is_taken"),
    [
        ({}, True),
        ({"SSH_CONNECTION": SSH}, False),
        pytest.param({"SSH_TTY": "/dev/pts/1"}, False, marks=pytest.mark.slow),
        pytest.param({"SSH_CONNECTION": SSH, "HIVETUI_CONSOLE__MOUSE": "true"}, True, marks=pytest.mark.slow),
        pytest.param({"HIVETUI_CONSOLE__MOUSE": "false"}, False, marks=pytest.mark.slow),
    ],
    ids=["here", "ssh", "ssh-tty", "ssh-but-wanted", "not-wanted"],
)
def test_the_mouse_is_left_to_the_terminal_over_ssh_and_where_it_is_not_wanted(
    home: Home, terminal: Opened, variables: dict[str, str], is_taken: bool
) -> None:
    opened = terminal(**variables)
    opened.until(*home.agents)
    assert opened.modes_on & {"9", "1000", "1002", "1003", "1005", "1006", "1015"} == (
        {"1000", "1002", "1006"} if is_taken else set()
    )
    opened.type("q")
    assert opened.ended() == 0
    assert opened.is_restored()
    assert b"?1003h" not in opened.written
