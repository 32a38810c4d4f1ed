"""One agent in full: paths, mounts, limits, last deploys, last lines of its log, warnings."""

from __future__ import annotations

from datetime import UTC, datetime

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from ..engine.models import Agent, AgentDetail, LogLine
from ..engine.text import safe
from . import wording

LOG_LINES = 8
Part = Content | str | tuple[str, str]


class AgentDetailView(VerticalScroll):
    """Shows what it is given; empty parts say why they are empty."""

    DEFAULT_CSS = """
    AgentDetailView { padding: 0 1; background: $surface; }
    AgentDetailView Static { width: 100%; height: auto; }
    """

    def __init__(self) -> None:
        super().__init__(Static("", markup=False), can_focus=False)
        self._painted: tuple[object, ...] = ()

    def show(self, agent: Agent | None, detail: AgentDetail | None, log: tuple[LogLine, ...] | None) -> None:
        """Paint; `detail` and `log` are None while they are on their way."""
        wanted = (agent, detail, log)
        if wanted != self._painted:
            self._painted = wanted
            self.query_one(Static).update(_content(agent, detail, log))


def _content(agent: Agent | None, detail: AgentDetail | None, log: tuple[LogLine, ...] | None) -> Content:
    if agent is None:
        return Content("No agent selected.")
    parts: list[Part] = [
        (agent.name, "bold $primary"),
        f"  {agent.state}  port {agent.port}  container {agent.container}\n",
    ]
    for warning in agent.warnings:
        parts += [(f"▲ {safe(warning.text)}", "$warning"), f"\n  fix: {safe(warning.fix)}\n"]
    if detail is not None:
        parts += _detail(detail)
    parts += _log(agent, log)
    return Content.assemble(*parts)


def _detail(detail: AgentDetail) -> list[Part]:
    parts: list[Part] = [
        ("limits ", "bold"),
        f"memory {detail.memory_max}, cpu {detail.cpu_quota}\n",
        ("deploys\n", "bold"),
    ]
    now = datetime.now(UTC)
    for one in detail.deployments[:5]:
        mark = "▶" if one.running else " "
        when = wording.ago(one.deployed_at, now)
        what = f" {mark} #{one.id} {wording.short(one.commit)} {one.kind} {when} ago"
        parts.append(f"{what}, {safe(one.operator)} {safe(one.note, 40)}\n")
    parts.append(("mounts\n", "bold"))
    parts += [
        f"   {one.inside} ← {safe(one.source)}{' (read-only)' if one.read_only else ''}\n" for one in detail.mounts
    ]
    parts.append(("paths\n", "bold"))
    parts += [f"   {name}: {safe(path)}\n" for name, path in detail.places.items()]
    return parts


def _log(agent: Agent, log: tuple[LogLine, ...] | None) -> list[Part]:
    parts: list[Part] = [("last lines\n", "bold")]
    if log is None:
        return [*parts, ("   …\n", "$foreground 60%")]
    if not log:
        return [*parts, (f"   {agent.name} has logged nothing that is still kept\n", "$foreground 60%")]
    return [*parts, *(f" {line.time:%H:%M:%S} {safe(line.text, 200)}\n" for line in log[-LOG_LINES:])]
