"""Which journals hold the agents' lines, what journalctl is asked for, and how its entries are parsed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hivetui.engine.containers.journal import Journal, journalctl_arguments, journals_of, last_cursor, parse_entries
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.model.logs import LogLine
from hivetui.engine.model.settings import Settings

HOST_JOURNAL = Journal((), units={"container@h-a.service": "a", "container@h-b.service": "b"})


def entry(**fields: object) -> bytes:
    return json.dumps({"__REALTIME_TIMESTAMP": "1000001", "_SYSTEMD_UNIT": "container@h-a.service", **fields}).encode()


def parsed(*entries: bytes) -> list[LogLine]:
    return list(parse_entries(entries, HOST_JOURNAL))


def test_an_entry_is_a_line_with_its_time_and_agent() -> None:
    (line,) = parsed(entry(MESSAGE="hello", SYSLOG_IDENTIFIER="harness", __CURSOR="s=1;i=2"))
    time = datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=UTC)
    assert line == LogLine(time, "a", "harness", "hello", cursor="host s=1;i=2")


@pytest.mark.parametrize(
    ("field", "priority"),
    [("0", 0), ("7", 7), (None, None), ("8", None), ("-1", None), ("", None), ("٣", None), (3, None)],
)
def test_a_line_has_the_priority_of_its_entry_if_that_is_one(field: object, priority: int | None) -> None:
    assert parsed(entry(MESSAGE="x", PRIORITY=field))[0].priority == priority


@pytest.mark.parametrize(
    ("message", "texts"),
    [
        (list(b"caf\xc3\xa9 \x1b[0m"), ["café \x1b[0m"]),
        (list(b"\xff"), ["\udcff"]),
        ("one\ntwo", ["one", "two"]),
        (None, [""]),
        (["one", "two"], ["one two"]),
        ([], [""]),
        ("", [""]),
    ],
)
def test_a_message_is_text_in_each_of_its_json_forms(message: object, texts: list[str]) -> None:
    assert [line.text for line in parsed(entry(MESSAGE=message))] == texts


def test_a_message_that_is_binary_data_is_one_line_and_exact() -> None:
    data = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 80
    (line,) = parsed(entry(MESSAGE=list(data)))
    assert line.text.encode("utf-8", "surrogateescape") == data


def test_what_systemd_logs_about_a_unit_belongs_to_its_agent() -> None:
    of_systemd = entry(_SYSTEMD_UNIT="init.scope", UNIT="container@h-b.service", MESSAGE="Started")
    of_nobody = entry(_SYSTEMD_UNIT="sshd.service", MESSAGE="x")
    found = [(line.agent, line.stream, line.text) for line in parsed(of_systemd, of_nobody)]
    assert found == [("b", "", "Started")]


def test_a_container_cannot_forge_lines_of_another_agent() -> None:
    forged = entry(_SYSTEMD_UNIT="container@h-b.service", MESSAGE="I am b")
    honest = entry(_SYSTEMD_UNIT="harness.service", SYSLOG_IDENTIFIER="bash", MESSAGE="turn 1")
    found = [(line.agent, line.stream, line.text) for line in parse_entries((forged, honest), Journal((), "a"))]
    assert found == [("a", "", "I am b"), ("a", "harness", "turn 1")]


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"3", b"{}", b'{"__REALTIME_TIMESTAMP": "x"}', b'{"__REALTIME_TIMESTAMP": "9' + b"9" * 30]
)
def test_invalid_entries_are_skipped(raw: bytes) -> None:
    assert parsed(raw, entry(MESSAGE="next"))[0].text == "next"


def test_the_host_s_journal_is_asked_for_the_units() -> None:
    (journal,) = journals_of(Host(Paths(Path("/nowhere")), Settings(), ProcessRunner()), ("a", "hm1nd"))
    words = journalctl_arguments(journal, ("--lines=all",), follow=False)
    assert words[-2:] == ("--unit=container@h-a.service", "--unit=container@hm1nd.service")
    assert {"--lines=all", "--all"} <= set(words)
    assert "--follow" not in words


def test_the_host_s_journal_is_never_merged_with_those_that_containers_wrote() -> None:
    assert "--merge" not in journalctl_arguments(HOST_JOURNAL, (), follow=True)


@pytest.mark.parametrize(
    ("cursor", "found"),
    [("s=1;i=2", "s=1;i=2"), ("a b", None), ("a\0", None), ("", None), (7, None), ("x" * 1001, None)],
)
def test_only_a_cursor_that_can_be_an_argument_is_one(cursor: object, found: str | None) -> None:
    assert last_cursor([b"", entry(__CURSOR=cursor)]) == found


def test_the_journal_of_a_container_is_found_by_the_link_that_nspawn_made(tmp_path: Path) -> None:
    folder = tmp_path / "var/log/journal"
    folder.mkdir(parents=True)
    (folder / ("1" * 32)).mkdir()  # the host's own
    for machine, container in (
        ("2" * 32, "h-a"),
        ("3" * 32, "h-b"),
        ("4" * 32, "web"),
        ("../x".replace("/", "-"), "h-a"),
    ):
        target = tmp_path / "var/lib/nixos-containers" / container / "var/log/journal" / machine
        target.mkdir(parents=True)
        (folder / machine).symlink_to(target)
    (folder / ("5" * 32)).symlink_to(tmp_path / "var/lib/nixos-containers/h-a/gone")
    host = Host(Paths(tmp_path), Settings(), ProcessRunner())
    theirs = tmp_path / "var/lib/nixos-containers/h-a/var/log/journal" / ("2" * 32)
    (journal,) = journals_of(host, ["a", "c"])[1:]
    assert journal == Journal((f"--directory={theirs}",), "a", key="2" * 32, directory=theirs)


def test_a_link_that_leads_out_of_the_container_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "var/log/journal"
    (folder / ("1" * 32)).mkdir(parents=True)
    inside = tmp_path / "var/lib/nixos-containers/h-a/var/log/journal"
    inside.mkdir(parents=True)
    (inside / ("2" * 32)).symlink_to(folder / ("1" * 32))
    (folder / ("2" * 32)).symlink_to(inside / ("2" * 32))
    host = Host(Paths(tmp_path), Settings(), ProcessRunner())
    assert len(journals_of(host, ["a"])) == 1


@pytest.mark.parametrize("target", ["n" * 300, "again"])
def test_a_link_that_no_system_call_can_follow_hides_no_other_journal(tmp_path: Path, target: str) -> None:
    """Root in a container can put anything in the place of its journal, and hide the logs of nobody else by it."""
    folder = tmp_path / "var/lib/nixos-containers/h-a/var/log"
    good = tmp_path / "var/lib/nixos-containers/h-b/var/log/journal" / ("3" * 32)
    for one in (folder, good, tmp_path / "var/log/journal"):
        one.mkdir(parents=True)
    (folder / "again").symlink_to("journal")
    (folder / "journal").symlink_to(target)
    for machine, journals in (("2" * 32, folder / "journal"), ("3" * 32, good.parent)):
        (tmp_path / "var/log/journal" / machine).symlink_to(journals / machine)
    host = Host(Paths(tmp_path), Settings(), ProcessRunner())
    assert [one.agent for one in journals_of(host, ["a", "b"])[1:]] == ["b"]
