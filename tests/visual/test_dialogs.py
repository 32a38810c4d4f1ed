"""Every dialog over the screen that asks."""

from __future__ import annotations

from .conftest import Picture
from .looking import AGENTS, HOME, Sees
from .test_kinds import hive_with

REVIEW = (AGENTS, "2", Sees("#12"), "enter", Sees("a approve "))
LOG = (AGENTS, "4", Sees("retry in 5 s"))


def test_question(picture: Picture) -> None:
    """Of a proposal of which nothing is cut: what is cut must be read before the question comes."""
    assert picture(*REVIEW, "a", Sees("Approve #12"), hive=hive_with("a harmless package"))


def test_what_is_cut(picture: Picture) -> None:
    assert picture(*REVIEW, "z", Sees("read on"))


def test_question_about_several(picture: Picture) -> None:
    assert picture(HOME, "space", "j", "space", "j", "space", "x", Sees("Stop "))


def test_note(picture: Picture) -> None:
    assert picture(*REVIEW, "d", Sees("Deny #12"))


def test_type_name(picture: Picture) -> None:
    assert picture(HOME, "j", "j", "j", "P", Sees("cannot be undone"), *"irs", Sees("irs"))


def test_spawn(picture: Picture) -> None:
    assert picture(HOME, "c", Sees("Spawn an agent"))


def test_spawn_of_a_name_whose_port_is_taken(picture: Picture) -> None:
    assert picture(HOME, "c", Sees("Spawn an agent"), *"build", Sees("port"))


def test_spawn_of_a_name_that_cannot_be_had(picture: Picture) -> None:
    assert picture(HOME, "c", Sees("Spawn an agent"), *"Build_1", Sees("Build_1"))


def test_tail(picture: Picture) -> None:
    assert picture(*LOG, "t", Sees("How much"))


def test_choice(picture: Picture) -> None:
    assert picture(*REVIEW, "B", Sees("Compare with what?"))


def test_choice_of_agents(picture: Picture) -> None:
    assert picture(*LOG, "A", Sees("Whose logs?"))


def test_commits(picture: Picture) -> None:
    assert picture(*REVIEW, "m", Sees("It reads"), "j", Sees("13:50:00 UTC"))


def test_warning_in_full(picture: Picture) -> None:
    assert picture(AGENTS, "6", Sees("drift"), "enter", Sees("What to do"))


def test_rollback(picture: Picture) -> None:
    assert picture(AGENTS, "5", Sees("✓ deployed"), "j", "j", "j", "j", "R", Sees("why?"))


def test_palette(picture: Picture) -> None:
    assert picture(HOME, "colon", Sees("Next row"))
