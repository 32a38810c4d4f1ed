"""A path that is too long keeps what distinguishes it, and a rename shows both names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivetui.engine.model.text import cells
from hivetui.widgets.paths import shorten_path, shorten_rename

DEEP = "examples/flakes/{}/with/a/rather/long/way/down/to/default.nix"


def test_a_path_is_cut_from_the_left() -> None:
    assert shorten_path("examples/flake-parts/hosts/agent.nix", 20) == "…rts/hosts/agent.nix"
    assert shorten_path("short.nix", 20) == "short.nix"


@pytest.mark.parametrize("width", [12, 20, 28, 40])
def test_paths_with_the_same_end_differ_where_they_are_cut(width: int) -> None:
    paths = [DEEP.format(name) for name in ("alpha", "beta", "gamma")] + ["other/beta/down/to/default.nix"]
    shown = [shorten_path(path, width, paths) for path in paths]
    assert len(set(shown)) == len(paths), shown


@pytest.mark.parametrize("width", [20, 28, 40, 60])
@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("hosts/common/old-name.nix", "hosts/common/new-name.nix", ("old", "new")),
        ("a/very/long/way/x/default.nix", "a/very/long/way/y/default.nix", ("x", "y")),
        ("modules/services/alpha.nix", "lib/beta.nix", ("a.nix", "a.nix")),
        ("alpha.nix", "beta.nix", ("alpha", "beta")),
    ],
)
def test_a_rename_shows_both_names(old: str, new: str, names: tuple[str, str], width: int) -> None:
    before, arrow, after = shorten_rename(old, new, width).partition(" → ")
    assert arrow
    assert names[0] in before or "-name" in before
    assert names[1] in after or "-name" in after
    assert before.split("{")[-1] != after.split("}")[0]


def test_what_both_names_of_a_rename_have_in_common_is_shown_once() -> None:
    assert shorten_rename("a/b/c.nix", "a/d/c.nix", 40) == "a/{b → d}/c.nix"
    assert shorten_rename("a/b.nix", "a/c.nix", 40) == "a/{b.nix → c.nix}"


@pytest.mark.parametrize("width", [22, 30, 60])
def test_of_a_file_that_is_moved_as_it_is_its_name_is_shown_and_where_it_went(width: int) -> None:
    shown = shorten_rename("flake.nix", "modules/of/the/agent/flake.nix", width)
    assert shown.startswith("{ → ")
    assert shown.endswith("/agent/}flake.nix")
    back = shorten_rename("modules/of/the/agent/flake.nix", "flake.nix", width)
    assert back.endswith("/agent/ → }flake.nix")
    assert shorten_rename("a/c.nix", "a/b/c.nix", 40) == "a/{ → b/}c.nix"


@given(st.text(max_size=60), st.text(max_size=60), st.integers(10, 80))
def test_no_path_takes_more_than_its_cells(old: str, new: str, width: int) -> None:
    assert cells(shorten_path(new, width, (old, new))) <= width
    assert cells(shorten_rename(old, new, width)) <= width
