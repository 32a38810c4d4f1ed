"""What the head of a review says of a proposal: the subject of its commit first, and the description beside it."""

from __future__ import annotations

import pytest

from hivetui.screens.review.contents import DiffOptions
from hivetui.screens.review.text import HeadLayout, build_head
from tests.visual import moment


def message_of(message: str, description: str) -> list[str]:
    """The lines of the head after those that are about the proposal."""
    proposal = moment.SEARCH.model_copy(update={"description": description, "title": message.partition("\n")[0]})
    review = moment.review_of(proposal).model_copy(update={"message": message, "reverts": ()})
    layout = HeadLayout(now=moment.NOW, width=80, rows=9, viewed=0, options=DiffOptions())
    return [line.strip() for line in build_head(review, layout).plain.splitlines()[2:]]


@pytest.mark.parametrize(
    ("message", "description", "shown"),
    [
        ("Add jq\n\nIt reads JSON.", "The operator asked.", ["Add jq", "The operator asked.", "It reads JSON."]),
        ("Add jq\n\nIt reads JSON.", "", ["Add jq", "It reads JSON."]),
        ("Add jq", "Add jq", ["Add jq"]),
        ("Add jq\n\nWhy.", "Add jq\n\nWhy.", ["Add jq", "Why."]),
    ],
)
def test_the_subject_of_the_commit_comes_first_then_the_description_and_nothing_twice(
    message: str, description: str, shown: list[str]
) -> None:
    assert message_of(message, description) == shown
