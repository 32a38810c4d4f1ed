"""Texts of the console name the keys that the operator has set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from textual import events
from textual.keys import _character_to_key

from hivetui.app import HiveConsole
from hivetui.console import keymap
from hivetui.engine.model.settings import ConsoleSection, Settings
from hivetui.screens.listing import ListScreen
from hivetui.screens.prompt_line import PromptLine
from tests.visual import moment
from tests.visual.still_hive import StillHive

if TYPE_CHECKING:
    from textual.pilot import Pilot

KEYS = {
    "agents.spawn": "plus",
    "everywhere.back": "ctrl+x",
    "list.filter": "ampersand",
    "prompt.submit": "ctrl+j",
    "proposals.state": "E",
}


def console() -> HiveConsole:
    async def opener() -> StillHive:
        return StillHive()

    return HiveConsole(opener, lambda: Settings(console=ConsoleSection(keys=KEYS)), lambda: moment.NOW)


async def shown(app: HiveConsole, pilot: Pilot[int]) -> ListScreen:
    """The list that the console begins with, when it has its rows."""
    while not isinstance(app.screen, ListScreen) or not app.screen.is_mounted or not app.screen.table.shown:
        await pilot.pause(0.01)
    return app.screen


async def test_a_list_and_its_prompt_name_the_keys_that_are_set() -> None:
    app = console()
    async with app.run_test(size=(160, 40)) as pilot:
        screen = await shown(app, pilot)
        await pilot.press("ampersand")
        prompt = screen.query_one(PromptLine)
        assert "^j keeps it, ^x clears it" in prompt.placeholder
        await pilot.press(*"nothing has this")
        assert screen.table.empty.endswith("^x clears the filter.")


async def test_a_key_is_named_as_set_within_the_app_and_by_default_outside_of_one() -> None:
    assert keymap.current_key("agents.spawn") == "c"
    named: list[str] = []
    app = console()
    async with app.run_test() as pilot:
        await shown(app, pilot)
        app.call_later(lambda: named.append(keymap.current_key("agents.spawn")))
        await pilot.pause()
    assert named == ["+"]


def test_every_character_names_its_own_key() -> None:
    for character in map(chr, range(0x21, 0x7F)):
        assert keymap.display_key(_character_to_key(character)) == character
    assert [keymap.display_key(key) for key in ("euro_sign", "ä", "ctrl+at", "alt+percent_sign")] == [
        "€",
        "ä",
        "^@",
        "alt+%",
    ]
    assert [keymap.display_key(key) for key in ("space", "escape", "tab", "f5")] == ["space", "esc", "tab", "f5"]


@pytest.mark.parametrize("character", ["%", "_", "\\", "»", "漢"])
async def test_a_key_without_a_meaning_is_named_by_its_character(character: str) -> None:
    app = console()
    async with app.run_test(size=(160, 40)) as pilot:
        await shown(app, pilot)
        app.post_message(events.Key(_character_to_key(character), character))
        while not app._notifications:
            await pilot.pause(0.01)
        assert [one.title for one in app._notifications] == [f"{character} does nothing here"]


def test_a_key_that_was_pressed_is_named_by_what_it_typed() -> None:
    assert keymap.display_pressed("left_pointing_double_angle_quotation_mark", "«") == "«"
    assert keymap.display_pressed("space", " ") == "space"
    assert keymap.display_pressed("alt+percent_sign", "%") == "alt+%"
    assert keymap.display_pressed("escape", "\x1b") == "esc"
