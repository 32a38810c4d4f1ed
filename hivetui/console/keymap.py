"""The one table of actions: id, key, label, tooltip, group, tier.

Bindings of every screen, the line of keys at the bottom, the help screen and the command palette are made from it, and
the configuration file re-maps keys by id (`[console.keys]`). Only keys that survive SSH, tmux and 80x24 are defaults.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum

from textual.binding import Binding, BindingType
from textual.keys import Keys, key_to_character


class Tier(Enum):
    """What it costs to be wrong: at once; asks, with the answer on another key; wants a name typed."""

    AT_ONCE = "at once"
    ASKS = "asks first"
    TYPED = "wants the name typed"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a person can do. `keys` are Textual's names; `id` is `group.method` and public."""

    id: str
    keys: str
    label: str
    tooltip: str
    tier: Tier = Tier.AT_ONCE
    in_footer: bool = True

    @property
    def group(self) -> str:
        """The first part of the id: a screen, or something that several share."""
        return self.id.partition(".")[0]

    @property
    def method(self) -> str:
        """The name of the action method without `action_`."""
        return self.id.partition(".")[2]


ACTIONS: tuple[Action, ...] = (
    # everywhere
    Action("everywhere.help", "question_mark", "help", "Every key of this screen and what it does"),
    Action("everywhere.palette", "ctrl+p,colon", "commands", "Every action by name", in_footer=False),
    Action("everywhere.back", "escape", "back", "Leave this screen, or the search, or the dialog", in_footer=False),
    Action("everywhere.quit", "q", "quit", "Close the console; operations go on"),
    Action(
        "everywhere.theme", "ctrl+t", "theme", "The next theme: dark, light, for colour-blind eyes", in_footer=False
    ),
    Action("everywhere.suspend", "ctrl+z", "suspend", "Back to the shell; fg brings the console back", in_footer=False),
    Action("everywhere.agents", "1", "agents", "Every agent and its state", in_footer=False),
    Action("everywhere.proposals", "2", "proposals", "What waits for a decision", in_footer=False),
    Action("everywhere.operations", "3", "operations", "What runs and ran", in_footer=False),
    Action("everywhere.logs", "4", "logs", "Logs of the marked agents, or of the selected one", in_footer=False),
    Action("everywhere.history", "5", "history", "Every deploy", in_footer=False),
    Action("everywhere.warnings", "6", "warnings", "What is wrong with the hive, and the fix", in_footer=False),
    # lists: the same in every table and view
    Action("list.down", "j,down", "down", "Next row", in_footer=False),
    Action("list.up", "k,up", "up", "Previous row", in_footer=False),
    Action("list.page_down", "pagedown,ctrl+d", "page down", "A page on", in_footer=False),
    Action("list.page_up", "pageup,ctrl+u", "page up", "A page back", in_footer=False),
    Action("list.first", "g,home", "first", "To the beginning", in_footer=False),
    Action("list.last", "G,end", "last", "To the end", in_footer=False),
    Action("list.open", "enter", "open", "Open what is selected"),
    Action("list.filter", "slash", "filter", "Show only rows that contain what you type"),
    Action("list.sort", "S", "sort", "Sort by the next column", in_footer=False),
    Action("list.reverse", "I", "reverse", "Turn the order round", in_footer=False),
    # agents
    Action("agents.review", "p", "review", "The oldest proposal of this agent that waits"),
    Action("agents.logs", "l", "logs", "The log of this agent, or of the marked ones"),
    Action("agents.mark", "space", "mark", "Mark or unmark this agent; actions go to all marked ones"),
    Action("agents.start", "s", "start", "Start the container"),
    Action("agents.stop", "x", "stop", "Stop the container", Tier.ASKS),
    Action("agents.restart", "r", "restart", "Stop, then start", Tier.ASKS),
    Action("agents.rebuild", "b", "rebuild", "Build what is deployed again and restart", Tier.ASKS),
    Action("agents.spawn", "c", "spawn", "Make a new agent", Tier.ASKS),
    Action("agents.operation", "o", "operation", "What runs on this agent, or ran last"),
    Action("agents.history", "h", "history", "The deploys of this agent", in_footer=False),
    Action("agents.fold", "z", "kept", "Show or fold the agents that are gone but kept", in_footer=False),
    Action("agents.detail_down", "J", "detail down", "Scroll the detail down", in_footer=False),
    Action("agents.detail_up", "K", "detail up", "Scroll the detail up", in_footer=False),
    Action("agents.destroy", "D", "destroy", "Remove the container; repos and state stay", Tier.ASKS, in_footer=False),
    Action("agents.purge", "P", "purge", "Destroy, and wipe repos and state", Tier.TYPED, in_footer=False),
    # proposals
    Action("proposals.deny", "d", "deny", "Refuse it, with a note", Tier.ASKS),
    Action("proposals.state", "f", "state", "What waits; all; or only deployed, failed, denied, withdrawn"),
    Action("proposals.agent", "o", "one agent", "Only the proposals of this agent, or those of all"),
    Action("proposals.withdraw", "w", "withdraw", "Take it back undecided", Tier.ASKS),
    # review
    Action("review.approve", "a", "approve", "Build it and deploy it", Tier.ASKS),
    Action("review.deny", "d", "deny", "Refuse it, with a note", Tier.ASKS),
    Action("review.next_hunk", "right_square_bracket", "next change", "To the next change"),
    Action("review.viewed", "v", "viewed", "Mark this file as viewed, and go to the next"),
    Action("review.next_file", "right_curly_bracket,tab", "next file", "To the next file"),
    Action("review.commits", "m", "messages", "The whole message, and the commits one by one"),
    Action("review.files", "f", "files", "Move in the list of files; the difference follows"),
    Action("review.base", "b", "base", "Compare with something else than what runs"),
    Action("review.previous_hunk", "left_square_bracket", "previous change", "To the previous change", in_footer=False),
    Action(
        "review.previous_file", "left_curly_bracket,shift+tab", "previous file", "To the last file", in_footer=False
    ),
    Action("review.more_context", "plus", "more context", "More lines around each change", in_footer=False),
    Action("review.less_context", "minus", "less context", "Fewer lines around each change", in_footer=False),
    Action("review.whitespace", "w", "whitespace", "Ignore or show changes of blanks", in_footer=False),
    Action("review.sides", "u", "side by side", "Unified, or side by side (from 140 columns)", in_footer=False),
    Action("review.left", "h,left", "left", "Scroll left", in_footer=False),
    Action("review.right", "l,right", "right", "Scroll right", in_footer=False),
    # search in a view
    Action("search.find", "slash", "search", "Find text"),
    Action("search.next", "n", "next", "Next match", in_footer=False),
    Action("search.previous", "N", "previous", "Previous match", in_footer=False),
    # operation
    Action("operation.cancel", "X", "cancel", "End it and its children", Tier.ASKS),
    Action("operation.next_error", "e", "next error", "To the next line that tells of an error"),
    Action("operation.commands", "i", "commands", "Show or hide what was run (argv)"),
    Action("operation.follow", "f", "follow", "Go to the end and stay there"),
    Action("operation.log", "o", "its log", "The log of the agent that it is about"),
    Action("operation.wrap", "w", "wrap", "Wrap long lines or cut them", in_footer=False),
    Action("operation.left", "h,left", "left", "Scroll left", in_footer=False),
    Action("operation.right", "l,right", "right", "Scroll right", in_footer=False),
    Action("operation.copy", "y", "copy", "Copy the visible lines to your clipboard (OSC 52)", in_footer=False),
    # operations
    Action("operations.state", "f", "ended", "What runs, or what ran too"),
    Action("operations.cancel", "X", "cancel", "End it and its children", Tier.ASKS),
    # logs
    Action("logs.freeze", "f,space", "freeze", "Freeze the view, or follow again"),
    Action("logs.filter", "ampersand", "filter", "Show only lines that match a regular expression"),
    Action("logs.invert", "exclamation_mark", "invert", "Show the lines that do not match", in_footer=False),
    Action("logs.tail", "t", "tail", "How many lines, or since when"),
    Action("logs.agents", "a", "agents", "Choose whose logs"),
    Action("logs.wrap", "w", "wrap", "Wrap long lines or cut them"),
    Action("logs.left", "h,left", "left", "Scroll left", in_footer=False),
    Action("logs.right", "l,right", "right", "Scroll right", in_footer=False),
    Action("logs.times", "T", "times", "Show or hide timestamps", in_footer=False),
    Action("logs.sources", "o", "sources", "Show or hide the column of agents", in_footer=False),
    Action("logs.select", "v", "select", "Begin to select lines, j and k go on, y copies them", in_footer=False),
    Action("logs.copy", "y", "copy", "Copy the selected or visible lines to your clipboard (OSC 52)"),
    Action("logs.save", "s", "save", "Save all that the filter leaves to a file of yours"),
    # history
    Action("history.rollback", "R", "roll back", "Deploy this commit again", Tier.ASKS),
    Action("history.agent", "f", "one or all", "The deploys of the selected agent only, or of all"),
    # warnings
    Action("warnings.fix", "f", "fix", "Do what mends it, or say how", Tier.ASKS),
)


