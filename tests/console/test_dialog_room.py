"""On the smallest terminal, too, the answers of a dialog stay visible, and all of its details can be read."""

from __future__ import annotations

import pytest

from hivetui.screens.dialogs.base import Dialog
from hivetui.screens.dialogs.choice import ChoiceDialog
from hivetui.screens.dialogs.confirm import ConfirmDialog
from hivetui.screens.dialogs.text import NameDialog, NoteDialog
from tests.console.conftest import Seated

pytestmark = pytest.mark.slow

LONG = "\u202e\x1b[2J " * 500
DETAILS = tuple(f"detail {number} of {LONG[:200]}" for number in range(20))


@pytest.mark.parametrize(
    ("dialog", "answers"),
    [
        (ConfirmDialog(f"Approve? {LONG}", DETAILS, "build it"), ("esc  no", "build it")),
        (NoteDialog(f"Deny? {LONG}", DETAILS), ("reason (required)", "esc  cancel")),
        (NameDialog("alice", f"Purge? {LONG}", DETAILS), ("type alice", "esc  cancel")),
        (ChoiceDialog(f"What? {LONG}", [("a", LONG), ("b", "the other")]), ("the other", "esc  cancel")),
    ],
    ids=["question", "note", "name", "choice"],
)
async def test_the_answers_stay_visible(seated: Seated, dialog: Dialog[object], answers: tuple[str, ...]) -> None:
    async with seated(size=(80, 24)) as seat:
        seat.app.push_screen(dialog)
        await seat.until(*answers)


async def test_details_that_do_not_fit_scroll_by_pages(seated: Seated) -> None:
    async with seated(size=(80, 24)) as seat:
        seat.app.push_screen(ConfirmDialog("Stop them?", DETAILS, "stop"))
        await seat.until("detail 0 of", "pgdn  more", "esc  no")
        while "detail 19 of" not in seat.text:
            await seat.press("pagedown")
        await seat.press("pageup", "pageup")
        await seat.until("esc  no", gone=("detail 19 of",))


async def test_details_that_fit_do_not_offer_to_scroll(seated: Seated) -> None:
    async with seated(size=(80, 24)) as seat:
        seat.app.push_screen(ConfirmDialog("Stop it?", ("Its work ends.",), "stop"))
        await seat.until("Its work ends.", gone=("pgdn",))
