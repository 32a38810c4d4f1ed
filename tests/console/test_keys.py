"""The one table of actions is whole: what it says of keys holds on every screen, and what is re-mapped is told."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from hivetui.app import HiveConsole
from hivetui.console import keymap
from hivetui.console.state import HiveState
from hivetui.embedded.hive import open_embedded_hive
from hivetui.engine.host.operators import from_environment
from hivetui.engine.model.settings import Settings
from hivetui.screens import catalogue
from hivetui.screens.base import HiveScreen, ScreenName

if TYPE_CHECKING:
    from textual.binding import Binding

NAMES = get_args(ScreenName)
SHARED = ("everywhere", "list", "search")


@pytest.fixture(scope="module")
async def screens(tmp_path_factory: pytest.TempPathFactory) -> dict[str, HiveScreen]:
    """Every screen, on a hive that is really there."""
    folder: Path = tmp_path_factory.mktemp("keys") / "h"
    hive = await open_embedded_hive(folder, Settings(), from_environment({}))
    state = HiveState(description=hive.description)
    return {place: catalogue.make_screen(place, hive, state, number=1) for place in NAMES}


def own(screen: HiveScreen) -> list[tuple[str, Binding]]:
    """(key, binding) of a screen itself, its groups and its parents."""
    return [(key, binding) for key, found in screen._bindings.key_to_bindings.items() for binding in found]


def test_ids_are_unique_and_everything_is_said() -> None:
    assert [name for name, count in Counter(one.id for one in keymap.ACTIONS).items() if count > 1] == []
    for one in keymap.ACTIONS:
        assert one.group
        assert one.method.isidentifier()
        assert one.label
        assert len(one.tooltip) > len("short")
        assert keymap.split_keys(one.keys)


def test_default_keys_survive_every_line_between_here_and_there() -> None:
    """No alt, no function keys, nothing that tmux, flow control or a line discipline takes."""
    taken = {"ctrl+b", "ctrl+s", "ctrl+q", "ctrl+c", "ctrl+m", "ctrl+i", "ctrl+j", "ctrl+h"}
    for one in keymap.ACTIONS:
        for key in keymap.split_keys(one.keys):
            assert key not in taken, one.id
            assert not key.startswith(("alt+", "f1", "ctrl+shift")), one.id


@pytest.mark.parametrize("place", NAMES)
async def test_no_key_means_two_things_on_a_screen(screens: dict[str, HiveScreen], place: str) -> None:
    meant: dict[str, set[str | None]] = {}
    for key, binding in own(screens[place]):
        meant.setdefault(key, set()).add(binding.id)
    assert {key: ids for key, ids in meant.items() if len(ids) > 1} == {}


@pytest.mark.parametrize("place", NAMES)
async def test_a_screen_takes_no_key_from_what_works_everywhere(screens: dict[str, HiveScreen], place: str) -> None:
    everywhere = {
        key: one.id for one in keymap.ACTIONS if one.group == "everywhere" for key in keymap.split_keys(one.keys)
    }  # fmt: skip
    clashes = {key: binding.id for key, binding in own(screens[place]) if everywhere.get(key, binding.id) != binding.id}
    assert clashes == {}


@pytest.mark.parametrize("place", NAMES)
async def test_every_action_that_a_screen_binds_is_there(screens: dict[str, HiveScreen], place: str) -> None:
    screen = screens[place]
    known = {one.id: one for one in keymap.ACTIONS}
    for _, binding in own(screen):
        if binding.id is None:  # Textual's own
            continue
        assert hasattr(screen, f"action_{binding.action}"), binding.id
        assert binding.tooltip == known[binding.id].tooltip


async def test_every_action_of_the_table_is_bound_somewhere(screens: dict[str, HiveScreen]) -> None:
    bound = {binding.id for screen in screens.values() for _, binding in own(screen)}
    console = {one.id for one in keymap.ACTIONS if hasattr(HiveConsole, f"action_{one.method}")}
    lost = {one.id for one in keymap.ACTIONS} - bound - {name for name in console if name.startswith("everywhere.")}
    assert lost == set()


def test_what_cannot_be_used_is_said_and_left_out() -> None:
    mapping = {"agents.stpo": "S", "agents.start": "flop,f2", "agents.stop": " ", "logs.filter": ","}
    told = " | ".join(keymap.find_problems(mapping))
    assert "no action 'agents.stpo'; the nearest is 'agents.stop'" in told
    assert "'flop' is no key" in told
    assert "agents.stop has no key" in told
    assert keymap.usable_keys(mapping) == {"agents.start": "f2", "logs.filter": "comma"}


@pytest.mark.parametrize(
    ("written", "shown"), [("question_mark", "?"), ("ctrl+p,colon", "^p"), ("G,end", "G"), ("comma", ",")]
)
def test_a_key_is_shown_as_a_person_writes_it(written: str, shown: str) -> None:
    assert keymap.display_key(written) == shown
