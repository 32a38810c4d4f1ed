"""The verb verify."""

from __future__ import annotations

from pathlib import Path

from hivetui.cli.invocation import Invocation
from hivetui.engine.model.errors import BadData
from hivetui.engine.model.records import Problem, Verification
from hivetui.engine.model.text import safe
from hivetui.wire.values import to_json


async def verify(invocation: Invocation) -> int:
    """Compare the history with the records of its decisions; the status is 1 if there is a problem."""
    request = invocation.request
    result = await invocation.hive.verify(request.name, _read(request.signers) if request.signers else None)
    if invocation.out.as_json:
        invocation.out.print_json({"verify": to_json(result)})
    else:
        invocation.out.print_lines(_show(result))
    return 1 if result.problems else 0


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fix = "Give a file in the format of ssh-keygen(1), ALLOWED SIGNERS."
        raise BadData(f"The list of signers {path[:200]!r} cannot be read", str(error)[:200], fix) from error


def _show(result: Verification) -> list[str]:
    """What was checked, what is known without being wrong, and each problem with the proposal that it is about."""
    records = "1 record" if result.checked == 1 else f"{result.checked} records"
    lines = [f"checked: {records}, {result.signed} of them signed by operators, the others by the host only"]
    if result.before_records:
        lines.append(f"before records: {_count(result.before_records, 'decision')}, compared with the tags of then")
    lines += [
        f"rebuild: {safe(one.agent)}, operation {one.operation}, at {one.commit[:12]}: {safe(one.system)}"
        for one in result.rebuilds
    ]
    if not result.problems:
        return [*lines, "No problems: the history is what was decided."]
    return [*lines, "", *(line for problem in result.problems for line in _show_problem(problem))]


def _show_problem(problem: Problem) -> list[str]:
    agent, commit = safe(problem.agent or "meta"), (problem.commit or "")[:12]
    subject = f"#{problem.proposal} of {agent}" if problem.proposal is not None else f"{agent} {commit}".rstrip()
    return [f"{problem.code.value}: {subject}", f"    {safe(problem.text)}"]


def _count(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number} {noun}s"
