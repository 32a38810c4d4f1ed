"""The table of actions is complete: its keys hold on every screen and dialog, and bad re-mappings are reported."""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

from hivetui.app import HiveConsole
from hivetui.console import actions, keymap
from hivetui.console.state import HiveState
from hivetui.embedded.hive import open_embedded_hive
from hivetui.engine.host.operators import from_environment
from hivetui.engine.model.findings import Assessment
from hivetui.engine.model.settings import Settings
from hivetui.screens import catalogue
from hivetui.screens.base import HiveScreen, ScreenName
from hivetui.screens.dialogs.agents import AgentsDialog
from hivetui.screens.dialogs.choice import ChoiceDialog
from hivetui.screens.dialogs.confirm import ConfirmDialog
from hivetui.screens.dialogs.pages import PagesDialog
from hivetui.screens.dialogs.spawn import SpawnDialog
from hivetui.screens.dialogs.text import TextDialog, TypedInput
from hivetui.screens.prompt_line import PromptLine
from hivetui.screens.review.contents import Acknowledgements
from hivetui.screens.review.cuts_dialog import CutsDialog
from hivetui.screens.review.findings_dialog import FindingsDialog

if TYPE_CHECKING:
    from textual.binding import Binding
    from textual.dom import DOMNode
    from textual.screen import Screen

    from hivetui.engine.api import Hive
    from tests.console.conftest import Seat, Seated

DOCUMENTED = Path(__file__).parents[2] / "docs/settings.md"
NAMES = get_args(ScreenName)
TEXTUALS_OWN = {"tab", "shift+tab", "ctrl+c", "super+c"}


@pytest.fixture(scope="module")
async def screens(tmp_path_factory: pytest.TempPathFactory) -> dict[str, HiveScreen]:
    """Every screen, on a hive that is really there."""
    folder: Path = tmp_path_factory.mktemp("keys") / "h"
    hive = await open_embedded_hive(folder, Settings(), from_environment({}))
    state = HiveState(description=hive.description)
    return {name: catalogue.make_screen(name, hive, state, number=1) for name in NAMES}


def dialogs(hive: Hive) -> list[Screen[Any]]:
    """One of each kind."""
    return [
        ConfirmDialog("?", (), "stop"),
        TextDialog("?", (), "text"),
        ChoiceDialog("?", [("a", "A")]),
        AgentsDialog("?", (), ()),
        PagesDialog("?", []),
        CutsDialog([], 0, lambda cut: None),
        SpawnDialog(hive),
        FindingsDialog(Assessment(), Acknowledgements(), lambda: None),
    ]


def own(node: DOMNode) -> list[tuple[str, Binding]]:
    """(key, binding) of a screen or input itself, its groups and its parents."""
    return [(key, binding) for key, found in node._bindings.key_to_bindings.items() for binding in found]


def test_ids_are_unique_and_everything_is_described() -> None:
    assert [name for name, count in Counter(one.id for one in actions.ACTIONS).items() if count > 1] == []
    for one in actions.ACTIONS:
        assert one.group
        assert one.method.isidentifier()
        assert one.label
        assert len(one.tooltip) > len("short")
        assert keymap.split_keys(one.keys)


def test_default_keys_survive_every_line_between_here_and_there() -> None:
    """No alt, no function keys, nothing that tmux, flow control or a line discipline takes."""
    taken = {"ctrl+b", "ctrl+s", "ctrl+q", "ctrl+c", "ctrl+m", "ctrl+i", "ctrl+j", "ctrl+h"}
    for one in actions.ACTIONS:
        survive = [key for key in keymap.split_keys(one.keys) if key not in taken]
        assert survive, one.id
        assert taken & set(keymap.split_keys(one.keys)) <= {"ctrl+b"}, one.id
        for key in survive:
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
        key: one.id for one in actions.ACTIONS if one.group == "everywhere" for key in keymap.split_keys(one.keys)
    }  # fmt: skip
    clashes = {key: binding.id for key, binding in own(screens[place]) if everywhere.get(key, binding.id) != binding.id}
    assert clashes == {}


