"""What the settings file says of the console is so; what is wrong in it is said in words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.console.conftest import Home, Opened, Terminal


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
        "Write theme in place of thme.",
    ]


def test_a_file_that_is_not_there_is_said_too(terminal: Opened) -> None:
    opened = terminal("--config", "/nonexistent/settings.toml")
    assert opened.ended() == 78
    assert opened.is_restored()
    assert "Traceback" not in opened.errors
    assert len(opened.errors.splitlines()) == 3


def test_a_key_of_ones_own_works_and_is_shown_wherever_keys_are(terminal: Opened, home: Home, tmp_path: Path) -> None:
    keys = '[console.keys]\n"everywhere.help" = "H"\n"everywhere.quit" = "Q"\n"everywhere.history" = "9"\n'
    opened = terminal("--config", written(tmp_path, keys))
    opened.until(*home.agents, "H help", "9 history")
    opened.type("?q5")  # what they were does nothing now
    opened.type("9")
    opened.until("[9 history")
    opened.type("H")
    opened.until("Q            quit", "9            history")
    opened.type("\x1b")
    opened.gone("Q            quit")
    opened.type(":")
    opened.until("Search")
    opened.type("quit")
    opened.until("quit  (Q)")
    opened.type("\x1b")
    opened.gone("quit  (Q)")
    opened.type("Q")
    assert opened.ended() == 0


def test_columns_are_those_that_were_chosen(terminal: Opened, home: Home, tmp_path: Path) -> None:
    opened = terminal("--config", written(tmp_path, '[console]\ncolumns = ["port", "state"]\n'))
    text = opened.until(*home.agents, "PORT")
    header = next(line for line in text.splitlines() if "PORT" in line)
    assert header.split() == ["NAME", "PORT", "STATE"]


def test_what_only_the_console_cannot_use_is_a_notice(terminal: Opened, home: Home, tmp_path: Path) -> None:
    text = (
        '[console]\ntheme = "pink"\ncolumns = ["size"]\n[console.keys]\n"agents.stpo" = "S"\n"agents.start" = "flop"\n'
    )
    opened = terminal("--config", written(tmp_path, text))
    opened.until("'pink'", "'size'", "'agents.stpo'", "'agents.stop'", "'flop'")
    opened.until(*home.agents)


def test_a_bug_is_told_in_three_lines_and_written_down(home: Home, terminal: Opened, tmp_path: Path) -> None:
    """The bug: what is imported after the first frame is not what it should be."""
    package = tmp_path / "hivetui_broken"
    package.mkdir()
    (package / "sitecustomize.py").write_text(
        "import sys\n"
        "class Broken:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'hivetui.screens.history':\n"
        "            raise LookupError('torn \\x1b]0;x\\x07 secret')\n"
        "sys.meta_path.insert(0, Broken())\n"
    )
    opened: Terminal = terminal(PYTHONPATH=os.pathsep.join((str(package), str(Path.cwd()))))
    opened.until(*home.agents)
    opened.type("5")
    assert opened.ended() == 70
    assert opened.is_restored()
    errors = opened.errors
    what, why, fix = errors.splitlines()
    assert what.startswith("A bug ended the console: LookupError: torn")
    assert "operations go on" in why
    assert "\x1b" not in errors
    log = Path(fix.rpartition(" ")[2])
    assert log.is_relative_to(home.folder.parent / "state/hivetui")
    assert log.stat().st_mode & 0o777 == 0o600
    told = log.read_text()
    assert "LookupError" in told
    assert "catalogue.py" in told
    assert "\x1b" not in told
