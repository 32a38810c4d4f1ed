"""The exact arguments that nix is given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import BadData
from hivetui.engine.nix import argv

if TYPE_CHECKING:
    pass

PATHS = Paths(Path("/"))
COMMIT, HEAD = "1" * 40, "2" * 40
EVENTS = ("--log-format", "internal-json")
SAFE = ("--option", "accept-flake-config", "false", "--option", "allow-import-from-derivation", "false")


def test_the_locked_commit_is_built_from_the_head_of_meta_and_no_lock_may_change() -> None:
    assert argv.build_arguments(PATHS, "iris", None, argv.meta_url(PATHS, HEAD)) == (
        *("build", *EVENTS, *SAFE, "--no-update-lock-file"),
        f'git+file:///var/lib/hyperhive/meta?rev={HEAD}#nixosConfigurations."iris".config.system.build.toplevel',
    )


def test_a_candidate_is_built_by_overriding_the_locked_commit() -> None:
    assert argv.build_arguments(PATHS, "a_b", COMMIT, "path:/copy") == (
        *("build", *EVENTS, *SAFE, "--no-write-lock-file"),
        *("--override-input", "agent-a_b", f"git+file:///var/lib/hyperhive/applied/a_b?rev={COMMIT}"),
        'path:/copy#nixosConfigurations."a_b".config.system.build.toplevel',
    )


def test_describing_a_flake_has_the_same_safety_options() -> None:
    expected = ("flake", "metadata", "--json", *SAFE, "--no-write-lock-file", "path:/x")
    assert argv.metadata_arguments("path:/x", "--no-write-lock-file") == expected


def test_a_profile_is_set_to_a_store_path() -> None:
    assert argv.profile_arguments(Path("/p"), Path("/nix/store/x")) == ("-p", "/p", "--set", "/nix/store/x")


def test_special_characters_of_a_path_are_escaped_in_a_flake_reference() -> None:
    assert argv.flake_url(Path("/a b/#?")) == "git+file:///a%20b/%23%3F"


@pytest.mark.parametrize("commit", ["main", "1" * 39, "--upload-pack=x", "1" * 40 + "\n", "A" * 40])
def test_only_a_full_hash_names_a_candidate(commit: str) -> None:
    with pytest.raises(BadData):
        argv.candidate_url(PATHS, "iris", commit)
