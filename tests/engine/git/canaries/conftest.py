"""An agent whose proposed repo a hostile manager works on, and what must hold after each of its attempts."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.git.untrusted import jail, proposed
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import HiveError
from tests.engine.git.conftest import Manager, new_host, new_manager

LONGEST_SECONDS = 60.0


@dataclass
class Hostile:
    """The agent iris: its repos, a canary file that nothing may make, and a repo that only the host may read."""

    host: Host
    manager: Manager
    canary: Path
    secret: Path
    secret_commit: str

    @property
    def folder(self) -> Path:
        return self.host.paths.proposed("iris")

    @property
    def git_dir(self) -> Path:
        return self.folder / ".git"

    @property
    def applied(self) -> AppliedRepo:
        return AppliedRepo(self.host, "iris")

    @property
    def payload(self) -> str:
        """A shell command that would make the canary."""
        return f"touch {self.canary}"

    def commit(self, message: str = "A change") -> str:
        """Commit all of the work tree; the hash."""
        self.manager("add", "-A")
        self.manager("commit", "--allow-empty", "-q", "-m", message)
        return self.manager("rev-parse", "HEAD")

    def commit_tree(self, tree: str) -> str:
        return self.manager("commit-tree", "-m", "hostile", tree)

    def tree(self, *rows: tuple[str, str, str, bytes]) -> str:
        """A tree of (mode, type, hash, name)."""
        lines = b"".join(f"{mode} {kind} {name}\t".encode() + path + b"\0" for mode, kind, name, path in rows)
        return self.manager("mktree", "-z", "--missing", stdin=lines)

    def blob(self, content: bytes) -> str:
        return self.manager("hash-object", "-w", "--stdin", stdin=content)

    async def refused(self, commit: str) -> HiveError:
        """Fetch `commit`, which must be refused in words, soon, and without a trace."""
        before, began = self.trace(), time.monotonic()
        with pytest.raises(HiveError) as caught:
            await proposed.fetch(self.host, "iris", commit)
        assert time.monotonic() - began < LONGEST_SECONDS
        assert self.trace() == before
        assert not self.canary.exists()
        assert not self.leaked()
        assert caught.value.what
        assert caught.value.why
        return caught.value

    async def accepted(self, commit: str) -> None:
        """Fetch `commit`, which is harmless for us, whatever else lies in the repo."""
        await proposed.fetch(self.host, "iris", commit)
        assert self.has(commit)
        assert not self.canary.exists()
        assert not self.leaked()

    def has(self, name: str) -> bool:
        """Whether applied has the object."""
        command = ("git", f"--git-dir={self.applied.git_dir}", "cat-file", "-e", name)
        return subprocess.run(command, capture_output=True).returncode == 0

    def leaked(self) -> bool:
        return self.has(self.secret_commit)

    def trace(self) -> set[Path]:
        """Every file and folder below applied."""
        return set(self.host.paths.applied.rglob("*"))


@pytest.fixture(scope="session")
def secret_of_the_host(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A repo that nothing may be read from, and its commit."""
    folder = tmp_path_factory.mktemp("secret")
    git = new_manager(new_host(folder), folder)
    git("init", "-q", folder=folder)
    (folder / "key").write_text("of the host only")
    git("add", "-A", folder=folder)
    git("commit", "-q", "-m", "secret", folder=folder)
    return folder, git("rev-parse", "HEAD", folder=folder)


@pytest.fixture
def hostile(applied: AppliedRepo, manager: Manager, tmp_path: Path, secret_of_the_host: tuple[Path, str]) -> Hostile:
    made, commit = secret_of_the_host
    secret = tmp_path / "secret"
    shutil.copytree(made, secret)
    return Hostile(applied.host, manager, tmp_path / "canary", secret, commit)


_JAILED = pytest.param(True, id="jailed", marks=pytest.mark.root)
_PLAIN = pytest.param(False, id="plain")
_RARELY_PLAIN = pytest.param(False, id="plain", marks=pytest.mark.slow) if jail.is_possible() else _PLAIN


@pytest.fixture(params=[_JAILED, _PLAIN])
def jailed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Both ways to serve a proposed repo: in a jail where one can be made, and without."""
    return _served_in_a_jail(request, monkeypatch)


@pytest.fixture(params=[_JAILED, _RARELY_PLAIN])
def mostly_jailed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Both ways, for what is refused by the same code in either: without a jail rarely where one can be made."""
    return _served_in_a_jail(request, monkeypatch)


def _served_in_a_jail(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    wanted = bool(request.param)
    if wanted and not jail.is_possible():
        pytest.skip("needs root that may mount")
    if not wanted:
        monkeypatch.setattr(jail, "is_possible", lambda: False)
    return wanted
