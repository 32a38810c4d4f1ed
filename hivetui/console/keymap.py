"""Bindings made from the table of actions, the user's own keys (`[console.keys]`), and how keys are displayed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from textual._context import active_app
from textual.binding import Binding, BindingType
from textual.keys import Keys, _character_to_key, key_to_character

from hivetui.console.actions import ACTIONS, SCREEN_GROUPS, Action
from hivetui.engine.model.acts import Tier

if TYPE_CHECKING:
    from textual.app import App

CONFIRM = "dialog.confirm"
_SAFE_ANSWERS = ("dialog.leave", "dialog.refuse", "dialog.details_down", "dialog.details_up")
"""What a question binds beside the answer yes."""
_IN_TEXT = ("dialog.leave", "dialog.submit", "prompt.submit", "everywhere.back")
"""Actions that must work while a text is typed, so that their keys must not be characters."""

_TABLES_ONLY = frozenset({"list.filter", "list.sort", "list.reverse"})
"""The actions of lists that no view with a search has."""
_TOGETHER: tuple[frozenset[str], ...] = (
    *(
        frozenset(action.id for action in ACTIONS if action.group in (*groups, "everywhere"))
        - (_TABLES_ONLY if "search" in groups else frozenset())
        for groups in SCREEN_GROUPS.values()
    ),
    frozenset(f"dialog.{name}" for name in ("leave", "confirm", "refuse", "details_down", "details_up")),
    frozenset(f"dialog.{name}" for name in ("leave", "submit", "details_down", "details_up")),
    frozenset(
        f"dialog.{name}"
        for name in (
            "leave",
            "close",
            "next",
            "previous",
            "page_down",
            "page_up",
            "first",
            "last",
            "mark",
            "mark_all",
            "choose",
        )
    ),
    *(
        frozenset({"dialog.leave", *(action.id for action in ACTIONS if action.group == group)})
        for group in ("pages", "cuts", "findings")
    ),
    frozenset({"prompt.submit", "everywhere.back"}),
)
"""The ids of the actions whose keys work at the same time: those of each screen, and of each kind of dialog."""

_BY_ID = {action.id: action for action in ACTIONS}
_POSITIONS = {action.id: position for position, action in enumerate(ACTIONS)}
_FIRST_KEYS = {action.id: action.keys.partition(",")[0] for action in ACTIONS}


def bindings(*groups: str, only: frozenset[str] | None = None) -> list[BindingType]:
    """The bindings of a screen: all actions of these groups in the order of the table, or `only` some methods."""
    return [
        Binding(action.keys, action.method, action.label, show=action.in_footer, tooltip=action.tooltip, id=action.id)
        for action in ACTIONS
        if action.group in groups and (only is None or action.method in only)
    ]


def action_of(name: str) -> Action:
    """The action with that id."""
    return _BY_ID[name]


def table_position(binding: Binding) -> tuple[int, bool]:
    """A sort key: the order of the table; of several keys of one action the first default comes first."""
    name = binding.id or ""
    return _POSITIONS.get(name, len(ACTIONS)), _FIRST_KEYS.get(name) != binding.key


# -- the user's keys --------------------------------------------------------------------------------------------


def find_problems(mapping: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each line of a `[console.keys]` table that cannot be used."""
    for name, keys in mapping.items():
        if name not in _BY_ID:
            nearest = get_close_matches(name, _BY_ID, 1)
            yield f"unknown action {name[:60]!r}" + (f"; the nearest is {nearest[0]!r}" if nearest else "")
        for key in split_keys(keys):
            if not _is_key(key):
                yield f"{name[:60]} = {keys[:60]!r}: unknown key {key[:20]!r}; write keys as x, X, ?, ctrl+x, space"
        if not split_keys(keys):
            yield f"{name[:60]} has no key"
    rows = _known_keys(mapping)
    yield from _remove_unsafe(rows)
    yield from _find_conflicts(rows)


def usable_keys(mapping: Mapping[str, str]) -> dict[str, str]:
    """The lines of a `[console.keys]` table that can be used, as a keymap of Textual."""
    rows = _known_keys(mapping)
    for _ in _remove_unsafe(rows):
        pass
    return {name: ",".join("comma" if key == "," else key for key in keys) for name, keys in rows.items()}


def _known_keys(mapping: Mapping[str, str]) -> dict[str, list[str]]:
    """The known keys of each known action that the mapping names; an action without any is left out."""
    rows = {name: [key for key in split_keys(keys) if _is_key(key)] for name, keys in mapping.items()}
    return {name: keys for name, keys in rows.items() if keys and name in _BY_ID}


def _remove_unsafe(rows: dict[str, list[str]]) -> Iterator[str]:
    """Remove the rows that would make an answer unsafe or a dialog a trap; yields a sentence for each."""
    for name in _IN_TEXT:
        if typed := [key for key in rows.get(name, ()) if _types_character(key)]:
            del rows[name]
            yield f"{name}: {typed[0]!r} types a character; choose a key such as enter, escape, ctrl+x"
    while (conflict := _confirm_conflict(rows)) is not None:
        other, key = conflict
        removed = CONFIRM if CONFIRM in rows else other
        del rows[removed]
        yield f"{removed}: {key!r} would be the key of both {other} and {CONFIRM}; the answer needs a key of its own"


def _find_conflicts(rows: Mapping[str, list[str]]) -> Iterator[str]:
    """A sentence for each key that these rows give to two actions of one screen or dialog: only one can have it."""
    said: set[tuple[str, str]] = set()
    for together in _TOGETHER:
        names = [action.id for action in ACTIONS if action.id in together]
        for name in (one for one in rows if one in together):
            keys = {_canonical(key): key for key in rows[name]}
            for other in names:
                shared = keys.keys() & {_canonical(key) for key in _effective_keys(other, rows)}
                if other != name and shared and not {(name, other), (other, name)} & said:
                    said.add((name, other))
                    yield f"{name}: {keys[min(shared)]!r} is also a key of {other} there; only one of them has it"


