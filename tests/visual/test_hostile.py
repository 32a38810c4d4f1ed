"""Every screen on a hive whose agents write what is meant to harm a terminal: the pictures hold visible tokens only."""

from __future__ import annotations

import pytest

from tests.widgets.conftest import HOSTILE

from . import moment
from .conftest import Picture
from .looking import AGENTS, Sees, Step
from .still_hive import StillHive

TITLE = "".join(HOSTILE[1:8])
TEXT = "\n".join(HOSTILE)
PROPOSAL = moment.SEARCH.model_copy(
    update={"title": TITLE, "description": TEXT, "submitted_by": HOSTILE[6], "note": TITLE}
)
FAILED = moment.BUILD_FAILED.model_copy(update={"error": TEXT, "operator": TITLE, "step": TITLE})
HIVE = StillHive(
    description=moment.DESCRIPTION.model_copy(update={"title": HOSTILE[6]}),
    waiting=(PROPOSAL,),
    decided=(),
    running=(),
    ended=(FAILED,),
    deploys=tuple(one.model_copy(update={"note": TITLE, "operator": HOSTILE[7]}) for one in moment.HISTORY),
    wrong=(moment.DRIFT.model_copy(update={"text": TITLE, "fix": HOSTILE[7]}),),
    said=HOSTILE,
)
WAYS: dict[str, tuple[Step, ...]] = {
    "agents": (Sees("last lines"),),
    "proposals": ("2", Sees("#12")),
    "review": ("2", Sees("#12"), "enter", Sees("a approve "), *"}}}}}"),
    "commits": ("2", Sees("#12"), "enter", Sees("a approve "), "m", Sees("space  scroll")),
    "operations": ("3", Sees("failed")),
    "operation": ("3", Sees("failed"), "enter", Sees("ended")),
    "logs": ("4", Sees("plain")),
    "history": ("5", Sees("#9")),
    "warnings": ("6", Sees("drift")),
    "help": ("question_mark", Sees("this screen")),
}


USUAL = ("agents", "review", "commits", "logs")
"""Where most of what agents write is shown; the other screens are for the slow suite."""


@pytest.mark.parametrize(
    "place", [pytest.param(place, marks=() if place in USUAL else pytest.mark.slow) for place in WAYS]
)
def test_hostile_text(picture_at: Picture, place: str) -> None:
    assert picture_at((100, 30), AGENTS, *WAYS[place], hive=HIVE)
