"""How a program that is waited for is named."""

from __future__ import annotations

import pytest

from hivetui.engine.host import waiting
from hivetui.engine.host.host import Command


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (("/usr/bin/systemctl", "show", "--all"), "systemctl show"),
        (("journalctl", "--no-pager", "-D", "/var"), "journalctl --no-pager"),
        (("git", "-c", "core.pager=cat", "--git-dir=/a", "-c", "attr.tree=0", "diff-tree", "-p"), "git diff-tree"),
        (("sleep",), "sleep"),
    ],
)
def test_a_program_is_named_by_itself_and_what_it_is_to_do(argv: tuple[str, ...], name: str) -> None:
    with waiting.noted(Command(argv)):
        found = waiting.longest_wait()
    assert found is not None
    assert found[0] == name
