"""A comma after the last argument of a function, which Nix accepts, formatters write, and the grammar lacks."""

from __future__ import annotations

import pytest

from hivetui.engine.nix.syntax import parse


@pytest.mark.parametrize(
    "text",
    [
        "{ a, }: a",
        "{\n  lib,\n  pkgs ? import ./p.nix { }, # the packages\n}:\n{ }",
        "{ a, }: { b, ... }: { c, /* c */ }: a",
    ],
)
def test_a_comma_after_the_last_argument_is_no_error_and_moves_nothing(text: str) -> None:
    tree = parse(text.encode())
    assert list(tree.problems()) == []
    assert tree.text(tree.root) == text


@pytest.mark.parametrize(("text", "column"), [("{ a = 1, }", 3), ("[ 1, ]", 4), ("{ a,, }: a", 4)])
def test_a_comma_elsewhere_is_an_error(text: str, column: int) -> None:
    assert next(parse(text.encode()).problems()).column == column
