"""Flake references at a revision."""

from __future__ import annotations

import pytest

from hivetui.engine.model.errors import BadData
from hivetui.engine.nix.argv import at_revision

HASH = "a" * 40


@pytest.mark.parametrize(
    ("url", "revision", "expected"),
    [
        ("git+file:///base", HASH, f"git+file:///base?rev={HASH}"),
        ("git+file:///base?ref=main", HASH, f"git+file:///base?rev={HASH}"),
        ("git+https://x/y?dir=sub&ref=main", "next", "git+https://x/y?dir=sub&ref=next"),
        ("github:owner/repo", HASH, f"github:owner/repo/{HASH}"),
        ("github:owner/repo/main?dir=sub", "v1.2", "github:owner/repo/v1.2?dir=sub"),
        ("gitlab:owner/repo?ref=main", "next", "gitlab:owner/repo/next"),
    ],
)
def test_a_reference_gets_the_revision_in_place_of_its_own(url: str, revision: str, expected: str) -> None:
    assert at_revision(url, revision) == expected


@pytest.mark.parametrize("url", ["path:/base", "nixpkgs", "https://x/y.tar.gz", "github:owner"])
def test_what_is_no_git_repo_has_no_revisions(url: str) -> None:
    with pytest.raises(BadData, match="no revisions"):
        at_revision(url, HASH)


@pytest.mark.parametrize("revision", ["", "-x", "a b", "a&rev=b", "a?b", "a#b", '"', "x" * 300])
def test_a_revision_cannot_add_anything_to_the_reference(revision: str) -> None:
    with pytest.raises(BadData, match="not a revision"):
        at_revision("git+file:///base", revision)
