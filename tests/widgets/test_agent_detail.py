"""The detail of an agent: what is repainted, and that its height follows its log."""

from __future__ import annotations

from datetime import timedelta

from textual.app import App, ComposeResult
from textual.widgets import Static

from hivetui.engine.model.logs import LogLine
from hivetui.widgets.agent_detail import AgentDetailView
from tests.visual import moment

AGENT = moment.AGENTS[0]


class Page(App[None]):
    def compose(self) -> ComposeResult:
        yield AgentDetailView()


def _lines(*texts: str) -> tuple[LogLine, ...]:
    return tuple(LogLine(moment.NOW + timedelta(seconds=at), AGENT.name, "x", text) for at, text in enumerate(texts))


async def test_new_lines_are_shown_without_a_layout_as_long_as_there_are_as_many() -> None:
    app = Page()
    async with app.run_test(size=(80, 30)) as pilot:
        view = app.query_one(AgentDetailView)
        text = view.query_one(Static)

        async def height(*texts: str) -> int:
            view.show(AGENT, None, _lines(*texts), "/", moment.NOW)
            await pilot.pause()
            assert texts[-1] in str(text.content)
            return text.size.height

        first = await height("one", "two")
        updates = text._layout_updates
        assert await height("two", "three") == first
        assert text._layout_updates == updates
        assert await height("two", "three", "four") == first + 1
