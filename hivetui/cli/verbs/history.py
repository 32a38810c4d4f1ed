"""The verb `history`: what was deployed when and by whom, also what failed, within the limits that are given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hivetui.cli import render
from hivetui.cli.invocation import Invocation
from hivetui.engine.model.errors import BadData, HiveError
from hivetui.engine.model.history import HistoryEntry, Outcome, combine, with_agent_states
from hivetui.engine.model.patterns import require_pattern
from hivetui.engine.model.text import safe
from hivetui.engine.model.time_parsing import parse_time
from hivetui.wire.frames import Json
from hivetui.wire.values import to_json


async def history(invocation: Invocation) -> int:
    """Every deploy, and every one that failed, newest first."""
    entries = list(_select(invocation, await _load(invocation)))
    if invocation.out.as_json:
        invocation.out.print_json({"history": [_entry_json(entry) for entry in entries]})
    else:
        invocation.out.print_lines(render.history(entries, invocation.now, invocation.out.width))
    return 0


async def _load(invocation: Invocation) -> tuple[HistoryEntry, ...]:
    name = invocation.request.name
    deployments = await invocation.hive.history(name)
    proposals = await invocation.hive.proposals(decided=True)
    entries = combine(deployments, (one for one in proposals if name in (None, one.agent)))
    try:
        states = {agent.name: agent.state for agent in await invocation.hive.agents()}
    except HiveError as error:  # what was deployed is known all the same
        invocation.out.print_message(f"Which agents run is not known: {safe(error.what)}")
        return entries
    return with_agent_states(entries, states)


def _select(invocation: Invocation, entries: Iterable[HistoryEntry]) -> Iterator[HistoryEntry]:
    """The entries within the limits; BadData for one that is not understood."""
    request, now = invocation.request, invocation.now
    since, until = (None if text is None else parse_time(text, now) for text in (request.since, request.until))
    if since is not None and until is not None and since > until:
        raise BadData("--since is after --until", "No deploy is in such a span.", "Exchange the two times.")
    outcomes = {Outcome(state) for state in request.state or Outcome}
    pattern = None if request.grep is None else require_pattern(request.grep)
    for entry in entries:
        is_in_span = (since is None or entry.at >= since) and (until is None or entry.at <= until)
        if is_in_span and entry.outcome in outcomes and (pattern is None or any(map(pattern.find, _texts(entry)))):
            yield entry


def _texts(entry: HistoryEntry) -> Iterator[str]:
    """What --grep looks at, as it is shown: the same as a filter of the console's list, and all lines of the note."""
    yield from (f"#{entry.id}", str(entry.outcome), str(entry.kind), entry.commit or "")
    yield from map(safe, (entry.agent, entry.operator, entry.title, *entry.text.split("\n")))


def _entry_json(entry: HistoryEntry) -> Json:
    content = {key: None if value == "" else value for key, value in to_json(entry).items()}
    content["state"] = content.pop("outcome")  # the word for it in every other list
    return content
