"""What is shown to a jail of the package that a program is in."""

from __future__ import annotations

from pathlib import Path

import pytest

from hivetui.engine.git.untrusted.program_files import find_needed, package_parts


@pytest.mark.parametrize("store", ["/nix/store", "/gnu/store"])
@pytest.mark.parametrize("program", ["abc-git-2.99/bin/git", "abc-git-2.99/libexec/git-core/git", "abc-wrapper"])
def test_of_a_program_in_a_store_the_whole_store_is_shown(store: str, program: str) -> None:
    """Its libraries are in other packages of the store, which every user of the host can read."""
    assert package_parts(Path(store, program)) == [Path(store)]


@pytest.mark.parametrize("directory", ["/srv/store/bin", "/nix/stores/bin", "/nix/var/store/bin"])
def test_a_directory_that_only_looks_like_a_store_is_not_shown(directory: str) -> None:
    assert package_parts(Path(directory, "git")) == []


def test_of_a_program_in_a_prefix_its_parts_are_shown_and_nothing_beside_them(tmp_path: Path) -> None:
    for part in ("bin", "libexec", "lib", "etc", "home"):
        (tmp_path / part).mkdir()
    (tmp_path / "lib64").symlink_to("lib")
    shown = package_parts(tmp_path / "bin/git")
    assert shown == [tmp_path / "bin", tmp_path / "lib", tmp_path / "lib", tmp_path / "libexec"]


def test_of_a_program_by_itself_its_directory_is_shown(tmp_path: Path) -> None:
    assert package_parts(tmp_path / "tools/git") == [tmp_path / "tools"]


def test_a_profile_leads_through_its_links_to_a_store_that_is_not_the_system_s(tmp_path: Path) -> None:
    """As with `nix --store`, and with a chroot store of a user: a link to a link to a package."""
    store = tmp_path / "nix/store"
    for package in ("1-git", "2-env"):
        (store / package / "bin").mkdir(parents=True)
    (store / "1-git/bin/git").write_text("#!/bin/sh\n")
    (store / "2-env/bin/git").symlink_to(store / "1-git/bin/git")
    (tmp_path / "profile").symlink_to(store / "2-env")
    program = tmp_path / "profile/bin/git"
    needed = find_needed([program], [Path("/usr"), Path("/bin")])
    assert needed.directories == [store]
    assert needed.links == {program: store / "1-git/bin/git"}
