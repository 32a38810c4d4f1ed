"""Where the pictures are kept and how they are taken: each at the smallest terminal that counts, and at a usual one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import pytest_textual_snapshot  # type: ignore[import-untyped]
from pytest_textual_snapshot import SVGImageExtension
from syrupy.location import PyTestLocation

from hivetui.engine.api import Hive
from tests.parsed_styles import share_parsed_styles

from .looking import STILL, Step, console, walk
from .svg import compact

share_parsed_styles()
os.environ["TZ"] = "UTC"  # the history shows local times
time.tzset()

SNAPSHOTS = Path(__file__).parents[2] / "snapshots"
SIZES = ((80, 24), (120, 40))
_PARAMS = (pytest.param(SIZES[0], id="80x24"), pytest.param(SIZES[1], id="120x40", marks=pytest.mark.slow))

Picture = Callable[..., bool]


def _dirname(_: type[SVGImageExtension], *, test_location: PyTestLocation) -> str:
    return str(SNAPSHOTS / test_location.basename)


SVGImageExtension.dirname = classmethod(_dirname)
pytest_textual_snapshot.normalize_svg = compact


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TMUX", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def picture_at(snap_compare: Callable[..., bool]) -> Picture:
    """Whether the console on a hive looks as it is kept: `picture_at((150, 40), "2", Sees("…"), hive=…, theme=…)`."""

    def compare(size: tuple[int, int], *steps: Step, hive: Hive | None = STILL, theme: str = "hive-dark") -> bool:
        return snap_compare(console(hive, theme), terminal_size=size, run_before=walk(*steps))

    return compare


@pytest.fixture(params=_PARAMS)
def picture(request: pytest.FixtureRequest, picture_at: Picture) -> Picture:
    """The same at each of the sizes."""
    return lambda *steps, **more: picture_at(request.param, *steps, **more)
