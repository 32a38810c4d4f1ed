"""Which commits may be evaluated, and by whom."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.meta import repository
from hivetui.engine.model.errors import BadData, HiveError
from hivetui.engine.model.settings import HiveSection, Settings
from hivetui.engine.nix import evaluation

if TYPE_CHECKING:
    from tests.engine.embedded_host import Repos
    from tests.recording_progress import RecordingProgress


async def test_a_lock_file_that_is_a_symbolic_link_is_refused(
    embedded: Host, progress: RecordingProgress, iris: Repos
) -> None:
    await repository.sync(embedded, progress, ["iris"])
    (embedded.paths.proposed("iris") / "flake.lock").symlink_to("/etc/passwd")
    with pytest.raises(BadData):
        await evaluation.inspect(embedded, "iris", iris.commit({}))


async def test_inputs_that_are_not_locked_are_refused(embedded: Host, progress: RecordingProgress, iris: Repos) -> None:
    await repository.sync(embedded, progress, ["iris"])
    other = f"git+file://{embedded.paths.proposed('iris')}"
    flake = f'{{ inputs.x.url = "{other}"; outputs = _: {{ nixosModules.default = import ./agent.nix; }}; }}\n'
    with pytest.raises(HiveError):
        await evaluation.inspect(embedded, "iris", iris.commit({"flake.nix": flake}))


async def test_a_commit_without_a_flake_is_refused_in_words(
    embedded: Host, progress: RecordingProgress, iris: Repos
) -> None:
    await repository.sync(embedded, progress, ["iris"])
    (embedded.paths.proposed("iris") / "flake.nix").unlink()
    with pytest.raises(BadData, match="has no flake"):
        await evaluation.inspect(embedded, "iris", iris.commit({"other.nix": "{ }\n"}))


@pytest.mark.root
async def test_the_evaluator_has_a_temporary_home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    settings = Settings(hive=HiveSection(flake="git+file:///etc/base?ref=x"))
    host = Host(Paths(tmp_path), settings, ProcessRunner(), environment={"PATH": os.environ["PATH"], "SECRET": "x"})
    (tmp_path / "nix/var/nix/daemon-socket").mkdir(parents=True)
    host.paths.applied_git("iris").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as daemon:
        monkeypatch.chdir(tmp_path)  # the address of a socket is short
        daemon.bind("nix/var/nix/daemon-socket/socket")
        with evaluation.evaluator(host) as who:
            assert who.environment is not None
            home = Path(who.environment["HOME"])
            assert (home.stat().st_uid, home.stat().st_mode & 0o777) == (65530, 0o700)
            assert "SECRET" not in who.environment
            safe = (home / ".gitconfig").read_text()
    assert f'directory = "{host.paths.applied_of("iris")}"' in safe
    assert 'directory = "/etc/base"' in safe
    assert "*" not in safe
    assert not home.exists()
