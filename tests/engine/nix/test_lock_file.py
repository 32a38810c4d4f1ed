"""Lock files that agents propose: fixed content of other hosts, and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivetui.engine.model.errors import BadData
from hivetui.engine.nix import lock_file

if TYPE_CHECKING:
    pass

COMMIT, HEAD = "1" * 40, "2" * 40
HASH = "sha256-" + "A" * 43 + "="


def node(locked: dict[str, Any] | None = None, original: dict[str, Any] | None = None) -> dict[str, Any]:
    place = {"type": "github", "owner": "o", "repo": "r"}
    return {
        "locked": {**place, "rev": COMMIT, "narHash": HASH, "lastModified": 1, **(locked or {})},
        "original": {**place, **(original or {})},
    }


def lock(nodes: dict[str, Any], **more: Any) -> str:
    root = {"inputs": {key: key for key in nodes}}
    return json.dumps({"version": 7, "root": "root", "nodes": {"root": root, **nodes}, **more})


def in_tarball(url: str, original: str | None = None) -> dict[str, Any]:
    place = {"type": "tarball", "url": url}
    return {"locked": {**place, "narHash": HASH}, "original": {**place, "url": original or url}}


def in_git(url: str) -> dict[str, Any]:
    place = {"type": "git", "url": url}
    return {"locked": {**place, "narHash": HASH, "rev": COMMIT}, "original": {**place, "ref": "main"}}


@pytest.mark.parametrize(
    "good",
    [
        {},
        {"a": node()},
        {"a": node(original={"ref": "nixos-unstable"})},
        {"a": node(original={"rev": COMMIT})},
        {"a": {**node(), "flake": False, "inputs": {"b": ["c", "d"]}}},
        {"a": in_tarball("https://example.org/x.tar.gz")},
        {"a": in_git("https://example.org/x"), "b": in_git("ssh://git@example.org/x")},
    ],
)
def test_a_lock_file_with_fixed_content_of_other_hosts_is_accepted(good: dict[str, Any]) -> None:
    lock_file.check(lock(good))


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"type": "path", "path": "/etc", "narHash": HASH}, "of type 'path'"),
        ({"type": "file", "url": "file:///etc/shadow", "narHash": HASH}, "of type 'file'"),
        ({"type": "indirect", "id": "nixpkgs"}, "of type 'indirect'"),
        ({"type": "git", "url": "file:///root/x", "rev": COMMIT, "narHash": HASH}, "https or ssh"),
        ({"type": "git", "url": "../x", "rev": COMMIT, "narHash": HASH}, "https or ssh"),
        ({"type": "tarball", "url": "file:///x.tar", "narHash": HASH}, "https or ssh"),
    ],
)
def test_a_lock_file_with_a_path_of_this_host_is_refused(bad: dict[str, Any], why: str) -> None:
    with pytest.raises(BadData, match=why):
        lock_file.check(lock({"a": {"locked": bad, "original": bad}}))


@pytest.mark.parametrize(
    "bad",
    [
        node(locked={"owner": "mallory"}),
        node(locked={"host": "evil.example"}),
        node(locked={"dir": "x"}),
        node(locked={"type": "gitlab"}),
        node(original={"type": "indirect", "id": "nixpkgs"}),
        in_tarball("https://evil.example/x", "https://example.org/x"),
    ],
)
def test_a_lock_file_with_another_place_than_the_flake_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(BadData, match="another place"):
        lock_file.check(lock({"a": bad}))


@pytest.mark.parametrize(
    "bad",
    [
        node(locked={"narHash": None}),
        node(locked={"narHash": "sha256-x"}),
        node(locked={"rev": "main"}),
        node(original={"rev": HEAD}),
        {"original": node()["original"]},
        {"locked": node()["locked"]},
        {},
        None,
        [],
    ],
)
def test_a_lock_file_without_fixed_content_is_refused(bad: Any) -> None:
    with pytest.raises(BadData):
        lock_file.check(lock({"a": bad}))


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[]", "null", "/nix/store/x", "{" * 5000, "[" * 100_000),
        lock({}, version=6),
        lock({}, root="other"),
        lock({"a": node()}).replace('"owner": "o"', '"owner": "evil", "owner": "o"', 1),
    ],
)
def test_text_that_is_not_a_lock_file_is_refused(text: str) -> None:
    with pytest.raises(BadData):
        lock_file.check(text)


@given(st.text())
def test_any_other_text_is_refused_as_bad_data(text: str) -> None:
    with pytest.raises(BadData):
        lock_file.check(text)
