"""File names that cannot be printed, and more files than anybody reads: refused with a message, or shown as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import answers
from .corpus import no_sequence_but_ours

if TYPE_CHECKING:
    from tests.console.conftest import Opened

    from .hive import Hostile

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

REFUSED = 65


@pytest.mark.parametrize("name", [b"\x1b[977;919H.txt", "\u202etxt.exe".encode(), b"\xff\xfe.txt", b"a\nb"])
def test_a_name_that_cannot_be_printed_is_refused_with_a_message(hostile: Hostile, name: bytes) -> None:
    with hostile.passing_commit(hostile.other, {name: b"x\n"}, "MK-name") as sha:
        done = hostile.verb("submit", hostile.other, sha)
    assert done.returncode == REFUSED
    assert b"printable" in done.stderr
    no_sequence_but_ours(done.stderr)


def many(count: int) -> dict[bytes, bytes]:
    return {b"many/file-%05d.txt" % number: b"" for number in range(count)}


def test_fifty_thousand_files_are_refused_with_a_message(hostile: Hostile) -> None:
    """When they are submitted: the console never sees them."""
    with hostile.passing_commit(hostile.other, many(50_000), "MK-many") as sha:
        done = hostile.verb("submit", hostile.other, sha)
    assert done.returncode == REFUSED
    assert b"limit" in done.stderr


def test_the_largest_allowed_number_of_files_can_be_read(terminal: Opened, hostile: Hostile) -> None:
    with hostile.passing_commit(hostile.other, many(4_900), "MK-many") as sha:
        number = hostile.submit(hostile.other, sha, "MK-many")
    console = terminal()
    console.until(hostile.other)
    console.type("2")
    console.until("MK-many")
    console.type("/MK-many\r")
    console.gone("MK-waits")
    console.type("\r")
    console.until("4900 files", "file-00000")
    answers(console)
    console.type("G")
    console.until("file-04899")
    answers(console)
    no_sequence_but_ours(console.written)
    assert hostile.verb("withdraw", str(number)).returncode == 0
