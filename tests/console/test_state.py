"""The state that the console follows: from one stream to the next, with nothing missed and nothing read twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

from textual.app import App, ComposeResult

from hivetui.console.state import FollowedState, HiveState, differ_in_progress_only
from hivetui.console.terminal.status_text import StatusText
from hivetui.engine.model.errors import Unavailable
from hivetui.engine.model.operations import Operation
from hivetui.engine.model.progress import BuildProgress
from hivetui.engine.model.state import HiveChange, HiveSnapshot, StateUpdate
from tests.visual import moment
from tests.visual.still_hive import StillHive

FIRST, SECOND = moment.AGENTS[:2]


@dataclass(frozen=True)
class Script(StillHive):
    """A hive whose streams are written down: what each sends, before it fails or ends."""

    streams: Sequence[tuple[StateUpdate | Unavailable, ...]] = ()
    asked: list[tuple[int | None, str | None]] = field(default_factory=list)

    async def watch(self, after: int | None = None, instance: str | None = None) -> AsyncIterator[StateUpdate]:
        self.asked.append((after, instance))
        for update in self.streams[len(self.asked) - 1]:
            if isinstance(update, Unavailable):
                raise update
            yield update


SNAPSHOT = StateUpdate(instance="one", seq=4, snapshot=HiveSnapshot(agents=(FIRST,)))
CHANGE = StateUpdate(instance="one", seq=5, change=HiveChange(agents=(SECOND,), operations=(moment.RUNNING,)))


async def states(followed: FollowedState, hive: Script) -> list[HiveState]:
    return [state async for state in followed.follow(hive)]


async def test_a_stream_that_fails_is_told_and_goes_on_where_it_ended() -> None:
    hive = Script(streams=((SNAPSHOT, Unavailable("the engine is away", "It was stopped.\nTwice.", "")), (CHANGE,)))
    followed = FollowedState(hive.description)
    assert not followed.state.loaded
    (before,) = await states(followed, hive)
    assert (before.agents, before.problem, before.loaded) == ((FIRST,), None, True)
    assert followed.state.problem == "the engine is away: It was stopped."
    assert followed.state.lost_at is not None
    assert followed.state.agents == (FIRST,)
    back, after = await states(followed, hive)
    assert (back.agents, back.problem, back.lost_at) == (before.agents, None, None)
    assert hive.asked == [(None, None), (4, "one")]
    assert {agent.name for agent in after.agents} == {FIRST.name, SECOND.name}
    assert (after.operations, after.problem) == ((moment.RUNNING,), None)
    assert followed.state.problem == "the hive has ended the stream of its changes"


async def test_a_snapshot_of_another_engine_takes_the_place_of_all_that_was_known() -> None:
    other = StateUpdate(instance="two", seq=1, snapshot=HiveSnapshot(agents=(SECOND,)))
    hive = Script(streams=((SNAPSHOT,), (other,), ()))
    followed = FollowedState(hive.description)
    await states(followed, hive)
    assert (await states(followed, hive))[-1].agents == (SECOND,)
    await states(followed, hive)
    assert hive.asked[-1] == (1, "two")


async def test_a_hive_of_which_a_part_cannot_be_read_is_not_loaded_until_all_was_read() -> None:
    waits = StateUpdate(instance="one", seq=1, snapshot=HiveSnapshot(problem="`systemctl show` has not ended for 2 s"))
    then = StateUpdate(instance="one", seq=2, change=HiveChange(problem=""))
    again = StateUpdate(instance="one", seq=3, change=HiveChange(problem="it hangs again"))
    hive = Script(streams=((waits, then, again),))
    found = await states(FollowedState(hive.description), hive)
    assert [one.loaded for one in found] == [False, True, True]
    assert [one.problem for one in found] == ["`systemctl show` has not ended for 2 s", None, "it hangs again"]


def test_a_build_that_comes_further_changes_nothing_else_on_any_screen() -> None:
    def with_progress(built: int) -> Operation:
        return moment.RUNNING.model_copy(update={"progress": BuildProgress(started_at=moment.NOW, built=built)})

    before = HiveState(StillHive().description, agents=(FIRST,), operations=(with_progress(1),), loaded=True)
    assert differ_in_progress_only(before, replace(before, operations=(with_progress(2),)))
    assert differ_in_progress_only(before, replace(before, operations=(moment.RUNNING,)))
    assert not differ_in_progress_only(before, before)
    further = replace(before, operations=(with_progress(2),))
    stepped = with_progress(2).model_copy(update={"step": "stop"})
    for other in (
        replace(before, operations=(stepped,)),
        replace(before, operations=()),
        replace(further, agents=()),
        replace(further, problem="x"),
    ):
        assert not differ_in_progress_only(before, other)


async def test_a_text_that_is_changed_before_its_first_layout_has_the_height_of_the_last() -> None:
    class Page(App[None]):
        CSS = "StatusText { height: auto; }"

        def compose(self) -> ComposeResult:
            yield StatusText("", markup=False)

    app = Page()
    async with app.run_test() as pilot:
        text = app.query_one(StatusText)
        text.update("one")
        app.screen._refresh_layout()  # as by a resize that comes between
        text.update("one\ntwo\nthree")
        await pilot.pause()
        assert text.size.height == 3
