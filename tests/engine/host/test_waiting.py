"""How a program that is waited for is named."""

from __future__ import annotations

import pytest

from hivetui.engine.host import waiting


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (("/usr/bin/systemctl", "show", "--all"), "systemctl show"),
        (("journalctl", "--no-pager", "-D", "/var"), "journalctl --no-pager"),
        (("git", "-c", "core.pager=cat", "--git-dir=/a", "-c", "attr.tree=0", "diff-tree", "-p"), "git diff-tree"),
        (("sleep",), "sleep"),
        (("nix", "--extra-experimental-features", "nix-command flakes", "eval"), "nix eval"),
        (("setpriv", "--reuid=9", "--clear-groups", "--", "nix", "build", "--", "x"), "nix build"),
        (
            ("python", "-I", "-S", "launcher.py", "--memory", "9", "--", "bwrap", "--bind", "--", "git", "log"),
            "git log",
        ),
    ],
)
def test_a_program_is_named_by_itself_and_what_it_is_to_do(argv: tuple[str, ...], name: str) -> None:
    assert waiting.name(argv) == name
