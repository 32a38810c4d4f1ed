import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hivetui.embedded import launch, open_embedded, remove_embedded
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import BadConfiguration, BadData, CannotCreate, Unavailable
from hivetui.engine.model.settings import HiveSection, Settings


def test_a_folder_is_made_a_host_and_opened_again_in_a_moment(embed: Callable[..., Host]) -> None:
    first = embed()
    begin = time.perf_counter()
    again = embed()
    assert time.perf_counter() - begin < 0.05
    assert again.paths == first.paths
    assert again.tools == first.tools
    assert again.embedded
    assert again.tools.systemd_run is None


def test_the_base_flake_is_the_hosts_own_unless_another_is_set(embed: Callable[..., Host]) -> None:
    own = embed()
    assert own.settings.hive.flake == f"git+file://{own.paths.root}/var/lib/embedded/base"
    other = embed(settings=Settings(hive=HiveSection(flake="git+file:///elsewhere")))
    assert other.settings.hive.flake == "git+file:///elsewhere"


@pytest.mark.slow
def test_processes_that_make_the_same_folder_at_once_agree(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from hivetui.engine.model.settings import Settings;"
        "from hivetui.embedded import open_embedded as o; print(o(Path(sys.argv[1]), Settings()).tools.nix)"
    )
    argv = [sys.executable, "-c", code, str(tmp_path / "hive")]
    running = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = {process.communicate()[0] for process in running}
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(said) == 1
    remove_embedded(tmp_path / "hive")


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(CannotCreate, match="not empty"):
        open_embedded(tmp_path, Settings())
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_wrong_variable_is_refused_in_words(embed: Callable[..., Host]) -> None:
    with pytest.raises(BadConfiguration, match="HIVETUI_EMBEDDED_NIX"):
        embed(nix="perhaps")


def test_a_wish_for_a_nix_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = subprocess.run(["which", "git"], check=True, capture_output=True, text=True).stdout.strip()
    monkeypatch.setenv("HYPERHIVE_GIT", git)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HIVETUI_EMBEDDED_NIX", "real")
    with pytest.raises(Unavailable, match="real nix"):
        open_embedded(tmp_path / "hive", Settings())


def test_removing_a_host_takes_the_read_only_store_with_it(embed: Callable[..., Host]) -> None:
    root = embed().paths.root
    locked = root / "nix/store/read-only"
    locked.mkdir()
    (locked / "file").touch()
    locked.chmod(0o555)
    remove_embedded(root)
    assert not root.exists()


@pytest.mark.parametrize("program", sorted(set(launch.PROGRAMS) - {"agent"}))
def test_every_stand_in_says_what_it_plays_without_site_packages(program: str, tmp_path: Path) -> None:
    argv = [sys.executable, "-IS", launch.__file__, str(tmp_path), program, "--help"]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, env={"PATH": os.defpath})
    assert "embedded host" in done.stdout


@pytest.mark.parametrize("name", ["a b", "a'b", "a$b", "ä"])
def test_a_folder_whose_path_nspawn_or_nix_would_split_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadData, match="plain path"):
        open_embedded(tmp_path / name, Settings())
    assert not (tmp_path / name).exists()
