"""The configuration of a container: the engine's keys are set, every other byte stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivetui.engine.containers import conf
from hivetui.engine.host import files
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import BadConfiguration, NotFound, OperationFailed

PATHS = Paths(Path("/"))
LIBRARY = "/var/lib/hyperhive"


def test_the_engine_owns_the_network_and_the_mounts() -> None:
    assert conf.engine_values(PATHS, "iris") == {
        "PRIVATE_NETWORK": "0",
        "HOST_ADDRESS": "",
        "LOCAL_ADDRESS": "",
        "HOST_ADDRESS6": "",
        "LOCAL_ADDRESS6": "",
        "HOST_BRIDGE": "",
        "EXTRA_NSPAWN_FLAGS": f'"--bind=/run/hyperhive/agents/iris:/run/hive'
        f" --bind={LIBRARY}/agents/iris/claude:/root/.claude --bind={LIBRARY}/agents/iris/state:/state"
        '"',
    }


def test_the_manager_sees_applied_and_meta_and_cannot_write_them() -> None:
    flags = conf.engine_values(PATHS, "hm1nd")["EXTRA_NSPAWN_FLAGS"]
    assert flags.endswith(
        f'--bind={LIBRARY}/agents:/agents --bind-ro={LIBRARY}/applied:/applied --bind-ro={LIBRARY}/meta:/meta"'
    )


@pytest.mark.parametrize("root", ["/a b", '/a"', "/a$HOME", "/a:b", "/a\\b", "/a\nb", "/a'", "/ä", "/a%b"])
def test_a_path_that_could_be_expanded_is_not_mounted(root: str) -> None:
    with pytest.raises(BadConfiguration):
        conf.engine_values(Paths(Path(root)), "iris")


def test_own_keys_are_rewritten_in_place_and_every_other_byte_stays() -> None:
    before = b"# mine\r\nB=1\n\n  A = x\nHOST_PORT=\xff\nA=old\nA=older"
    after = conf.rewrite_conf(before, {"A": "new", "B": "2", "C": "3"})
    assert after == b"# mine\r\nB=2\n\n  A = x\nHOST_PORT=\xff\nA=new\nA=new\nC=3\n"


def test_an_assignment_over_several_lines_is_one() -> None:
    before = b"A=\"one \\\ntwo\nB=inside\"\nX='\nB=inside\n'\nC=x\\\nB=inside\n# c \\\nB=inside\nB=\n"
    after = conf.rewrite_conf(before, {"A": "1", "B": "2"})
    assert after == b"A=1\nX='\nB=inside\n'\nC=x\\\nB=inside\n# c \\\nB=inside\nB=2\n"


def test_a_quote_in_the_middle_of_a_value_opens_nothing() -> None:
    assert conf.rewrite_conf(b"X=it's\nA=1\n", {"A": "2"}) == b"X=it's\nA=2\n"


LINES = st.sampled_from(
    ["A=1", "# x \\", 'X="', "HOST_BRIDGE=br0", "", "  PRIVATE_NETWORK=1", "Y='", 'Z=a"b', "X=\\", '"']
)


@given(st.lists(LINES))
def test_rewriting_twice_gives_the_same_bytes(before: list[str]) -> None:
    own = conf.engine_values(PATHS, "iris")
    once = conf.rewrite_conf("\n".join(before).encode(), own)
    assert conf.rewrite_conf(once, own) == once


def existing_conf(host: Host, text: str = "AUTO_START=0\n") -> Path:
    path = host.paths.conf("iris")
    files.make_directory(path.parent)
    path.write_text(text)
    return path


def test_an_unchanged_conf_is_not_written_again(host: Host) -> None:
    path = existing_conf(host)
    assert conf.write_conf(host, "iris") is True
    inode = path.stat().st_ino
    assert conf.write_conf(host, "iris") is False
    assert path.stat().st_ino == inode
    assert path.read_text().startswith("AUTO_START=0\nPRIVATE_NETWORK=0\n")


def test_a_missing_container_has_no_conf_to_write(host: Host) -> None:
    with pytest.raises(NotFound):
        conf.write_conf(host, "iris")


def test_a_container_declared_by_the_host_is_not_written(host: Host, tmp_path: Path) -> None:
    path = existing_conf(host)
    path.rename(tmp_path / "declared")
    path.symlink_to(tmp_path / "declared")
    with pytest.raises(OperationFailed, match="declared"):
        conf.write_conf(host, "iris")
    assert (tmp_path / "declared").read_text() == "AUTO_START=0\n"


def test_foreign_containers_are_listed_too(host: Host) -> None:
    existing_conf(host)
    (host.paths.containers / "web.conf").touch()
    (host.paths.containers / "notes.txt").touch()
    assert conf.list_containers(host) == ["h-iris", "web"]
