from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hivetui.engine.model.progress import BuildProgress, RunningBuild
from hivetui.widgets.operation.operation_view import OperationView
from hivetui.widgets.operation.progress_text import format_progress, progress_lines
from tests.widgets.conftest import HOSTILE, Staged, assert_harmless, painted, until

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(seconds=65)


def build(name: str, phase: str = "", seconds: int = 0) -> RunningBuild:
    return RunningBuild(name=name, phase=phase, since=START + timedelta(seconds=seconds))


BUSY = BuildProgress(
    started_at=START,
    built=3,
    building=5,
    waiting=7,
    builds=(build("firefox-115", "buildPhase"), build("linux-6.1", "unpackPhase", 60), build("a"), build("b")),
    fetched=12,
    to_fetch=40,
    fetching=("hello-2.12", "glibc", "gcc", "zlib"),
    downloaded=35_000_000,
    to_download=120_000_000,
    last_seconds=252,
)


def shown(progress: BuildProgress, now: datetime = NOW) -> list[str]:
    return [text for _, text in progress_lines(progress, now)]


def test_what_is_built_what_waits_downloads_phases_and_times_are_shown() -> None:
    assert shown(BUSY) == [
        "1:05 (last time 4:12) · 3 of 15 built, 5 building, 7 waiting, 12 of 40 paths, 33M of 114M",
        "  ▶    1:05  firefox-115  buildPhase",
        "  ▶   5.0 s  linux-6.1  unpackPhase",
        "  ▶    1:05  a",
        "    and 2 more",
        "  ↓ hello-2.12, glibc, gcc …",
    ]


def test_before_anything_is_built_nix_evaluates() -> None:
    assert shown(BuildProgress(started_at=START)) == ["1:05 · evaluating"]


def test_errors_stay_while_the_build_goes_on_and_when_it_has_ended() -> None:
    failing = BUSY.model_copy(update={"errors": ("one", "builder for 'x' failed", "1 dependency failed"), "failed": 1})
    assert shown(failing)[-2:] == ["  ✖ builder for 'x' failed", "  ✖ 1 dependency failed"]
    ended = failing.model_copy(update={"ended_at": NOW, "building": 0, "builds": ()})
    assert shown(ended)[1:] == ["  ✖ builder for 'x' failed", "  ✖ 1 dependency failed"]


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"built": 3}, "3 built in 1:05"),
        ({"built": 3, "failed": 1, "last_seconds": 5.0}, "3 built, 1 failed in 1:05 (last time 5.0 s)"),
        ({"fetched": 1, "to_fetch": 1, "downloaded": 10, "to_download": 10}, "1 path fetched, 10B in 1:05"),
        ({}, ""),
    ],
)
def test_the_end_says_what_was_done(fields: dict[str, object], line: str) -> None:
    ended = BuildProgress.model_validate({"started_at": START, "ended_at": NOW, **fields})
    assert format_progress(ended, NOW + timedelta(days=1)) == line
    assert shown(ended) == ([line] if line else [])


async def test_the_progress_is_above_the_output_and_goes_on_with_the_time(stage: Staged) -> None:
    now = NOW
    view = OperationView(clock=lambda: now)
    async with stage(view) as pilot:
        assert not view.progress_view.display or view.progress_view.size.height == 0
        view.show_progress(BuildProgress(started_at=START))
        await until(pilot, lambda: painted(view.progress_view) == ["1:05 · evaluating"])
        view.show_progress(BUSY)
        await until(pilot, lambda: view.progress_view.size.height == 6 and "firefox" in painted(view.progress_view)[1])
        assert view.output.size.height > 10
        now = NOW + timedelta(seconds=1)
        view.progress_view.tick()
        await until(pilot, lambda: painted(view.progress_view)[0].startswith("1:06 "))
        view.show_progress(None)
        await until(pilot, lambda: view.progress_view.size.height == 0)


async def test_what_has_not_changed_is_not_painted_again(stage: Staged, monkeypatch: pytest.MonkeyPatch) -> None:
    view = OperationView(clock=lambda: NOW)
    async with stage(view) as pilot:
        view.show_progress(BUSY)
        await until(pilot, lambda: view.progress_view.size.height == 6)
        repaints: list[None] = []
        monkeypatch.setattr(view.progress_view, "changed", lambda: repaints.append(None))
        view.show_progress(BUSY.model_copy())
        view.progress_view.tick()
        assert not repaints


async def test_hostile_names_phases_and_errors_are_harmless(stage: Staged) -> None:
    view = OperationView(clock=lambda: NOW)
    async with stage(view) as pilot:
        for text in HOSTILE:
            view.show_progress(
                BUSY.model_copy(
                    update={
                        "builds": (build(text[:120], text[:40]),),
                        "fetching": (text,),
                        "waits_for": text,
                        "errors": (text, text),
                    }
                )
            )
            await pilot.pause(0.05)
            assert_harmless(view.progress_view)
