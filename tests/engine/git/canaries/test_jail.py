"""The jail by itself: what git can see in it when the repo changes after the inspection."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shlex
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from hivetui.engine.agents import preconditions
from hivetui.engine.git.untrusted import jail, proposed, quarantine
from hivetui.engine.host.host import Host, Tools
from hivetui.engine.model.errors import HiveError, TryAgain, Unavailable
from hivetui.engine.model.operations import OperationKind
from tests.engine.git.canaries.conftest import Hostile
from tests.git_2 import GIT_2

pytestmark = [pytest.mark.root, pytest.mark.skipif(not jail.is_possible(), reason="needs root that may mount")]


def upload_pack(hostile: Hostile, tmp_path: Path, read_all: bool, git: tuple[str, ...]) -> str:
    server = tmp_path / "serve.git"
    if not server.exists():
        jail.make_server(server, "/objects")
    tools = jail.tools(dataclasses.replace(hostile.host, tools=Tools(git=git)))
    return jail.upload_pack(tools, server, hostile.host.paths.agents, "iris", read_all)


def fetch(hostile: Hostile, commit: str, tmp_path: Path, read_all: bool = True) -> subprocess.CompletedProcess[bytes]:
    """Fetch from the jail without any inspection, into a repo of the test."""
    into = tmp_path / "into.git"
    subprocess.run(("git", "init", "-q", "--bare", into), env=os.environ | GIT_2, check=True)
    program = upload_pack(hostile, tmp_path, read_all, ("git",))
    command = (
        "git",
        f"--git-dir={into}",
        "-c",
        "protocol.version=2",
        "fetch",
        f"--upload-pack={program}",
        "/x",
        commit,
    )
    return subprocess.run(command, capture_output=True, timeout=60)


def test_a_sound_commit_is_served(hostile: Hostile, tmp_path: Path) -> None:
    assert fetch(hostile, hostile.commit(), tmp_path, read_all=False).returncode == 0


def test_alternates_lead_nowhere(hostile: Hostile, tmp_path: Path) -> None:
    info = hostile.git_dir / "objects/info"
    info.mkdir(exist_ok=True)
    (info / "alternates").write_text(f"{hostile.secret}/.git/objects\n")
    assert b"not our ref" in fetch(hostile, hostile.secret_commit, tmp_path).stderr


def test_links_among_the_objects_lead_nowhere(hostile: Hostile, tmp_path: Path) -> None:
    for place in (hostile.secret / ".git/objects").iterdir():
        path = hostile.git_dir / "objects" / place.name
        if not path.exists():
            path.symlink_to(place)
    assert fetch(hostile, hostile.secret_commit, tmp_path).returncode != 0
    assert not list((tmp_path / "into.git/objects/pack").iterdir())


def test_an_object_directory_that_is_a_link_is_not_served(hostile: Hostile, tmp_path: Path) -> None:
    objects = hostile.git_dir / "objects"
    objects.rename(tmp_path / "aside")
    objects.symlink_to(hostile.secret / ".git/objects")
    assert b"jail: " in fetch(hostile, hostile.secret_commit, tmp_path).stderr


def test_files_of_root_are_not_read_without_need(hostile: Hostile, tmp_path: Path) -> None:
    commit = hostile.commit()
    for where, folders, names in os.walk(hostile.git_dir):
        for name in (*folders, *names):
            Path(where, name).chmod(0o700)
    assert fetch(hostile, commit, tmp_path, read_all=False).returncode != 0
    assert fetch(hostile, commit, tmp_path, read_all=True).returncode == 0


def test_a_git_behind_symbolic_links_is_found(hostile: Hostile, tmp_path: Path) -> None:
    profile, store = tmp_path / "profile", tmp_path / "store/git-2.99/bin"
    store.mkdir(parents=True)
    (store / "git-2.99").write_text('#!/bin/sh\nexec /usr/bin/git "$@"\n')
    (store / "git-2.99").chmod(0o755)
    profile.symlink_to(store)
    (store / "git").symlink_to("git-2.99")
    program = upload_pack(hostile, tmp_path, False, (str(profile / "git"),))
    served = subprocess.run([*shlex.split(program), "/x"], capture_output=True, timeout=60)
    assert served.returncode == 0, served.stderr
    assert b"version 2" in served.stdout


async def test_a_host_without_bubblewrap_is_refused_in_words(hostile: Hostile, tmp_path: Path) -> None:
    commit = hostile.commit()
    for program in ("git", "setpriv"):
        (tmp_path / program).symlink_to(shutil.which(program) or "")
    host = dataclasses.replace(hostile.host, environment={"PATH": str(tmp_path)})
    with pytest.raises(Unavailable, match="bwrap"):
        await proposed.fetch(host, "iris", commit)


async def test_without_bubblewrap_a_spawn_is_refused_before_it_begins(hostile: Hostile, tmp_path: Path) -> None:
    for program in ("git", "setpriv", "nixos-container", "systemctl", "nix"):
        (tmp_path / program).symlink_to("/bin/true")
    host = dataclasses.replace(hostile.host, environment={"PATH": str(tmp_path)})
    with pytest.raises(Unavailable, match="bwrap"):
        preconditions.require_tools(host, OperationKind.SPAWN)


async def test_a_pack_that_is_too_large_is_told_as_that(hostile: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jail, "LARGEST_FILE", 1 << 20)
    (hostile.folder / "large").write_bytes(os.urandom(3 << 20))
    refusal = await hostile.refused(hostile.commit())
    assert refusal.what.endswith("is too large")


async def test_a_damaged_object_is_refused_with_git_fsck_as_advice(hostile: Hostile) -> None:
    (hostile.folder / "new").write_text("new")
    commit = hostile.commit()
    tree = hostile.manager("rev-parse", f"{commit}^{{tree}}")
    (hostile.git_dir / "objects" / tree[:2] / tree[2:]).unlink()
    assert "git fsck" in (await hostile.refused(commit)).fix


async def test_what_git_says_of_a_damaged_pack_is_told_once_and_without_its_padding(hostile: Hostile) -> None:
    (hostile.folder / "new").write_text("new")
    commit = hostile.commit()
    hostile.manager("repack", "-q", "-a", "-d")
    pack = next((hostile.git_dir / "objects/pack").glob("*.pack"))
    whole = pack.read_bytes()
    pack.chmod(0o644)
    for damaged in (whole[:100], whole[:60] + b"X" * 8 + whole[68:], whole[:-20]):
        pack.write_bytes(damaged)
        refusal = await hostile.refused(commit)
        lines = refusal.why.split("\n")
        assert "git fsck" in refusal.fix
        assert len(set(lines)) == len(lines)
        assert lines == [line.rstrip("\0 ") for line in lines]


async def test_the_probe_makes_a_jail(hostile: Hostile) -> None:
    await quarantine.probe(hostile.host)
    await quarantine.probe(hostile.host, read_all=True)


def install_git(package: Path, script: str) -> Path:
    """A git in a directory that no system has: a script in bin that runs a program in libexec."""
    for part in ("bin", "libexec"):
        (package / part).mkdir(parents=True)
    shutil.copy("/usr/bin/git", package / "libexec/real-git")
    (package / "bin/git").write_text(f"#!/bin/sh\n{script}\n")
    (package / "bin/git").chmod(0o755)
    return package / "bin/git"


async def test_a_git_with_libexec_behind_links_to_links_works_in_the_jail(hostile: Hostile, tmp_path: Path) -> None:
    git = install_git(
        tmp_path / "packages/git-2.99", 'exec "$(dirname "$(readlink -f "$0")")/../libexec/real-git" "$@"'
    )
    generation, profile = tmp_path / "generation", tmp_path / "profile/bin"
    for directory, target in ((generation, git), (profile, generation / "git")):
        directory.mkdir(parents=True)
        (directory / "git").symlink_to(target)
    host = dataclasses.replace(hostile.host, environment={"PATH": f"{profile}:{os.environ['PATH']}"})
    await quarantine.probe(host)
    await proposed.fetch(host, "iris", hostile.commit())


def install_wrapper(store: Path, git: Path) -> dict[str, str]:
    """A git in a profile, as nix has it: a wrapper with an interpreter of another package, reached by links to links.

    The environment in which it is found.
    """
    (store / "bash/bin").mkdir(parents=True)
    shutil.copy("/bin/bash", store / "bash/bin/bash-5")
    (store / "bash/bin/bash").symlink_to("bash-5")
    (store / "links").symlink_to("bash")
    (store / "wrapper/bin").mkdir(parents=True)
    (store / "wrapper/bin/git").write_text(f'#!{store}/links/bin/bash -e\nexec -a git "{git}" "$@"\n')
    (store / "wrapper/bin/git").chmod(0o755)
    (store / "generation").symlink_to("wrapper")
    (store / "profile").symlink_to("generation")
    return {"PATH": f"{store}/profile/bin:{os.environ['PATH']}"}


async def test_a_wrapper_and_its_interpreter_in_other_packages_work_in_the_jail(
    hostile: Hostile, tmp_path: Path
) -> None:
    git = install_git(tmp_path / "packages/git", 'exec "$(dirname "$(readlink -f "$0")")/../libexec/real-git" "$@"')
    host = dataclasses.replace(hostile.host, environment=install_wrapper(tmp_path / "packages", git))
    await quarantine.probe(host)
    await proposed.fetch(host, "iris", hostile.commit())


@pytest.mark.parametrize("kind", ["link", "wrapper"])
async def test_a_git_in_a_directory_of_the_system_that_leads_out_of_it_works_in_the_jail(
    hostile: Hostile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """As /usr/local/bin/git does where git was installed below /opt."""
    git = install_git(tmp_path / "opt/git", 'exec "$(dirname "$(readlink -f "$0")")/../libexec/real-git" "$@"')
    system = tmp_path / "system"
    (system / "bin").mkdir(parents=True)
    if kind == "link":
        (system / "bin/git").symlink_to(git)
    else:
        (system / "bin/git").write_text(f'#!/bin/sh\nexec {git} "$@"\n')
        (system / "bin/git").chmod(0o755)
    monkeypatch.setattr(jail, "SYSTEM", (*jail.SYSTEM, str(system)))
    host = dataclasses.replace(hostile.host, environment={"PATH": f"{system}/bin:{os.environ['PATH']}"})
    await quarantine.probe(host)
    await proposed.fetch(host, "iris", hostile.commit())


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
async def test_libraries_of_other_packages_that_need_further_ones_are_in_the_jail(
    hostile: Hostile, tmp_path: Path
) -> None:
    store = tmp_path / "packages"
    sources = {
        "liby": "int y(void) { return 0; }",
        "libx": "int y(void); int x(void) { return y(); }",
        "git": '#include <unistd.h>\nint x(void); int main(int n, char **v) { v[0] = "git"; '
        'return x() || execv("/usr/bin/git", v); }',
    }
    flags = {"liby": (), "libx": ("-ly",), "git": ("-lx",)}
    for name, source in sources.items():
        part = store / name / ("bin" if name == "git" else "lib")
        part.mkdir(parents=True)
        (tmp_path / f"{name}.c").write_text(source)
        needs = [word for flag in flags[name] for word in (f"-L{store}/lib{flag[2:]}/lib", flag)]
        paths = [f"-Wl,-rpath,{store}/lib{flag[2:]}/lib,--enable-new-dtags" for flag in flags[name]]
        kind, output = ((), part / name) if name == "git" else (("-shared", "-fPIC"), part / f"{name}.so")
        hidden = ("-Wl,--allow-shlib-undefined",)
        argv = ("cc", *kind, str(tmp_path / f"{name}.c"), "-o", str(output), *needs, *paths, *hidden)
        await asyncio.to_thread(subprocess.run, argv, check=True)
    host = dataclasses.replace(hostile.host, environment=install_wrapper(store, store / "git/bin/git"))
    await quarantine.probe(host)
    await proposed.fetch(host, "iris", hostile.commit())


async def test_a_git_that_cannot_run_in_the_jail_is_named_and_the_commit_is_not_blamed(
    hostile: Hostile, tmp_path: Path
) -> None:
    (tmp_path / "needed").write_text("x")
    git = install_git(tmp_path / "wrapped", f'test -e {tmp_path}/needed || exit 3; exec /usr/bin/git "$@"')
    host = dataclasses.replace(hostile.host, environment={"PATH": f"{git.parent}:{os.environ['PATH']}"})
    with pytest.raises(Unavailable, match="git cannot fetch from a jail") as caught:
        await proposed.fetch(host, "iris", hostile.commit())
    assert str(git) in caught.value.why
    assert "HYPERHIVE_GIT" in caught.value.fix
    with pytest.raises(Unavailable, match="git cannot fetch from a jail"):
        await quarantine.probe(host)


async def test_a_wrapper_that_looks_beside_itself_works_in_the_jail(hostile: Hostile, tmp_path: Path) -> None:
    git = install_git(tmp_path / "wrapped", 'exec "$(dirname "$0")/.git-wrapped" "$@"')
    (git.parent / ".git-wrapped").symlink_to("/usr/bin/git")
    host = dataclasses.replace(hostile.host, environment={"PATH": f"{git.parent}:{os.environ['PATH']}"})
    await proposed.fetch(host, "iris", hostile.commit())


async def test_a_git_that_fails_whatever_it_reads_does_not_make_a_configuration_wrong(
    hostile: Hostile, tmp_path: Path
) -> None:
    git = install_git(tmp_path / "broken", 'case "$*" in *--file*) exit 128;; esac; exec /usr/bin/git "$@"')
    host = dataclasses.replace(hostile.host, environment={"PATH": f"{git.parent}:{os.environ['PATH']}"})
    with pytest.raises(Unavailable, match="git could not be run"):
        await proposed.resolve(host, "iris", None)


def in_the_jail(hostile: Hostile, tmp_path: Path, script: str) -> Host:
    """A host whose git does this when it serves a repo, and is git otherwise."""
    git = install_git(
        tmp_path / "served", f'case "$*" in *upload-pack*--strict*) {script};; esac; exec /usr/bin/git "$@"'
    )
    return dataclasses.replace(hostile.host, environment={"PATH": f"{git.parent}:{os.environ['PATH']}"})


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (11, "SIGSEGV")])
async def test_a_git_that_is_killed_in_the_jail_is_told_as_that_and_the_commit_is_not_blamed(
    hostile: Hostile, tmp_path: Path, number: int, name: str
) -> None:
    host = in_the_jail(hostile, tmp_path, f"kill -{number} $$")
    with pytest.raises(TryAgain) as caught:
        await proposed.fetch(host, "iris", hostile.commit())
    assert f"killed by {name}" in caught.value.why
    assert "memory" in caught.value.fix
    assert "fsck" not in caught.value.fix


async def test_a_git_that_takes_too_long_in_the_jail_is_ended_and_told_as_that(
    hostile: Hostile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "TIMEOUT", 0.5)
    host, before = in_the_jail(hostile, tmp_path, "exec sleep 1000"), hostile.trace()
    with pytest.raises(TryAgain) as caught:
        await proposed.fetch(host, "iris", hostile.commit())
    assert caught.value.why == "it took longer than 0.5 seconds"
    assert "less busy" in caught.value.fix
    assert hostile.trace() == before


async def test_a_git_that_only_speaks_of_a_full_disk_is_not_believed(hostile: Hostile, tmp_path: Path) -> None:
    host = in_the_jail(hostile, tmp_path, "echo fatal: No space left on device >&2; exit 128")
    with pytest.raises(Unavailable, match="git cannot fetch from a jail") as caught:
        await proposed.fetch(host, "iris", hostile.commit())
    assert "No space left on device" in caught.value.why
    assert "HYPERHIVE_GIT" in caught.value.fix


def test_a_jailed_program_ends_with_its_jail(hostile: Hostile, tmp_path: Path) -> None:
    sleeper = tmp_path / "bin" / "sleeper"
    sleeper.parent.mkdir()
    sleeper.write_text("#!/bin/sh\necho started\nexec sleep 1000\n")
    sleeper.chmod(0o755)
    argv = [*shlex.split(upload_pack(hostile, tmp_path, False, (str(sleeper),))), "/x"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        process.kill()
        assert process.stdout.read() == b""  # the last writer has ended


def test_a_jailed_program_has_no_rights_no_network_and_no_view(hostile: Hostile, tmp_path: Path) -> None:
    """A program in git's place prints what it sees."""
    spy = tmp_path / "bin" / "spy"
    spy.parent.mkdir()
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    spy.write_text(
        "#!/bin/sh\nid -u; id -G; echo /*; echo /objects/*; (echo x > /objects/y) 2>/dev/null || echo read-only\n"
        "(echo x > /new) 2>/dev/null || echo no-writing\n"
        f"ls {shlex.quote(str(hostile.secret))} /etc/shadow /proc/1 2>/dev/null || echo no-view\n"
        f"bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}' 2>/dev/null || echo no-network\n"
        "ulimit -v\nulimit -f\n"
    )
    spy.chmod(0o755)
    program = upload_pack(hostile, tmp_path, False, (str(spy),))
    with listening:
        spied = subprocess.run([*shlex.split(program), "/x"], capture_output=True, timeout=60, text=True)
    lines = spied.stdout.splitlines()
    assert lines[:2] == [str(jail.USER)] * 2, spied.stderr
    assert not {"/proc", "/sys", "/root", "/home", "/var"} & set(lines[2].split())
    assert lines[4:8] == ["read-only", "no-writing", "no-view", "no-network"]
    assert lines[8:] == [str(jail.MEMORY // 1024), str(jail.LARGEST_FILE // 512)]


async def test_replacing_the_objects_during_the_fetch_leaks_nothing(hostile: Hostile) -> None:
    """A manager that swaps its objects for a link to the host's repo, again and again, while fetches run."""
    objects, aside = hostile.git_dir / "objects", hostile.git_dir / "objects-aside"
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            objects.rename(aside)
            objects.symlink_to(hostile.secret / ".git/objects")
            objects.unlink()
            aside.rename(objects)

    racer = threading.Thread(target=swap)
    racer.start()
    try:
        for _ in range(8):
            with suppress(HiveError):
                await proposed.fetch(hostile.host, "iris", hostile.secret_commit)
    finally:
        done.set()
        racer.join()
    assert not hostile.leaked()
    assert not list(hostile.applied.folder.glob(".incoming-*"))


def test_limits_end_a_program_that_wants_too_much(tmp_path: Path) -> None:
    hog = (sys.executable, "-c", "b = bytearray(2 << 30)")
    assert subprocess.run(jail.limited(hog), capture_output=True).returncode != 0
    flood = (sys.executable, "-c", "import sys\nfor _ in range(100): sys.stdout.write('x' * (1 << 20))")
    assert subprocess.run(jail.limited(flood, tmp_path / "out"), capture_output=True).returncode != 0
    assert (tmp_path / "out").stat().st_size <= jail.LARGEST_LISTING
