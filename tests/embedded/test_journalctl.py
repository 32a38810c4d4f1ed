import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hivetui.embedded import journal
from hivetui.embedded.journal_readers import Tail
from hivetui.embedded.journalctl import parse_time
from hivetui.embedded.layout import Layout
from hivetui.engine.host.host import Host

SECOND = 1_000_000


class Logs:
    """An embedded host's logs and its journalctl."""

    def __init__(self, host: Host) -> None:
        self.folder, self.tool = Layout(host.paths.root), host.tools.journalctl

    def say(self, container: str, message: str, at: int, priority: int = 6) -> None:
        journal.append(self.folder, container, message, priority, "harness", at * SECOND)

    def read(self, *words: str) -> list[str]:
        done = subprocess.run([*self.tool, "--no-pager", *words], check=True, capture_output=True)
        return done.stdout.decode("utf-8", "surrogateescape").splitlines()

    def cat(self, *words: str) -> list[str]:
        return self.read("-o", "cat", *words)


@pytest.fixture
def logs(embed: Callable[..., Host]) -> Logs:
    return Logs(embed(nix="stand-in"))


def test_lines_of_several_units_are_merged_by_time(logs: Logs) -> None:
    for at in range(1, 7):
        logs.say("h-a" if at % 2 else "h-b", f"line {at}", at)
    logs.say("h-c", "of another", 3)
    both = ("-u", "container@h-a.service", "-u", "container@h-b")
    assert logs.cat(*both) == [f"line {at}" for at in range(1, 7)]
    assert logs.cat(*both, "-n", "2") == ["line 5", "line 6"]
    assert logs.cat("-M", "h-b", "-n1", "--reverse") == ["line 6"]
    assert len(logs.cat("-u", "container@*")) == 7


def test_lines_are_taken_by_time_and_priority(logs: Logs) -> None:
    for at, (priority, text) in enumerate([(6, "one"), (4, "Two"), (3, "three"), (6, "four")], start=1):
        logs.say("h-a", text, at, priority)
    unit = ("-u", "container@h-a")
    assert logs.cat(*unit, "--since=@3") == ["three", "four"]
    assert logs.cat(*unit, "--since", "1970-01-01 00:00:02", "--until=@3") == ["Two", "three"]
    assert logs.cat(*unit, "-p", "warning") == ["Two", "three"]


