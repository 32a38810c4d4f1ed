"""What the tests of proposals and reviews share: one agent with real repos and no container."""

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
from tests.engine.embedded_host import embedded_fixture, iris, make_repos, progress  # noqa: F401  (fixtures)
from tests.git_2 import GIT_2

NAME = "alice"
OPERATOR = Operator(name="anna", uid=1000, source="local")
_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/dev/null",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    **GIT_2,
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
class AgentRepos:
    """The repos of one agent: a proposed repo to commit to, and an applied repo to pin proposals in."""

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
        """Write these files (None removes one) and commit them to proposed's main; the commit."""
        for path, content in files.items():
            target = self.proposed / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                target.unlink()
            else:
                target.write_bytes(content.encode() if isinstance(content, str) else content)
        return self.commit_all(message)

    def commit_all(self, message: str = "Change") -> str:
        run_git(self.proposed, "add", "-A")
        run_git(self.proposed, "commit", "-q", "--allow-empty", "-m", message)
        return run_git(self.proposed, "rev-parse", "HEAD")

    def git(self, *args: str) -> str:
        """Run git in the proposed repo, as the manager does."""
        return run_git(self.proposed, *args)

    def reset_to(self, commit: str) -> None:
        """Do to proposed's main what a force-push does."""
        run_git(self.proposed, "reset", "-q", "--hard", commit)

    def fetch(self, commit: str) -> str:
        """Fetch a commit from proposed into applied."""
        run_git(self.applied.git_dir, "fetch", "-q", "--no-tags", str(self.proposed), commit)
        return commit

    async def pin(self, commit: str, kind: ProposalKind = ProposalKind.DEPLOY) -> Proposal:
        from hivetui.engine.proposals.submit import pin_proposal

        return await pin_proposal(
            self.host, self.applied, self.name, kind, self.fetch(commit), "A change", "Why", OPERATOR
        )

    async def mark_deployed(self, number: int, commit: str) -> None:
        """Leave applied as a deploy does: `main` moved, `deployed/<id>` created."""
        assert await self.applied.move_main(commit, self.main)
        await claims.mark_deployed(self.host, self.name, number, commit)


async def _make(root: Path) -> None:
    host = new_host(root)
    await proposed.create(host, NAME)
    await AppliedRepo(host, NAME).create_from_proposed()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a hive with one agent, made by the engine once and copied for each test."""
    root = tmp_path_factory.mktemp("template")
    asyncio.run(_make(root))
    return root


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return new_host(tmp_path / "hive")


@pytest.fixture
def repos(host: Host, template: Path) -> AgentRepos:
    shutil.copytree(template, host.paths.root, symlinks=True)
    return AgentRepos(host, NAME)


@pytest.fixture
def operator() -> Operator:
    return OPERATOR
