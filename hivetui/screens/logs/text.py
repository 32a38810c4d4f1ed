"""What the screen of logs says besides their lines. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.content import Content

from hivetui.console.keymap import current_key
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.logs import LogQuery
from hivetui.engine.model.text import safe
from hivetui.engine.model.times import format_date_time
from hivetui.screens.logs.tail import Tail
from hivetui.widgets import wording

_HUES = {"green": "success", "blue": "primary", "magenta": "secondary", "cyan": "accent", "yellow": "warning"}
"""The hues of agents in a LogView, and the colours of the theme that stand for them in the heading."""


def how_to_spawn() -> str:
    """What to do where there are no agents."""
    return f"Press {current_key('everywhere.agents')}, then {current_key('agents.spawn')} to spawn one."


def describe_loading(agents: Sequence[str]) -> str:
    """What the view says before the first line."""
    if not agents:
        return f"No agents yet, so there are no logs. {how_to_spawn()}"
    return f"Loading the log of {', '.join(agents)} …"


def choose_hues(agents: Sequence[str]) -> dict[str, str]:
    """A hue for each agent; they repeat where there are more agents than hues."""
    hues = list(_HUES)
    return {name: hues[number % len(hues)] for number, name in enumerate(agents)}


def build_heading(agents: Sequence[str], states: Mapping[str, AgentState], tail: Tail) -> Content:
    """Whose logs these are, the state of each agent, and how much is shown."""
    hues = choose_hues(agents)
    parts: list[Content | str | tuple[str, str]] = []
    for name in agents:
        glyph = wording.AGENT_GLYPHS[states[name]][0] if name in states else "?"
        parts += [(f"{glyph} {safe(name)}", f"${_HUES[hues[name]]}"), "  "]
    return Content.assemble(*parts, (f"{tail.describe()}, times in UTC", "$foreground 70%"))


def explain_empty(query: LogQuery, states: Mapping[str, AgentState]) -> str:
    """Why there is no line; not yet safe."""
    agents = ", ".join(f"{name} ({_describe(name, states)})" for name in query.agents)
    more = f"({current_key('logs.tail')}: show more)"
    since = f" since {format_date_time(query.since)} UTC {more}" if query.since else ""
    is_running = any(states.get(name) is AgentState.RUNNING for name in query.agents)
    outlook = "New lines appear as they come." if is_running else "Not running."
    return f"{agents}: nothing logged{since}. {outlook}"


def _describe(name: str, states: Mapping[str, AgentState]) -> str:
    return wording.agent_state_label(states[name]) if name in states else "no such agent"
