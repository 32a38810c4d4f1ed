"""The verb `logs` where a journal is damaged, absent or old, and where it is searched."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hivetui.embedded import journal
from hivetui.embedded.layout import Layout
from tests.systemd_root import JOURNALCTL, SystemdRoot

if TYPE_CHECKING:
    from tests.cli.conftest import Cli

needs_journalctl = pytest.mark.skipif(JOURNALCTL is None, reason="needs journalctl")


@pytest.fixture
def root(tmp_path: Path) -> SystemdRoot:
    return SystemdRoot(tmp_path, ("ann", "bob"))


def logs(root: SystemdRoot, *words: str) -> list[dict[str, Any]]:
    """The lines that the verb has for programs."""
    argv = [sys.executable, "-m", "hivetui", "--root", str(root.root), "logs", *words, "--json"]
    done = subprocess.run(argv, env=root.environment, check=True, capture_output=True, text=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)["lines"]
    return found


@pytest.mark.slow
@needs_journalctl
@pytest.mark.parametrize("words", [(), ("-n", "1"), ("-n", "all"), ("--grep", "good|ignoring")])
def test_what_a_truncated_journal_lost_is_told_alone_and_beside_a_good_older_one(
    root: SystemdRoot, words: tuple[str, ...]
) -> None:
    truncated = root.truncate("ann")
    root.link("ann")
    (note,) = logs(root, "ann", *words)
    assert (note["agent"], note["stream"]) == ("ann", "hivetui")
    assert "is truncated, ignoring file" in note["text"]
    assert str(truncated) in note["text"]
    root.write("ann", "system@old.journal", ["good 1", "good 2"])
    *lines, again = logs(root, "ann", *words)
    assert [line["text"] for line in lines] == ["good 1", "good 2"][1 if "1" in words else 0 :]
    assert again["text"] == note["text"]


class Following:
    """`logs -f --json` in a process of its own, whose lines are read as they come."""

    def __init__(self, program: list[str], environment: dict[str, str] | None = None) -> None:
        argv = [sys.executable, "-m", "hivetui", *program, "-f", "--json"]
        self.process = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True)

    def next(self) -> tuple[str, str]:
        """The agent and text of the next line."""
        assert self.process.stdout is not None
        line = json.loads(self.process.stdout.readline())
        return line["agent"], line["text"]

    def end(self) -> int:
        assert self.process.stdout is not None
        self.process.send_signal(signal.SIGINT)
        self.process.stdout.close()
        return self.process.wait()


@pytest.fixture
def followed(root: SystemdRoot) -> Iterator[Following]:
    following = Following(["--root", str(root.root), "logs", "ann", "bob"], root.environment)
    yield following
    following.process.kill()
    following.process.wait()


@pytest.mark.slow
@needs_journalctl
def test_a_journal_that_comes_into_being_is_followed_from_then_on(root: SystemdRoot, followed: Following) -> None:
    root.write("ann", "system.journal", ["of ann"])
    root.link("ann")
    assert followed.next() == ("ann", "of ann")
    root.truncate("bob")
    root.link("bob")
    agent, trouble = followed.next()
    assert agent == "bob"
    assert "is truncated" in trouble
    root.write("bob", "system@good.journal", ["of bob"])
    assert followed.next() == ("bob", "of bob")
    assert followed.end() == 130


@pytest.mark.slow
def test_when_every_journal_fails_each_is_told_once_and_joins_when_it_can_be_read(
    root: SystemdRoot, followed: Following
) -> None:
    """A journalctl that refuses every journal until a file says otherwise."""
    entry = '{"__REALTIME_TIMESTAMP": "1", "__CURSOR": "c1", "MESSAGE": "of \'$who\'"}'
    root.install(
        "journalctl",
        f"""
for word; do case "$word" in --directory=*h-ann*) who=ann;; --directory=*h-bob*) who=bob;; esac; done
test -e {root.root}/${{who:-host}}.good || {{ echo "the journal of ${{who:-the host}} is broken" >&2; exit 1; }}
test -z "$who" || echo '{entry}'
case "$*" in *--follow*) exec sleep 1000;; esac""",
    )
    for agent in ("ann", "bob"):
        root.journal(agent).mkdir(parents=True)
        root.link(agent)
    told = dict(followed.next() for _ in range(3))
    assert {agent: "is broken" in text for agent, text in told.items()} == {"": True, "ann": True, "bob": True}
    for agent in ("bob", "ann"):
        (root.root / f"{agent}.good").touch()
        assert followed.next() == (agent, f"of {agent}")
    assert followed.end() == 130


@pytest.fixture
def stopped(run: Cli) -> Iterator[Cli]:
    """An agent that logs nothing by itself."""
    run("stop", run.agent, "--yes")
    yield run
    run("start", run.agent)


def say(run: Cli, text: str, at: datetime | None = None) -> None:
    microseconds = 0 if at is None else int(at.timestamp() * 1_000_000)
    journal.append(Layout(run.folder), f"h-{run.agent}", text, at=microseconds)


@pytest.mark.slow
def test_a_damaged_log_alone_is_told_and_followed_when_it_is_whole(stopped: Cli) -> None:
    file = Layout(stopped.folder).log(f"h-{stopped.agent}") / journal.CURRENT
    kept = file.rename(file.with_name("kept"))
    file.mkdir()
    following = Following(["--embedded", str(stopped.folder), "logs", stopped.agent])
    agent, trouble = following.next()
    assert agent == stopped.agent
    assert f"log of h-{agent}" in trouble
    file.rmdir()
    say(stopped, "here again")
    assert following.next() == (agent, "here again")
    assert following.end() == 130
    kept.rename(file)


@pytest.mark.slow
def test_a_line_of_another_year_has_its_year_and_one_of_this_year_only_its_date(stopped: Cli) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    days = {number: now - timedelta(days=number) for number in (400, 3, 1, 0)}
    for number, at in days.items():
        say(stopped, f"said {number} days ago", at)
    lines = stopped("logs", stopped.agent, "--grep", "days ago", "-n", "all").out.splitlines()
    expected = [f"{at:%m-%d %H:%M:%S}" if at.year == now.year else f"{at:%Y-%m-%d %H:%M:%S}" for at in days.values()]
    assert lines == [
        f"{time} {stopped.agent} said {number} days ago" for time, number in zip(expected, days, strict=True)
    ]
    assert lines[0].startswith(f"{(now - timedelta(days=400)).year}-")


def test_a_search_for_a_class_of_letters_finds_what_is_there_and_warns_of_nothing(run: Cli) -> None:
    say(run, "it failed, and ended")
    say(run, "all is well 17")
    program = [sys.executable, "-m", "hivetui", "--embedded", str(run.folder)]
    argv = [*program, "logs", run.agent, "--grep", "[[:alpha:]]+ed, and", "-n", "all"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert line.endswith("it failed, and ended")
