"""The details of one agent: warnings with their fix, last log lines, last deploys, limits, mounts, paths."""

from __future__ import annotations

from datetime import UTC, datetime

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from hivetui.console.keymap import current_key
from hivetui.console.stylesheets import read_stylesheet
from hivetui.console.terminal.status_text import StatusText
from hivetui.engine.model.agents import Agent, AgentDetail, AgentState
from hivetui.engine.model.binary import merge_binary
from hivetui.engine.model.logs import LogLine
from hivetui.engine.model.text import safe
from hivetui.engine.model.times import format_time
from hivetui.widgets import wording
from hivetui.widgets.log.binary import LOG_KIND
from hivetui.widgets.log.line_text import one_line, shown_text

LOG_LINES = 8
SHOWN_DEPLOYS = 5
_NEVER = datetime.min.replace(tzinfo=UTC)
_EMPTY_LOGS = {AgentState.KEPT: "has no container, so no log", AgentState.RUNNING: "has shown no line yet"}
"""Why there are no lines; the log of a running agent is followed, so perhaps none has been read yet."""
Part = Content | str | tuple[str, str]
Log = tuple[LogLine, ...] | str | None
"""Lines, or why there are none, or None while they are being loaded."""


class AgentDetailView(VerticalScroll):
    """Shows the details it is given; an empty part says why it is empty."""

    DEFAULT_CSS = read_stylesheet(__file__)

    def __init__(self) -> None:
        super().__init__(StatusText("", markup=False), can_focus=False)
        self._painted: tuple[object, ...] = ()
        self._given: tuple[Agent | None, AgentDetail | None, Log, str, datetime] = (None, None, None, "", _NEVER)

    def show(self, agent: Agent | None, detail: AgentDetail | None, log: Log, root: str, now: datetime) -> None:
        """Show an agent; `detail` is None while it is being loaded. Paths are shown relative to `root`.

        Repaints only if what is shown differs; of `now`, that is the ages of the deploys and the day.
        """
        before = self._given[0]
        self._given = (agent, detail, log, root, now)
        if (agent.name if agent else "") != (before.name if before else ""):
            self.scroll_home(animate=False)
        self._paint()

    def on_resize(self) -> None:
        """Cut log lines to the new width."""
        self._paint()

    def _paint(self) -> None:
        agent, detail, log, root, now = self._given
        width = max(20, self.size.width - 2)
        ages = [wording.format_age(one.deployed_at, now) for one in detail.deployments] if detail is not None else []
        wanted = (_without_usage(agent), detail, log, root, width, now.date(), ages)
        if wanted != self._painted:
            before, self._painted = self._painted, wanted
            text = _content(agent, detail, log, root, now, width)
            self.query_one(Static).update(text, layout=not _has_same_height(before, wanted))


def _has_same_height(before: tuple[object, ...], wanted: tuple[object, ...]) -> bool:
    """Whether only the lines of the log differ, each of which is one row: the layout is what costs in a repaint."""
    if not before or before[:2] != wanted[:2] or before[3:6] != wanted[3:6]:
        return False
    old, new = before[2], wanted[2]
    return isinstance(old, tuple) and isinstance(new, tuple) and len(_shown(old)) == len(_shown(new)) > 0


def _shown(log: tuple[LogLine, ...]) -> list[LogLine]:
    return list(merge_binary(log[-LOG_LINES:], LOG_KIND))


def _without_usage(agent: Agent | None) -> Agent | None:
    """The agent without the figures that change every second and are shown in its row."""
    return agent and agent.model_copy(update={"memory_bytes": None, "cpu_percent": None})


def _content(
    agent: Agent | None, detail: AgentDetail | None, log: Log, root: str, now: datetime, width: int
) -> Content:
    if agent is None:
        return Content.styled("No agent is selected.", "$foreground 70%")
    parts = [*_head(agent), *_warnings(agent), *_log(agent, log, now, width)]
    if detail is not None:
        parts += [*_deploys(agent, detail, now, width), *_limits(detail), *_mounts(detail, root), *_paths(detail, root)]
    return Content.assemble(*parts)


def _title(text: str) -> Part:
    return (f"{text}\n", "bold")


def _dim(text: str) -> Part:
    return (f"{text}\n", "$foreground 70%")


def _head(agent: Agent) -> list[Part]:
    role = "  the manager" if agent.manager else ""
    port = f"  port {agent.port}" if agent.port else ""
    tasks = f"  {wording.format_count(agent.tasks, 'task')}" if agent.tasks is not None else ""
    words = f"  {wording.agent_state_label(agent.state)}{port}  container {safe(agent.container)}{tasks}{role}\n"
    return [(safe(agent.name), "bold $primary"), words]


def _warnings(agent: Agent) -> list[Part]:
    parts: list[Part] = []
    for warning in agent.warnings:
        parts += [(f"▲ {safe(warning.text)}\n", "$warning bold"), f"  fix: {safe(warning.fix)}\n"]
    return parts


def _log(agent: Agent, log: Log, now: datetime, width: int) -> list[Part]:
    parts: list[Part] = [_title("last lines, times in UTC")]
    if log is None:
        return [*parts, _dim("  …")]
    if isinstance(log, str):
        return [*parts, _dim(f"  {safe(log)}")]
    if not log:
        return [*parts, _dim(f"  {safe(agent.name)} {_EMPTY_LOGS.get(agent.state, 'has no log entries')}")]
    for line in _shown(log):
        time = format_time(line.time, now)
        parts += [(f" {time} ", "$foreground 70%"), f"{_line(line.text, width - len(time) - 2)}\n"]
    return parts


def _line(text: str, width: int) -> str:
    """A log line in one row, without its colours."""
    return safe(shown_text(one_line(text)), width)


def _deploys(agent: Agent, detail: AgentDetail, now: datetime, width: int) -> list[Part]:
    if not detail.deployments:
        return [_title("deploys"), _dim("  none")]
    parts = [_title("deploys")]
    for deployment in detail.deployments[:SHOWN_DEPLOYS]:
        is_active = deployment.running and agent.state is AgentState.RUNNING
        mark = "▶" if is_active else " "
        commit, ago = wording.short_hash(deployment.commit), wording.format_ago(deployment.deployed_at, now)
        text = f"{mark} #{deployment.id} {commit} {deployment.kind} {ago} by {deployment.operator}  {deployment.note}"
        parts.append(f" {safe(text.rstrip(), width - 1)}\n")
    if more := len(detail.deployments) - SHOWN_DEPLOYS:
        parts += [_dim(f"   … {more} more: {current_key('agents.history')}")] if more > 0 else []
    return parts


def _limits(detail: AgentDetail) -> list[Part]:
    return [_title("limits"), f"  memory {safe(detail.memory_max)}, cpu {safe(detail.cpu_quota)}\n"]


def _mounts(detail: AgentDetail, root: str) -> list[Part]:
    rows = [(mount.inside, mount.source, " (read-only)" if mount.read_only else "") for mount in detail.mounts]
    lines: list[Part] = [f"  {safe(inside)} ← {_relative(source, root)}{note}\n" for inside, source, note in rows]
    return [_title("mounts"), *(lines or [_dim("  none")])]


def _paths(detail: AgentDetail, root: str) -> list[Part]:
    lines: list[Part] = [f"  {name}: {_relative(path, root)}\n" for name, path in detail.paths.items()]
    where = f"paths below {safe(root)}" if root not in ("", "/") else "paths"
    return [_title(where), *(lines or [_dim("  none")])]


def _relative(path: str, root: str) -> str:
    return safe(path.removeprefix(root)) if root not in ("", "/") else safe(path)