def bindings(*groups: str, only: frozenset[str] | None = None) -> list[BindingType]:
    """The bindings of a screen: those of each group in the order of the table, or only some methods of them."""
    return [
        Binding(one.keys, one.method, one.label, show=one.in_footer, tooltip=one.tooltip, id=one.id)
        for one in ACTIONS
        if one.group in groups and (only is None or one.method in only)
    ]


def action_of(name: str) -> Action:
    """The action of an id."""
    return next(one for one in ACTIONS if one.id == name)


def find_problems(mapping: Mapping[str, str]) -> Iterator[str]:
    """A sentence for every line of a `[console.keys]` table that cannot be used."""
    known = [one.id for one in ACTIONS]
    for name, keys in mapping.items():
        if name not in known:
            near = get_close_matches(name, known, 1)
            yield f"no action {name[:60]!r}" + (f"; the nearest is {near[0]!r}" if near else "")
        for key in split_keys(keys):
            if not _is_key(key):
                yield f"{name[:60]} = {keys[:60]!r}: {key[:20]!r} is no key; keys are written as x, X, ?, ctrl+x, space"
        if not split_keys(keys):
            yield f"{name[:60]} has no key"


_PLACES = {one.id: table_position for table_position, one in enumerate(ACTIONS)}
_FIRST_KEYS = {one.id: one.keys.partition(",")[0] for one in ACTIONS}