@pytest.mark.parametrize("place", NAMES)
async def test_every_action_that_a_screen_binds_is_there(screens: dict[str, HiveScreen], place: str) -> None:
    screen = screens[place]
    known = {one.id: one for one in actions.ACTIONS}
    for _, binding in own(screen):
        if binding.id is None:  # Textual's own
            continue
        assert hasattr(screen, f"action_{binding.action}"), binding.id
        assert binding.tooltip == known[binding.id].tooltip


async def test_every_action_of_the_table_is_bound_somewhere(screens: dict[str, HiveScreen]) -> None:
    nodes: list[DOMNode] = [*screens.values(), *dialogs(screens["agents"].hive), TypedInput("", True), PromptLine()]
    bound = {binding.id for node in nodes for _, binding in own(node)}
    console = {one.id for one in actions.ACTIONS if hasattr(HiveConsole, f"action_{one.method}")}
    lost = {one.id for one in actions.ACTIONS} - bound - {name for name in console if name.startswith("everywhere.")}
    assert lost == set()


def test_what_cannot_be_used_is_said_and_left_out() -> None:
    mapping = {"agents.stpo": "S", "agents.start": "flop,f2", "agents.stop": " ", "logs.filter": ","}
    told = " | ".join(keymap.find_problems(mapping))
    assert "unknown action 'agents.stpo'; the nearest is 'agents.stop'" in told
    assert "unknown key 'flop'" in told
    assert "agents.stop has no key" in told
    assert keymap.usable_keys(mapping) == {"agents.start": "f2", "logs.filter": "comma"}


@pytest.mark.parametrize(
    ("written", "shown"), [("question_mark", "?"), ("ctrl+p,colon", "^p"), ("G,end", "G"), ("comma", ",")]
)
def test_a_key_is_shown_as_a_person_writes_it(written: str, shown: str) -> None:
    assert keymap.display_key(written) == shown


@pytest.mark.parametrize(
    ("mapping", "refused"),
    [
        ({"dialog.confirm": "x"}, "dialog.confirm"),
        ({"dialog.confirm": "enter"}, "dialog.confirm"),
        ({"dialog.confirm": "escape"}, "dialog.confirm"),
        ({"agents.stop": "y"}, "agents.stop"),
        ({"dialog.choose": "y"}, "dialog.choose"),
        ({"dialog.refuse": "y"}, "dialog.refuse"),
        ({"dialog.confirm": "+", "agents.spawn": "plus"}, "dialog.confirm"),
    ],
)
def test_the_key_that_asks_a_question_or_refuses_it_never_confirms_it(mapping: dict[str, str], refused: str) -> None:
    (problem,) = keymap.find_problems(mapping)
    assert problem.startswith(f"{refused}: ")
    assert "the answer needs a key of its own" in problem
    assert set(keymap.usable_keys(mapping)) == set(mapping) - {refused}


def test_question_and_answer_may_swap_their_keys() -> None:
    mapping = {"dialog.confirm": "x", "agents.stop": "y"}
    assert list(keymap.find_problems(mapping)) == []
    assert keymap.usable_keys(mapping) == mapping


@pytest.mark.parametrize("name", ["dialog.leave", "dialog.submit", "prompt.submit"])
@pytest.mark.parametrize("key", ["Q", "plus", "space"])
def test_a_key_that_types_a_character_neither_submits_nor_leaves_a_text(name: str, key: str) -> None:
    (problem,) = keymap.find_problems({name: key})
    assert "types a character" in problem
    assert keymap.usable_keys({name: key}) == {}


async def test_every_key_of_a_dialog_is_in_the_table(screens: dict[str, HiveScreen]) -> None:
    for dialog in dialogs(screens["agents"].hive):
        for key, binding in own(dialog):
            if binding.id is None:
                assert key in TEXTUALS_OWN, (dialog, key)
            else:
                assert hasattr(dialog, f"action_{binding.action}"), binding.id
                assert binding.tooltip == keymap.action_of(binding.id).tooltip


async def test_no_key_means_two_things_in_a_dialog(screens: dict[str, HiveScreen]) -> None:
    for dialog in dialogs(screens["agents"].hive):
        ids = Counter(key for key, _ in own(dialog))
        assert [key for key, count in ids.items() if count > 1] == [], dialog


