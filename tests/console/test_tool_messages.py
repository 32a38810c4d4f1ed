"""What a program says although it succeeds: in the review that it was run for, and as a notification."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.console.conftest import Home, Seated

SAID = "git: error: unable to normalize alternate object path: /nonexistent/objects"


@pytest.mark.slow
async def test_what_git_said_is_in_the_review_and_notified(seated: Seated, home: Home) -> None:
    agent = home.agents[1]
    alternates = home.folder / f"var/lib/hyperhive/applied/{agent}/.git/objects/info/alternates"
    async with seated() as seat:
        number = (await seat.hive.submit(agent, home.commit(agent, "{ ... }: { } # said\n"))).id
        alternates.parent.mkdir(exist_ok=True)
        alternates.write_text("/nonexistent/objects\n")
        try:
            seat.navigator.open("review", number=number)
            await seat.notified(SAID)  # the findings and the rest, which git was also run for
            await seat.until(f"▲ {SAID}", "# said")
        finally:
            alternates.unlink()
