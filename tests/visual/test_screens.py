"""Every screen, as a person sees it."""

from __future__ import annotations

import pytest

from .conftest import SIZES, Picture
from .looking import AGENTS, HOME, Sees
from .still_hive import StillHive

SMALL = SIZES[0]


def test_opening(picture_at: Picture) -> None:
    assert picture_at(SMALL, Sees("opening"), hive=None)


def test_agents(picture: Picture) -> None:
    assert picture(HOME)


def test_agents_with_a_detail_that_warns(picture: Picture) -> None:
    assert picture(HOME, "j", "j", "space", Sees("retry"))


def test_agents_kept(picture: Picture) -> None:
    assert picture(HOME, "z", "G", Sees("zoe"))


def test_agents_none(picture_at: Picture) -> None:
    assert picture_at(SMALL, Sees("No agents yet"), hive=NOTHING)


def test_agents_filtered_to_nothing(picture_at: Picture) -> None:
    assert picture_at(SMALL, HOME, "slash", *"xyz", Sees("None of"))


def test_proposals(picture: Picture) -> None:
    assert picture(AGENTS, "2", Sees("#13"))


def test_proposals_decided(picture: Picture) -> None:
    assert picture(AGENTS, "2", Sees("#13"), "f", Sees("#10"), "j", "j", "j", "j", Sees("decided by walt"))


def test_proposals_none(picture_at: Picture) -> None:
    assert picture_at(SMALL, AGENTS, "2", Sees("No pending proposals"), hive=NOTHING)


def test_review(picture: Picture) -> None:
    assert picture(AGENTS, "2", Sees("#12"), "enter", Sees("a approve "))


def test_review_of_the_next_file(picture: Picture) -> None:
    assert picture(AGENTS, "2", Sees("#12"), "enter", Sees("a approve "), "v", "v", "v", Sees("3 viewed"))


def test_review_choosing_a_file(picture: Picture) -> None:
    assert picture(AGENTS, "2", Sees("#12"), "enter", Sees("a approve "), "t", "G", Sees("search.nix"))


def test_review_side_by_side(picture_at: Picture) -> None:
    assert picture_at((150, 40), AGENTS, "2", Sees("#12"), "enter", Sees("a approve "), "u")


def test_review_of_a_spawn(picture: Picture) -> None:
    assert picture(AGENTS, "2", Sees("#14"), "G", "enter", Sees("port"))


def test_review_of_what_failed(picture: Picture) -> None:
    assert picture(AGENTS, "2", Sees("#13"), "f", Sees("#10"), *"jjjj", "enter", Sees("decided by walt"))


def test_operation_running(picture: Picture) -> None:
    assert picture(AGENTS, "3", Sees("31"), "enter", Sees("118 of 240"))


def test_operation_that_succeeded(picture: Picture) -> None:
    assert picture(AGENTS, "3", Sees("29"), "j", "j", "enter", Sees("stayed up"))


def test_operation_whose_build_failed(picture: Picture) -> None:
    assert picture(AGENTS, "3", Sees("30"), "j", "enter", Sees("ReadError"), "i")


def test_operations(picture: Picture) -> None:
    assert picture(AGENTS, "3", Sees("cancelled"))


def test_operations_none(picture_at: Picture) -> None:
    assert picture_at(SMALL, AGENTS, "3", Sees("No operations yet"), hive=NOTHING)


def test_logs_following(picture: Picture) -> None:
    assert picture(AGENTS, "4", Sees("retry in 5 s"))


def test_logs_frozen(picture: Picture) -> None:
    assert picture(AGENTS, "4", Sees("retry in 5 s"), "F", "k", "k", "k", "k", Sees("FROZEN"))


def test_logs_filtered(picture: Picture) -> None:
    assert picture(AGENTS, "4", Sees("retry in 5 s"), "ampersand", *"read", "enter", Sees("filter"))


def test_logs_searched(picture: Picture) -> None:
    assert picture(AGENTS, "4", Sees("retry in 5 s"), "slash", *"issue", "enter")


def test_logs_none(picture_at: Picture) -> None:
    assert picture_at(SMALL, AGENTS, "4", Sees("No agents yet"), hive=NOTHING)


def test_history(picture: Picture) -> None:
    assert picture(AGENTS, "5", Sees("✓ deployed"))


def test_history_none(picture_at: Picture) -> None:
    assert picture_at(SMALL, AGENTS, "5", Sees("No deploys yet"), hive=NOTHING)


def test_warnings(picture: Picture) -> None:
    assert picture(AGENTS, "6", Sees("stale-lock"))


def test_warnings_none(picture_at: Picture) -> None:
    assert picture_at(SMALL, AGENTS, "6", Sees("No warnings"), hive=NOTHING)


def test_help(picture: Picture) -> None:
    assert picture(HOME, "question_mark", Sees("this screen"))


@pytest.mark.parametrize("theme", ["hive-light", "hive-colour-blind"])
def test_agents_in_another_theme(picture_at: Picture, theme: str) -> None:
    assert picture_at(SMALL, HOME, theme=theme)


def test_agents_without_colours(picture_at: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert picture_at(SMALL, HOME)


NOTHING = StillHive(its_agents=(), waiting=(), decided=(), running=(), ended=(), deploys=(), wrong=())
