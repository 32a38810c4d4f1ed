"""What the tests of proposals and reviews share: one agent whose repos are real, without a container."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.git.untrusted import proposed
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.model.operations import Operator
from hivetui.engine.model.proposals import Proposal, ProposalKind
from hivetui.engine.model.settings import Settings
from hivetui.engine.proposals import claims
from tests.engine.embedded_host import embedded_fixture, iris, newcomer, recorder  # noqa: F401  (fixtures)

NAME = "alice"
ANNA = Operator(name="anna", uid=1000, source="local")
_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/dev/null",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{role}_{what}": "hm1nd" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def run_git(folder: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=folder, env=_ENVIRONMENT, check=True, capture_output=True)
    return done.stdout.decode().strip()


def new_host(root: Path, settings: Settings | None = None) -> Host:
    return Host(
        paths=Paths(root),
        settings=settings or Settings(),
        runner=ProcessRunner(),
        embedded=True,
        environment={"PATH": os.environ["PATH"]},
    )


@dataclass
class Workshop:
    """One agent: a proposed repo to commit in, and an applied repo to pin in."""

    host: Host
    name: str

    @property
    def applied(self) -> AppliedRepo:
        return AppliedRepo(self.host, self.name)

    @property
    def proposed(self) -> Path:
        return self.host.paths.proposed(self.name)

    @property
    def main(self) -> str:
        return self.applied.main() or ""

    def commit(self, files: dict[str, str | bytes | None], message: str = "Change") -> str:
        """A commit on proposed's main; None removes a file."""
        for path, content in files.items():
            target = self.proposed / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                target.unlink()
            else:
                target.write_bytes(content.encode() if isinstance(content, str) else content)
        return self.committed(message)

    def committed(self, message: str = "Change") -> str:
        run_git(self.proposed, "add", "-A")
        run_git(self.proposed, "commit", "-q", "--allow-empty", "-m", message)
        return run_git(self.proposed, "rev-parse", "HEAD")

    def git(self, *args: str) -> str:
        """Git in proposed, as its manager has it."""
        return run_git(self.proposed, *args)

    def back_to(self, commit: str) -> None:
        """What a force-push would do."""
        run_git(self.proposed, "reset", "-q", "--hard", commit)

    def take(self, commit: str) -> str:
        """Copy a commit into applied."""
        run_git(self.applied.git_dir, "fetch", "-q", "--no-tags", str(self.proposed), commit)
        return commit

    async def pinned(self, commit: str, kind: ProposalKind = ProposalKind.DEPLOY) -> Proposal:
        from hivetui.engine.proposals.submit import pin_proposal

        return await pin_proposal(self.host, self.applied, self.name, kind, self.take(commit), "A change", "Why", ANNA)

    async def deployed(self, number: int, commit: str) -> None:
        """As a deploy leaves it: main moved, tag planted."""

        assert await self.applied.move_main(commit, self.main)
        await claims.mark_deployed(self.host, self.name, number, commit)


async def _make(root: Path) -> None:
    host = new_host(root)
    await proposed.create(host, NAME)
    await AppliedRepo(host, NAME).create_from_proposed()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hive with one agent, made by the engine once and copied for each test."""
    root = tmp_path_factory.mktemp("template")
    asyncio.run(_make(root))
    return root


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return new_host(tmp_path / "hive")


@pytest.fixture
def shop(host: Host, template: Path) -> Workshop:
    shutil.copytree(template, host.paths.root, symlinks=True)
    return Workshop(host, NAME)


@pytest.fixture
def anna() -> Operator:
    return ANNA