@pytest.mark.parametrize("words", [["--grep=[[:alpha:]]+ed"], ["-g", "[[:alpha:]]+ed"]])
def test_a_pattern_of_another_dialect_is_refused_in_words_and_no_warning_of_python(
    logs: Logs, words: list[str]
) -> None:
    done = subprocess.run([*logs.tool, *words], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"journalctl: unrecognized option '{words[0]}'\n"


def test_json_is_as_journalctl_writes_it(logs: Logs) -> None:
    logs.say("h-a", "plain – text", 1)
    logs.say("h-a", "\x1b[32mgreen", 2)
    logs.say("h-a", b"\xff!".decode("utf-8", "surrogateescape"), 3)
    logs.say("h-a", "x" * 5000, 4)
    entries = [json.loads(line) for line in logs.read("-u", "container@h-a", "-o", "json")]
    assert [entry["MESSAGE"] for entry in entries] == ["plain – text", list(b"\x1b[32mgreen"), [255, 33], None]
    assert entries[0]["__REALTIME_TIMESTAMP"] == "1000000"
    assert entries[0]["_SYSTEMD_UNIT"] == "container@h-a.service"
    assert entries[0]["PRIORITY"] == "6"
    few = json.loads(logs.read("-M", "h-a", "--output=json", "--output-fields=MESSAGE", "-a", "-n", "1")[0])
    assert few["MESSAGE"] == "x" * 5000
    assert "PRIORITY" not in few


def test_following_shows_the_last_lines_and_those_that_come_over_a_rotation(logs: Logs) -> None:
    logs.say("h-a", "before", 1)
    argv = [*logs.tool, "-o", "cat", "-f", "-n", "1", "-u", "container@h-a", "-u", "container@h-new"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "before\n"
        logs.say("h-a", "next", 2)
        place = logs.folder.log("h-a")
        (place / journal.CURRENT).rename(place / journal.OLDER)
        logs.say("h-a", "after the rotation", 3)
        assert following.stdout.readline() == "next\n"
        assert following.stdout.readline() == "after the rotation\n"
        logs.say("h-new", "a container that was not there", 4)
        assert following.stdout.readline() == "a container that was not there\n"
        following.kill()


def test_what_is_appended_is_read_in_pieces_and_nothing_is_lost_over_a_rotation(logs: Logs) -> None:
    logs.say("h-a", "first", 1)
    place = logs.folder.log("h-a")
    tail = Tail(place)
    texts = [f"{number} {'x' * 1000}" for number in range(600)]
    lines = [json.dumps({"t": 2, "p": 6, "i": "harness", "m": text}).encode() + b"\n" for text in texts]
    with (place / journal.CURRENT).open("ab") as file:
        file.write(b"".join(lines[:500]))
    piece = [line.message for line in tail.lines() if line]
    assert 0 < len(piece) < 400
    (place / journal.CURRENT).rename(place / journal.OLDER)
    (place / journal.CURRENT).write_bytes(b"".join(lines[500:]))
    rest = []
    while new := [line.message for line in tail.lines() if line]:
        rest += new
    assert piece + rest == texts


def test_following_ends_when_its_reader_leaves(logs: Logs) -> None:
    logs.say("h-a", "one", 1)
    argv = [*logs.tool, "-o", "cat", "-f", "-u", "container@h-a"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as following:
        assert following.stdout is not None
        following.stdout.readline()
        following.stdout.close()
        assert following.wait(timeout=10) == 141


def test_a_full_log_is_rotated_and_both_files_are_read(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "LARGEST_FILE", 500)
    for at in range(1, 13):
        logs.say("h-a", f"line {at}", at)
    names = sorted(path.name for path in logs.folder.log("h-a").iterdir())
    assert journal.OLDER in names
    seen = logs.cat("-u", "container@h-a")
    assert seen[-1] == "line 12"
    assert len(seen) > 5
    assert logs.cat("-u", "container@h-a", "-n", str(len(seen))) == seen


def test_a_torn_line_is_left_out(logs: Logs) -> None:
    logs.say("h-a", "whole", 1)
    with (logs.folder.log("h-a") / journal.CURRENT).open("ab") as file:
        file.write(b'{"t": 2, "p": 6, "i"\n')
    logs.say("h-a", "also whole", 3)
    assert logs.cat("-u", "container@h-a") == ["whole", "also whole"]
    assert logs.cat("-u", "container@h-a", "-n", "5") == ["whole", "also whole"]


@pytest.mark.slow
def test_the_last_lines_of_a_long_log_come_at_once(logs: Logs) -> None:
    place = logs.folder.log("h-a")
    place.mkdir()
    lines = (f'{{"t": {at}, "p": 6, "i": "harness", "m": "line {at}"}}\n' for at in range(300_000))
    (place / journal.CURRENT).write_text("".join(lines))
    begin = time.perf_counter()
    assert logs.cat("-u", "container@h-a", "-n", "3") == ["line 299997", "line 299998", "line 299999"]
    assert time.perf_counter() - begin < 2.0
    assert len(logs.cat("-u", "container@h-a")) == 300_000


def test_a_line_said_into_a_folder_that_is_gone_does_not_make_it_again(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        journal.append(Layout(tmp_path / "gone"), "h-a", "text")
    assert not (tmp_path / "gone").exists()


def test_times_are_understood_or_refused() -> None:
    assert parse_time("@12.5") == 12_500_000
    assert parse_time("1970-01-02") == 86_400 * SECOND
    assert parse_time("1970-01-01 00:01:00.25 UTC") == 60_250_000
    assert abs(parse_time("-1h") - (time.time() - 3600) * SECOND) < SECOND
    with pytest.raises(ValueError, match="Failed to parse timestamp"):
        parse_time("tomorrow-ish")