def table_position(binding: Binding) -> tuple[int, bool]:
    """Where a binding belongs in the order of the table; of several keys of one action the first comes first."""
    name = binding.id or ""
    return _PLACES.get(name, len(ACTIONS)), _FIRST_KEYS.get(name) != binding.key


def usable_keys(mapping: Mapping[str, str]) -> dict[str, str]:
    """The lines that can be used, as Textual's keymap."""
    known = {one.id for one in ACTIONS}
    rows = {name: [key for key in split_keys(keys) if _is_key(key)] for name, keys in mapping.items()}
    return {
        name: ",".join("comma" if key == "," else key for key in keys)
        for name, keys in rows.items()
        if keys and name in known
    }


def split_keys(keys: str) -> list[str]:
    """Single keys; a comma is a key where it stands alone."""
    return [","] if keys.strip() == "," else [key.strip() for key in keys.split(",") if key.strip()]


def _is_key(key: str) -> bool:
    if len(key) == 1:
        return key.isprintable()
    *modifiers, last = key.split("+")
    return all(one in _MODIFIERS for one in modifiers) and (last in _NAMED or key_to_character(last) is not None)


_MODIFIERS = ("ctrl", "shift", "alt")
_NAMED = frozenset(key.value for key in Keys)
_SHOWN = {
    "question_mark": "?",
    "escape": "esc",
    "slash": "/",
    "space": "space",
    "enter": "enter",
    "right_square_bracket": "]",
    "left_square_bracket": "[",
    "right_curly_bracket": "}",
    "left_curly_bracket": "{",
    "ampersand": "&",
    "exclamation_mark": "!",
    "plus": "+",
    "minus": "-",
    "colon": ":",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "comma": ",",
    "full_stop": ".",
    "tilde": "~",
    "number_sign": "#",
    "asterisk": "*",
    "equals_sign": "=",
}


def display_key(keys: str) -> str:
    """How the first of some keys is written for a person."""
    first = split_keys(keys)[0]
    return _SHOWN.get(first, first.replace("ctrl+", "^"))


def display_keys(action: Action, keymap: Mapping[str, str]) -> str:
    """Every key of an action, as a keymap has it or by default, for a person."""
    return " ".join(display_key(key) for key in split_keys(keymap.get(action.id, action.keys)))
