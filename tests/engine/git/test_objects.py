"""Objects of our own repos are read loose and packed, and a damaged one is an error, never wrong content."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from hivetui.engine.git import objects
from hivetui.engine.git.commands import Git
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import OperationFailed

CONTENT = b"some content\n" * 100


async def blob_of(host: Host, tmp_path: Path) -> tuple[Git, str]:
    (tmp_path / "own.git").mkdir()
    git = Git(host, tmp_path / "own.git")
    await git.run("init", "--quiet", "--bare")
    return git, (await git.run("hash-object", "-w", "--stdin", stdin=CONTENT)).text.strip()


async def packed_blob_of(host: Host, tmp_path: Path) -> tuple[Git, str, Path]:
    git, name = await blob_of(host, tmp_path)
    await git.run("pack-objects", "--quiet", "objects/pack/pack", stdin=f"{name}\n".encode())
    (git.git_dir / "objects" / name[:2] / name[2:]).unlink()
    return git, name, next((git.git_dir / "objects/pack").glob("*.pack"))


async def test_a_loose_and_a_packed_object_read_the_same(host: Host, tmp_path: Path) -> None:
    git, name = await blob_of(host, tmp_path)
    assert objects.read(git.git_dir, name) == ("blob", CONTENT)
    await git.run("pack-objects", "--quiet", "objects/pack/pack", stdin=f"{name}\n".encode())
    (git.git_dir / "objects" / name[:2] / name[2:]).unlink()
    assert objects.read(git.git_dir, name) == ("blob", CONTENT)


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"",
        lambda raw: raw[: len(raw) // 2],
        lambda raw: b"x" * len(raw),
        lambda raw: zlib.compress(b"blob 3\0abc"),
        lambda raw: zlib.compress(b"no header"),
    ],
    ids=["empty", "cut", "garbage", "another object", "no header"],
)
async def test_a_damaged_loose_object_is_an_error(host: Host, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    git, name = await blob_of(host, tmp_path)
    path = git.git_dir / "objects" / name[:2] / name[2:]
    raw = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(damage(raw))
    with pytest.raises(OperationFailed, match="damaged"):
        objects.read(git.git_dir, name)


@pytest.mark.parametrize("keep", [0, 10, 40, -1])
async def test_a_cut_pack_is_an_error(host: Host, tmp_path: Path, keep: int) -> None:
    git, name, pack = await packed_blob_of(host, tmp_path)
    pack.chmod(0o644)
    pack.write_bytes(pack.read_bytes()[:keep])
    with pytest.raises(OperationFailed, match="damaged"):
        objects.read(git.git_dir, name)


@pytest.mark.parametrize("keep", [0, 10, 600])
async def test_a_cut_index_of_a_pack_is_an_error(host: Host, tmp_path: Path, keep: int) -> None:
    git, name, pack = await packed_blob_of(host, tmp_path)
    index = pack.with_suffix(".idx")
    index.chmod(0o644)
    index.write_bytes(index.read_bytes()[:keep])
    with pytest.raises(OperationFailed, match="damaged"):
        objects.read(git.git_dir, name)


async def test_a_missing_object_is_an_error(host: Host, tmp_path: Path) -> None:
    git, _ = await blob_of(host, tmp_path)
    with pytest.raises(OperationFailed, match="missing"):
        objects.read(git.git_dir, "1" * 40)
