"""One embedded host with a small meta flake of its own, driven by the programs alone, as a real host would be."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hivetui.embedded import open_embedded, remove_embedded
from hivetui.engine.host.host import Host
from hivetui.engine.model import names
from hivetui.engine.model.settings import DeploySection, Settings
from tests.free_names import free_name, keep_ports

Completed = subprocess.CompletedProcess[str]
CLEAN = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{role}_{what}": "test" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}
META = """
{
  inputs.hyperhive.url = "git+file://@ROOT@/var/lib/embedded/base";
  inputs.agent-iris.url = "git+file://@ROOT@/var/lib/hyperhive/applied/iris?ref=main";
  outputs = inputs:
    let
      identity = { HIVE_PORT = "@PORT@"; HIVE_LABEL = "iris"; };
    in
    {
      nixosConfigurations."iris" = inputs.hyperhive.nixosConfigurations.agent-base.extendModules {
        modules = [
          inputs.agent-iris.nixosModules.default
          { environment.variables = identity; systemd.globalEnvironment = identity; }
        ];
      };
    };
}
"""


class Rig:
    """An embedded host, the agent iris in its meta flake once that is made, and a way to run its programs."""

    def __init__(self, host: Host, port: int) -> None:
        self.host, self.port, self.root = host, port, host.paths.root
        self.applied, self.meta = host.paths.applied_of("iris"), host.paths.meta
        self.work = self.root / "work"

    def make(self) -> None:
        self.work.mkdir()
        self._repo(self.applied, "{ outputs = { self }: { nixosModules.default = import ./agent.nix; }; }")
        self.change("{ }")
        self._repo(self.meta, META.replace("@ROOT@", str(self.root)).replace("@PORT@", str(self.port)))
        self.nix("flake", "lock", f"git+file://{self.meta}", check=True)
        self._commit(self.meta)

    def _repo(self, folder: Path, flake: str) -> None:
        folder.mkdir(parents=True)
        self.git(folder, "init", "-q", "-b", "main")
        (folder / "flake.nix").write_text(flake)
        self._commit(folder)

    def git(self, folder: Path, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=folder, env=CLEAN, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def _commit(self, folder: Path) -> str:
        self.git(folder, "add", "-A")
        self.git(folder, "commit", "-q", "-m", "change")
        return self.git(folder, "rev-parse", "HEAD")

    def change(self, module: str) -> str:
        """Another agent.nix in applied; its commit."""
        (self.applied / "agent.nix").write_text(module)
        return self._commit(self.applied)

    def run(self, tool: tuple[str, ...], *words: str, check: bool = False) -> Completed:
        return subprocess.run(
            [*tool, *words], cwd=self.work, check=check, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )

    def nix(self, *words: str, check: bool = False) -> Completed:
        return self.run(self.host.tools.nix, *words, check=check)

    def systemctl(self, *words: str, check: bool = False) -> Completed:
        return self.run(self.host.tools.systemctl, *words, check=check)

    def container(self, *words: str, check: bool = False) -> Completed:
        return self.run(self.host.tools.nixos_container, *words, check=check)

    def journal(self, *words: str) -> str:
        return self.run(self.host.tools.journalctl, *words, check=True).stdout

    def build(self, *words: str, check: bool = False) -> Completed:
        """`nix build` of iris, as the engine asks for it."""
        target = f'git+file://{self.meta}#nixosConfigurations."iris".config.system.build.toplevel'
        return self.nix("build", *words, "--", target, check=check)

    def build_of(self, module: str, *words: str, check: bool = False) -> Completed:
        """The same with another agent.nix, by its commit."""
        url = f"git+file://{self.applied}?rev={self.change(module)}"
        return self.build("--no-write-lock-file", "--override-input", "agent-iris", url, *words, check=check)

    def create(self, check: bool = True) -> Completed:
        return self.container("create", "h-iris", "--flake", f"git+file://{self.meta}#iris", check=check)

    def use(self, module: str) -> None:
        """Let the container's profile be a system with another agent.nix."""
        self.build_of(module, "-o", str(self.work / "candidate"), check=True)
        system = (self.work / "candidate").readlink()
        self.run(self.host.tools.nix_env, "-p", str(self.host.paths.profile("iris")), "--set", str(system), check=True)

    def page(self, path: str = "/") -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def environment(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.page("/env"))
        return found

    def properties(self, *names: str) -> dict[str, str]:
        shown = self.systemctl("show", "container@h-iris", f"--property={','.join(names)}", check=True).stdout
        return dict(line.split("=", 1) for line in shown.splitlines())

    @property
    def state(self) -> str:
        return self.properties("ActiveState")["ActiveState"]


@pytest.fixture
def embed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Host]]:
    """Opens one embedded host (`nix`: "real", "stand-in" or what is best here); its agents end with the test."""
    folder = tmp_path / "embedded"
    monkeypatch.setenv("HIVETUI_EMBEDDED_BUILD_SECONDS", "0")

    def opened(nix: str = "", settings: Settings | None = None) -> Host:
        monkeypatch.setenv("HIVETUI_EMBEDDED_NIX", nix)
        return open_embedded(folder, settings or Settings(deploy=DeploySection(health_seconds=0)))

    yield opened
    remove_embedded(folder)


class KeptRigs:
    """One rig for each nix, made once and copied for each test to where it was: its files name their paths.

    Another has the container of the agent too.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = free_name()
        keep_ports([self._name])

    @contextmanager
    def copied(self, nix: str, has_container: bool = False) -> Iterator[Rig]:
        kept, root = self._folder / f"{nix}.{has_container}", self._folder / nix
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HIVETUI_EMBEDDED_BUILD_SECONDS", "0")
            patch.setenv("HIVETUI_EMBEDDED_NIX", nix)
            try:
                if not kept.exists():
                    rig = self._open(root)
                    rig.make()
                    if has_container:
                        rig.create()
                    root.rename(kept)
                shutil.copytree(kept, root, symlinks=True)
                yield self._open(root)
            finally:
                remove_embedded(root)

    def _open(self, root: Path) -> Rig:
        host = open_embedded(root, Settings(deploy=DeploySection(health_seconds=0)))
        return Rig(host, names.port_of(self._name))


@pytest.fixture(scope="session")
def rigs(tmp_path_factory: pytest.TempPathFactory) -> KeptRigs:
    return KeptRigs(tmp_path_factory.mktemp("rigs"))


@pytest.fixture(params=["stand-in", pytest.param("real", marks=pytest.mark.slow)])
def rig(request: pytest.FixtureRequest, rigs: KeptRigs) -> Iterator[Rig]:
    """With the stand-in of nix, and with the real one where it is."""
    if request.param == "real" and shutil.which("nix") is None:
        pytest.skip("there is no nix here")
    with rigs.copied(request.param) as rig:
        yield rig


@pytest.fixture
def played(rigs: KeptRigs) -> Iterator[Rig]:
    """With the stand-in of nix only."""
    with rigs.copied("stand-in") as rig:
        yield rig


@pytest.fixture
def contained(rigs: KeptRigs) -> Iterator[Rig]:
    """The same when the container has been created."""
    with rigs.copied("stand-in", has_container=True) as rig:
        yield rig
