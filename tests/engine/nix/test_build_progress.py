"""The progress of a build, counted from the events of nix."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hivetui.engine.model.progress import BuildProgress, RunningBuild
from hivetui.engine.nix import internal_log as log
from hivetui.engine.nix.build_progress import MAX_ACTIVITIES, BuildTracker
from tests.engine.nix.test_internal_log import EVENTS

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Nix:
    """A tracker, and a nix that tells it things; each takes a second."""

    def __init__(self) -> None:
        self.now = NOW
        self.tracker = BuildTracker(lambda: self.now)

    def tell(self, **content: Any) -> bool:
        self.now += timedelta(seconds=1)
        return self.tracker.take(log.parse_line("@nix " + json.dumps(content)))

    def start(self, number: int, kind: int, *fields: object, text: str = "") -> None:
        self.tell(action="start", id=number, level=3, type=kind, text=text, fields=fields)

    def result(self, number: int, kind: int, *fields: object) -> bool:
        return self.tell(action="result", id=number, type=kind, fields=fields)

    def stop(self, number: int) -> None:
        self.tell(action="stop", id=number)

    @property
    def progress(self) -> BuildProgress:
        return self.tracker.progress()


def test_what_is_built_and_what_waits_is_counted() -> None:
    nix = Nix()
    nix.start(1, log.BUILDS)
    nix.result(1, log.PROGRESS, 3, 12, 2, 1)
    nix.start(2, log.BUILD, "/nix/store/7kq2-hello-2.12.drv", "", 1, 1)
    nix.start(3, log.BUILD, "/nix/store/9kq2-glibc.drv", "", 1, 1)
    nix.result(2, log.SET_PHASE, "unpackPhase")
    nix.result(2, log.SET_PHASE, "\x1b[1mbuildPhase\x1b[0m")
    found = nix.progress
    assert (found.built, found.building, found.waiting, found.failed, found.to_build) == (3, 2, 7, 1, 13)
    assert found.builds == (
        RunningBuild(name="hello-2.12", phase="buildPhase", since=NOW + timedelta(seconds=3)),
        RunningBuild(name="glibc", since=NOW + timedelta(seconds=4)),
    )
    nix.stop(2)
    assert [build.name for build in nix.progress.builds] == ["glibc"]


def test_downloads_are_counted_in_bytes_and_paths() -> None:
    nix = Nix()
    nix.start(1, 102)
    nix.result(1, log.SET_EXPECTED, log.FILE_TRANSFER, 1000)
    nix.start(2, log.COPY_PATHS)
    nix.result(2, log.PROGRESS, 1, 3, 1, 0)
    nix.start(3, log.SUBSTITUTE, "/nix/store/7kq2-hello-2.12", "https://cache")
    nix.start(4, log.FILE_TRANSFER, "https://cache/nar/x.nar.xz")
    nix.result(4, log.PROGRESS, 150, 200, 0, 0)
    found = nix.progress
    assert (found.downloaded, found.to_download, found.fetched, found.to_fetch) == (150, 1000, 1, 3)
    assert found.fetching == ("hello-2.12",)
    nix.result(4, log.PROGRESS, 200, 200, 0, 0)
    nix.stop(4)
    nix.start(5, log.FILE_TRANSFER, "https://cache/nar/y.nar.xz")
    nix.result(5, log.PROGRESS, 40, 100, 0, 0)
    assert nix.progress.downloaded == 240


def test_from_a_cache_on_this_machine_nothing_is_transferred_and_what_is_copied_counts() -> None:
    """As nix 2.8 reports it for a cache of file://."""
    nix = Nix()
    nix.start(1, 102)
    nix.result(1, log.SET_EXPECTED, log.FILE_TRANSFER, 6_000_648)
    nix.result(1, log.SET_EXPECTED, log.COPY_PATH, 6_000_224)
    nix.start(2, log.COPY_PATH, "/nix/store/7kq2-a-1.0", "file:///cache", "local")
    nix.result(2, log.PROGRESS, 8192, 3_000_112, 0, 0)
    assert (nix.progress.downloaded, nix.progress.to_download) == (8192, 6_000_224)


def test_the_end_keeps_what_was_done_and_nothing_runs_any_more() -> None:
    nix = Nix()
    nix.start(1, log.BUILDS)
    nix.result(1, log.PROGRESS, 3, 5, 1, 1)
    nix.start(2, log.BUILD, "/nix/store/7kq2-hello.drv", "", 1, 1)
    nix.start(3, log.FILE_TRANSFER, "https://cache/nar/x.nar.xz")
    nix.result(3, log.PROGRESS, 70, 100, 0, 0)
    nix.tracker.end()
    found = nix.progress
    assert found.ended_at == nix.now
    assert (found.built, found.failed, found.building, found.waiting, found.downloaded) == (3, 1, 0, 0, 70)
    assert (found.builds, found.fetching) == ((), ())


def test_the_last_errors_stay() -> None:
    nix = Nix()
    path = "/nix/store/" + "7" * 32 + "-hello.drv"
    for number in range(5):
        raw = f"\n\x1b[35;1mbuilder\x1b[0m {number} for '{path}' failed;\nlast 10 log lines:"
        nix.tell(action="msg", level=0, msg=f"error: {raw}", raw_msg=raw)
        nix.tell(action="msg", level=0, msg=f"error: {raw}", raw_msg=raw)
    nix.start(1, log.BUILDS)
    nix.tracker.end()
    assert nix.progress.errors == tuple(f"builder {number} for 'hello.drv' failed;" for number in (2, 3, 4))


def test_what_nix_waits_for_is_named_while_it_does() -> None:
    nix = Nix()
    nix.start(1, log.BUILD_WAITING, text="waiting for lock on '/nix/store/" + "7" * 32 + "-hello'")
    assert nix.progress.waits_for == "waiting for lock on 'hello'"
    nix.stop(1)
    assert nix.progress.waits_for is None


def test_a_line_of_a_log_changes_no_progress() -> None:
    nix = Nix()
    nix.start(1, log.BUILD, "/nix/store/7kq2-hello.drv", "", 1, 1)
    before = nix.progress
    assert not nix.result(1, log.BUILD_LOG_LINE, "making all")
    assert not nix.tell(action="msg", level=2, msg="trace: error: x")
    assert nix.progress == before


def test_a_builder_that_starts_downloads_without_end_hides_no_build() -> None:
    nix = Nix()
    for number in range(10 * MAX_ACTIVITIES):
        nix.start(1000 + number, log.FILE_TRANSFER, "https://x", text="x" * 1000)
    nix.start(1, log.BUILD, "/nix/store/7kq2-hello.drv", "", 1, 1)
    assert [build.name for build in nix.progress.builds] == ["hello"]
    for number in range(10 * MAX_ACTIVITIES):
        nix.stop(1000 + number)
    nix.start(2, log.FILE_TRANSFER, "https://y")
    assert nix.result(2, log.PROGRESS, 1, 1, 0, 0)


@given(st.lists(EVENTS, max_size=30))
def test_any_events_give_a_progress_that_can_be_written_and_is_bounded(contents: list[dict[str, Any]]) -> None:
    nix = Nix()
    for content in contents:
        nix.tell(**content)
        nix.tracker.name_of(log.parse_line("@nix " + json.dumps(content)))
    for _ in range(2):
        found = nix.progress
        assert BuildProgress.model_validate_json(found.model_dump_json()) == found
        figures = (found.built, found.failed, found.building, found.waiting, found.downloaded, found.to_download)
        assert all(0 <= figure <= 1 << 53 for figure in figures)
        assert len(found.model_dump_json()) < 20_000
        nix.tracker.end()
