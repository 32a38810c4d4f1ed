"""Programs that are found through symbolic links, as in the profiles of nix, by verbs as a user runs them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hivetui.engine.git.untrusted import jail

if TYPE_CHECKING:
    from tests.cli.conftest import Cli

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(not jail.is_possible() or shutil.which("bwrap") is None, reason="needs root and bubblewrap"),
]
CHANGE = '{ ... }: { environment.variables.PROFILE = "%s"; }\n'


class Profile:
    """A profile as nix makes it: its programs are links to links into packages with libexec and libraries."""

    def __init__(self, folder: Path) -> None:
        self.packages, self.bin = folder / "packages", folder / "profile/bin"
        (folder / "generation-1/bin").mkdir(parents=True)
        (folder / "generation").symlink_to("generation-1")
        (folder / "profile").symlink_to(folder / "generation")

    def add(self, program: str, script: str = "") -> None:
        """Add a package with a copy of a program of the system, behind a wrapper where there is a script."""
        package = self.packages / f"{program}-1.0"
        for part in ("bin", "libexec", "lib"):
            (package / part).mkdir(parents=True)
        place = package / ("libexec" if script else "bin") / program
        shutil.copy(shutil.which(program) or "", place)
        if script:
            (package / "bin" / program).write_text(f"#!/bin/sh\n{script}\n")
            (package / "bin" / program).chmod(0o755)
        between = self.packages / f"links-of-{program}"
        between.symlink_to(package)
        (self.bin / program).symlink_to(between / "bin" / program)


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    made = Profile(tmp_path)
    monkeypatch.setenv("PATH", f"{made.bin}:{os.environ['PATH']}")
    return made


def check_of(run: Cli, name: str) -> dict[str, Any]:
    checks: list[dict[str, Any]] = run("doctor", "--json").json["checks"]
    return next(one for one in checks if one["name"] == name)


def is_submitted(run: Cli, text: str) -> bool:
    """Whether a commit can be submitted; it is withdrawn again."""
    done = run("submit", run.agent, run.commit(CHANGE % text), "--json")
    assert done.status in (0, 69), done.err
    if done.status == 0:
        run("withdraw", str(done.json["proposal"]["id"]))
    return done.status == 0


@pytest.mark.parametrize(
    "programs", [("git",), ("setpriv",), ("bwrap",), ("git", "setpriv", "bwrap")], ids=lambda names: "+".join(names)
)
def test_programs_behind_links_to_links_work_in_doctor_and_submit(
    run: Cli, profile: Profile, programs: tuple[str, ...]
) -> None:
    for program in programs:
        profile.add(program)
    assert check_of(run, "jail")["ok"]
    assert check_of(run, "git")["ok"]
    assert is_submitted(run, "-".join(programs))


def test_a_wrapper_of_git_with_its_program_in_libexec_works_in_doctor_and_submit(run: Cli, profile: Profile) -> None:
    profile.add("git", 'exec "$(dirname "$(readlink -f "$0")")/../libexec/git" "$@"')
    assert check_of(run, "jail")["ok"]
    assert is_submitted(run, "wrapped")


def test_a_link_to_the_git_of_the_system_works_in_doctor_and_submit(run: Cli, profile: Profile) -> None:
    (profile.bin / "git").symlink_to(shutil.which("git") or "")
    assert check_of(run, "jail")["ok"]
    assert is_submitted(run, "linked")


def test_what_keeps_a_submit_from_working_is_what_doctor_says(run: Cli, profile: Profile, tmp_path: Path) -> None:
    (tmp_path / "outside").touch()
    profile.add("git", f'test -e {tmp_path}/outside || exit 3; exec /usr/bin/git "$@"')
    found = check_of(run, "jail")
    assert not found["ok"]
    assert str(profile.bin / "git") in found["found"]
    assert not is_submitted(run, "outside")


def test_doctor_tells_of_a_jail_that_cannot_serve_files_that_are_only_for_their_owner(
    run: Cli, profile: Profile
) -> None:
    """A container may lack the capability that the git of such a repo is given in the jail."""
    refusal = 'case "$*" in *dac_read_search*) echo "no such capability" >&2; exit 1;; esac'
    profile.add("setpriv", f'{refusal}\nexec /usr/bin/setpriv "$@"')
    found = check_of(run, "jail")
    assert not found["ok"]
    assert "no such capability" in found["found"]
    private = run.proposed / ".git/objects"
    for path in (private, *private.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o400)
    assert not is_submitted(run, "private")