def test_the_key_that_submits_a_text_is_in_the_table_for_dialogs_and_prompts() -> None:
    for line, name in ((TypedInput("", True), "dialog.submit"), (PromptLine(), "prompt.submit")):
        assert [(key, binding.id) for key, binding in own(line) if binding.action == "submit"] == [("enter", name)]


def test_a_key_given_to_two_actions_of_a_screen_is_reported() -> None:
    problems = list(keymap.find_problems({"agents.stop": "r", "logs.wrap": "Y"}))
    assert problems == ["agents.stop: 'r' is also a key of agents.restart there; only one of them has it"]


@pytest.mark.parametrize(
    ("name", "key", "other"),
    [
        ("dialog.refuse", "pagedown", "dialog.details_down"),
        ("dialog.mark", "j", "dialog.next"),
        ("dialog.close", "a", "dialog.mark_all"),
        ("pages.next", "m", "pages.close"),
        ("findings.acknowledge", "F", "findings.close"),
        ("prompt.submit", "escape", "everywhere.back"),
        ("view.forward", "w", "review.wrap"),
        ("everywhere.theme", "1", "everywhere.agents"),
    ],
)
def test_a_key_given_to_two_actions_of_a_dialog_or_of_every_screen_is_reported(name: str, key: str, other: str) -> None:
    problems = list(keymap.find_problems({name: key}))
    assert any(one.startswith(f"{name}: {key!r} is also a key of {other}") for one in problems), problems


def test_the_default_keys_are_no_conflict_when_they_are_written_down() -> None:
    assert list(keymap.find_problems({one.id: one.keys for one in actions.ACTIONS})) == []


def test_a_key_of_other_screens_only_may_be_used_again() -> None:
    assert list(keymap.find_problems({"agents.stop": "a", "logs.wrap": "d"})) == []


def test_the_groups_of_a_screen_are_those_that_it_binds(screens: dict[str, HiveScreen]) -> None:
    shared = {"everywhere"}
    for name, screen in screens.items():
        bound = {binding.id.partition(".")[0] for _, binding in own(screen) if binding.id} - shared
        assert bound == set(actions.SCREEN_GROUPS[screen.TAB]), name


def test_what_several_screens_have_is_on_one_key() -> None:
    groups = {group for of_screen in actions.SCREEN_GROUPS.values() for group in of_screen}
    keys: dict[str, set[str]] = {}
    for one in actions.ACTIONS:
        if one.group in groups:
            keys.setdefault(one.method, set()).add(one.keys)
    several = {method for method, found in keys.items() if len(found) > 1}
    assert several == {"filter"}  # of a list by /, with which a view searches; it filters with &, as in less


def test_f_only_filters_by_state() -> None:
    assert {one.method for one in actions.ACTIONS if "f" in keymap.split_keys(one.keys)} == {"state", "outcome"}


SEVERAL_MEANINGS = frozenset("abcFhlnpstvwy")
"""The letters that habit, or the first letter of a word, gives more than one meaning; docs/settings.md has which."""


def read_letters() -> list[tuple[str, str, set[str]]]:
    """The table of letters in docs/settings.md: letter, meaning, ids of actions."""
    rows = re.findall(r"^\| `([A-Za-z])` \| ([^|]+) \| ([^|]+) \|$", DOCUMENTED.read_text(), re.MULTILINE)
    return [(letter, meaning, set(re.findall(r"`([^`]+)`", ids))) for letter, meaning, ids in rows]


def test_a_letter_has_one_meaning_but_for_those_of_habit() -> None:
    rows = read_letters()
    letters = Counter(letter for letter, _, _ in rows)
    assert {letter for letter, count in letters.items() if count > 1} == SEVERAL_MEANINGS
    assert max(letters.values()) == letters["s"] == len(("start", "save", "since"))
    explained = [(letter, name) for letter, _, ids in rows for name in ids]
    bound = [
        (key, one.id) for one in actions.ACTIONS for key in keymap.split_keys(one.keys) if re.match("[A-Za-z]$", key)
    ]
    assert Counter(explained) == Counter(bound)


def test_meanings_of_one_letter_never_meet_on_a_screen_or_with_what_works_everywhere() -> None:
    groups = {frozenset((*found, "everywhere")) for found in actions.SCREEN_GROUPS.values()}
    for letter in SEVERAL_MEANINGS:
        meanings = [{name.partition(".")[0] for name in ids} for found, _, ids in read_letters() if found == letter]
        for one, other in combinations(meanings, 2):
            assert not [screen for screen in groups if screen & one and screen & other], letter