def _confirm_conflict(rows: Mapping[str, list[str]]) -> tuple[str, str] | None:
    """An action that asks a question, or refuses one, by the key that answers yes; with that key."""
    confirming = {_canonical(key): key for key in _effective_keys(CONFIRM, rows)}
    for action in ACTIONS:
        if action.tier is not Tier.IMMEDIATE or action.id in _SAFE_ANSWERS:
            for key in _effective_keys(action.id, rows):
                if _canonical(key) in confirming:
                    return action.id, confirming[_canonical(key)]
    return None


def _effective_keys(name: str, rows: Mapping[str, list[str]]) -> list[str]:
    return rows.get(name) or split_keys(_BY_ID[name].keys)


def _canonical(key: str) -> str:
    """One spelling of a key: the character that it types, or its name."""
    return _character(key) or key


def _types_character(key: str) -> bool:
    return _character(key).isprintable() and _character(key) != ""


def _character(key: str) -> str:
    """The character that a key types, by itself or by its name in Textual; "" for one that has none."""
    return key if len(key) == 1 else _TYPED_BY.get(key) or key_to_character(key) or ""


def split_keys(keys: str) -> list[str]:
    """The single keys of a comma-separated list; a comma alone is a key."""
    return [","] if keys.strip() == "," else [key.strip() for key in keys.split(",") if key.strip()]


def _is_key(key: str) -> bool:
    if len(key) == 1:
        return key.isprintable()
    *modifiers, last = key.split("+")
    return all(one in _MODIFIERS for one in modifiers) and (last in _NAMED or key_to_character(last) is not None)


_MODIFIERS = ("ctrl", "shift", "alt")
_DISPLAYED = {"escape": "esc", "pagedown": "pgdn", "pageup": "pgup", "space": "space"}
_TYPED_BY = {_character_to_key(char): char for char in map(chr, range(0x21, 0x7F))}
"""The characters by the names that Textual gives to their keys; not every name can be looked up in Unicode."""
_NAMED = frozenset({*(key.value for key in Keys), *_DISPLAYED, *_TYPED_BY})


_HABITS = {
    "list.page_down": ("space", "d", "f", "ctrl+f", "ctrl+d", "pagedown"),
    "list.page_up": ("u", "b", "ctrl+b", "ctrl+u", "pageup"),
    "list.down": ("e", "enter"),
    "list.up": ("y",),
    "search.next": ("n",),
    "search.previous": ("N",),
    "list.filter": ("n", "N", "slash", "ampersand"),
    "list.open": ("l", "right"),
    "everywhere.back": ("h", "left"),
}
"""The keys on which less, k9s, lazygit and lnav have what an action does; a screen may have it on another key."""


def describe_unbound(key: str, rows: Mapping[str, str], here: Collection[str]) -> str:
    """What to press in place of a key that does nothing here, and what it does on other screens; "" for neither.

    `here` are the ids of the actions that are possible now, by a keymap.
    """
    habits = [name for name, keys in _HABITS.items() if _canonical(key) in map(_canonical, keys) and name in here]
    instead = [f"{action_of(name).label} is {display_key(rows.get(name, action_of(name).keys))}" for name in habits[:1]]
    return " ".join([f"Here, {text}." for text in instead] + list(filter(None, [describe_elsewhere(key, rows)])))


def describe_elsewhere(key: str, rows: Mapping[str, str]) -> str | None:
    """What a key does on other screens, as a sentence, by a keymap; None if it does nothing anywhere."""
    uses: dict[str, str] = {}
    for screen, groups in SCREEN_GROUPS.items():
        for action in ACTIONS:
            keys = {_canonical(one) for one in split_keys(rows.get(action.id, action.keys))}
            if action.group in groups and _canonical(key) in keys:
                uses.setdefault(screen, action.label)
    if not uses:
        return None
    return "Elsewhere: " + ", ".join(f"{label} ({screen})" for screen, label in uses.items()) + "."


# -- how keys are displayed -------------------------------------------------------------------------------------


def display_key(keys: str) -> str:
    """The first of these keys as a person writes it."""
    first = split_keys(keys)[0]
    modifiers, plus, last = ("", "", first) if len(first) == 1 else first.rpartition("+")
    shown = _DISPLAYED.get(last) or (_character(last) if _types_character(last) else last)
    return f"{modifiers}{plus}".replace("ctrl+", "^") + shown


def display_pressed(key: str, character: str | None) -> str:
    """A key that was pressed as a person writes it; not every character can be told from the name of its key."""
    is_shown = character is not None and "+" not in key and character.isprintable() and not character.isspace()
    return character if character is not None and is_shown else display_key(key)


def display_keys(action: Action, keymap: Mapping[str, str]) -> str:
    """Every key of an action as a person writes it; by a keymap, or by default."""
    return " ".join(display_key(key) for key in split_keys(keymap.get(action.id, action.keys)))


def display_current_key(app: App[Any], name: str) -> str:
    """The first key of an action as a person writes it, with the keys that are set for this app."""
    return display_key(app._keymap.get(name, action_of(name).keys))


def current_key(name: str) -> str:
    """The same for the app that is running in this task, for texts that name a key; without one the default key."""
    app = active_app.get(None)
    keys = {} if app is None else app._keymap
    return display_key(keys.get(name, action_of(name).keys))
