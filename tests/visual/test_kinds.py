"""Pictures of the review of each kind of change: with its findings, and with its effect beside or below it."""

from __future__ import annotations

import pytest

from . import moment
from .conftest import Picture
from .kinds import KINDS
from .looking import Sees
from .still_hive import StillHive

pytestmark = pytest.mark.slow
NUMBER = 12
AGENTS = Sees("alice")


def hive_with(name: str) -> StillHive:
    """A hive in which #12 is a change of that kind."""
    kind = KINDS[name]
    title = kind.message.partition("\n")[0]
    waiting = tuple(
        one.model_copy(update={"title": title, "description": ""}) if one.id == NUMBER else one
        for one in moment.WAITING
    )
    proposal = next(one for one in waiting if one.id == NUMBER)
    review = moment.review_of(proposal)
    commits = (review.commits[0].model_copy(update={"message": kind.message}),)
    of_kind = {"message": kind.message, "files": kind.changes, "commits": commits, "commit_count": 1, "reverts": ()}
    return StillHive(
        waiting=waiting,
        found={NUMBER: kind.assessment.findings},
        effects={NUMBER: kind.effect},
        reviews={NUMBER: review.model_copy(update=of_kind)},
        patches={NUMBER: kind.patch},
    )


@pytest.mark.parametrize("name", KINDS)
def test_review(picture_at: Picture, name: str) -> None:
    steps = (AGENTS, "2", Sees("#12"), "enter", Sees("d deny"))
    assert picture_at((160, 48), *steps, hive=hive_with(name))


@pytest.mark.parametrize("name", KINDS)
def test_effect(picture_at: Picture, name: str) -> None:
    steps = (AGENTS, "2", Sees("#12"), "enter", Sees("d deny"), "E", Sees("ffect"))
    assert picture_at((100, 30), *steps, hive=hive_with(name))