HABITS = (
    *("space", "ctrl+f", "ctrl+b", "ctrl+d", "ctrl+u", "d", "u", "f", "b", "y", "a", "n", "N", "g", "G", "slash"),
    *("question_mark", "escape", "q", "Q", "colon", "h", "j", "k", "l", "left", "right", "tab", "enter", "home", "end"),
    *("pageup", "pagedown"),
)
"""Keys that users of less, k9s, lazygit and lnav press."""


@pytest.mark.parametrize("place", NAMES)
async def test_a_key_of_habit_does_something_on_every_screen_or_says_what_does(
    screens: dict[str, HiveScreen], place: str
) -> None:
    everywhere = {one for action in actions.ACTIONS if action.group == "everywhere" for one in action.keys.split(",")}
    bound = {key: binding.id for key, binding in own(screens[place]) if binding.id is not None}
    for key in set(HABITS) - set(bound) - everywhere:
        told = keymap.describe_unbound(key, {}, set(bound.values()))
        assert told.startswith(("Here, ", "Elsewhere: ")), key


@pytest.mark.parametrize(
    ("place", "key", "told"),
    [
        ("logs", "d", "Here, page down is pgdn. Elsewhere: deny (proposals), deny (review)."),
        ("logs", "u", "Here, page up is pgup. Elsewhere: side by side (review)."),
        ("agents", "n", "Here, filter is /. Elsewhere: next (review), next (operation), next (logs)."),
        ("operations", "l", "Here, open is enter. Elsewhere: logs (agents), "),
        ("logs", "enter", "Here, down is j. Elsewhere: open (agents), "),
        ("history", "space", "Here, page down is pgdn. Elsewhere: mark (agents), "),
    ],
)
async def test_what_to_press_in_place_of_a_key_of_habit_is_named_first(
    screens: dict[str, HiveScreen], place: str, key: str, told: str
) -> None:
    here = {binding.id or "" for _, binding in own(screens[place])}
    assert keymap.describe_unbound(key, {}, here).startswith(told)


@pytest.mark.parametrize("kind", [AgentsDialog, PagesDialog, CutsDialog, FindingsDialog])
async def test_lists_in_dialogs_are_moved_in_as_everywhere(screens: dict[str, HiveScreen], kind: type) -> None:
    moves = {"j", "k", "g", "G", "home", "end", "ctrl+f", "ctrl+b", "ctrl+d", "ctrl+u", "pagedown", "pageup"}
    (dialog,) = [one for one in dialogs(screens["agents"].hive) if isinstance(one, kind)]
    assert moves <= {key for key, binding in own(dialog) if binding.id is not None}


def is_at(seat: Seat, place: str) -> bool:
    """Whether this screen is in front, and no dialog."""
    return bool(getattr(seat.app.screen, "TAB", "") == place)


@pytest.mark.slow
async def test_a_key_that_does_nothing_says_so_on_every_screen_and_esc_and_q_close_each(seated: Seated) -> None:
    silent = {"agents": "y", "proposals": "left", "operations": "d", "logs": "u", "history": "tab", "warnings": "enter"}
    async with seated(size=(80, 24)) as seat:
        for number, (place, key) in enumerate(silent.items(), 1):
            for close in ("escape", "q"):
                if place == "agents" and close == "q":
                    continue
                await seat.press(str(number))
                await seat.when(partial(is_at, seat, place))
                seat.app.clear_notifications()
                await seat.press("H")
                await seat.notified("H does nothing here ? shows the keys of this screen.")
                if place != "warnings":
                    await seat.press(key)
                    await seat.notified(f"{keymap.display_key(key)} does nothing here")
                await seat.press(close)
                await seat.when(partial(is_at, seat, "agents"))
        seat.app.clear_notifications()
        await seat.press("x")
        await seat.until("Stop ")
        await seat.answer("G")
        await seat.notified("G does nothing here")
        await seat.notified("y yes")
        await seat.press("escape")
        await seat.when(partial(is_at, seat, "agents"))
