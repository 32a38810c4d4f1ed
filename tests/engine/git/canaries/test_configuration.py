"""No configuration, hook or attribute of a hostile repo has an effect."""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import nullcontext
from itertools import product

import pytest

from hivetui.engine.git.untrusted import configuration, proposed
from hivetui.engine.model.errors import BadData
from tests.engine.git.canaries.conftest import Hostile

pytestmark = pytest.mark.usefixtures("mostly_jailed")

PROGRAMS = (
    "core.fsmonitor",
    "core.sshCommand",
    "core.editor",
    "core.pager",
    "core.alternateRefsCommand",
    "core.gitProxy",
    "uploadpack.packObjectsHook",
    "diff.external",
    "alias.upload-pack",
    "alias.pack-objects",
    "credential.helper",
    "gpg.program",
)


async def test_programs_in_the_configuration_do_not_run(hostile: Hostile) -> None:
    commit = hostile.commit()
    for key in PROGRAMS:
        hostile.manager("config", key, f"!{hostile.payload}" if key.startswith("alias") else hostile.payload)
    await hostile.accepted(commit)


async def test_hooks_do_not_run(hostile: Hostile) -> None:
    commit = hostile.commit()
    for hook in ("post-upload-pack", "pre-auto-gc", "reference-transaction", "post-index-change", "pre-receive"):
        path = hostile.git_dir / "hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{hostile.payload}\n")
        path.chmod(0o755)
    await hostile.accepted(commit)


async def test_hooks_elsewhere_do_not_run(hostile: Hostile) -> None:
    commit = hostile.commit()
    folder = hostile.folder / "traps"
    folder.mkdir()
    (folder / "reference-transaction").write_text(f"#!/bin/sh\n{hostile.payload}\n")
    (folder / "reference-transaction").chmod(0o755)
    hostile.manager("config", "core.hooksPath", str(folder))
    await hostile.accepted(commit)


async def test_attributes_with_filters_do_not_run(hostile: Hostile) -> None:
    (hostile.folder / ".gitattributes").write_text("* filter=trap diff=trap\n")
    commit = hostile.commit()
    for key in ("filter.trap.clean", "filter.trap.smudge", "diff.trap.textconv", "diff.trap.command"):
        hostile.manager("config", key, hostile.payload)
    await hostile.accepted(commit)


@pytest.mark.parametrize(
    "text",
    [
        "[include]\n\tpath = /etc/passwd\n",
        "[core][include]\n\tpath = /etc/passwd\n",
        '[includeIf "gitdir:/"]\n\tpath = /etc/shadow\n',
        "[extensions]\n\tpartialClone = origin\n",
        '[remote "origin"]\n\tpromisor = true\n\turl = ext::sh -c true\n',
        "[extensions]\n\tworktreeConfig = true\n",
        "[core]\n\tworktree = /etc\n",
    ],
)
async def test_a_configuration_that_borrows_is_refused(hostile: Hostile, text: str) -> None:
    commit = hostile.commit()
    with (hostile.git_dir / "config").open("a") as config:
        config.write(text)
    refusal = await hostile.refused(commit)
    assert "config has" in refusal.what


@pytest.mark.parametrize(
    "text",
    [
        "[alias]\n\tworktree = worktree list\n\tpromisor = !x\n",
        "[core]\n\tpager = less # worktree = /etc\n",
        '[branch "include"]\n\tremote = x\n',
        "[extensions]\n\tpreciousObjects = true\n",
    ],
)
async def test_a_configuration_that_only_looks_as_if_it_borrows_is_accepted(hostile: Hostile, text: str) -> None:
    commit = hostile.commit()
    with (hostile.git_dir / "config").open("a") as config:
        config.write(text)
    await hostile.accepted(commit)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[core]\n\trepositoryformatversion = 1\n[extensions]\n\tfuture = true\n", "extensions.future"),
        ("[core]\n\trepositoryformatversion = 2\n", "version 2"),
        ("[core]\n\tbare = maybe\n", "core.bare = maybe"),
        ("[extensions]\n\tpreciousObjects = 2x\n", "extensions.preciousobjects = 2x"),
        ("[core\n", "not a configuration that git reads"),
        ("[core]\n\trepositoryformatversion = 1\n[extensions]\n\trefStorage = reftable\n", "refstorage = reftable"),
        ("[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectFormat = sha256\n", "objectformat = sha256"),
    ],
)
async def test_a_format_that_git_refuses_or_that_is_not_read_is_named(hostile: Hostile, text: str, named: str) -> None:
    commit = hostile.commit()
    with (hostile.git_dir / "config").open("a") as config:
        config.write(text)
    refusal = await hostile.refused(commit)
    assert named in refusal.what
    assert refusal.fix
    with pytest.raises(BadData, match=named):
        await proposed.resolve(hostile.host, "iris", None)


@pytest.mark.parametrize(
    "value", ["", " =", " = on", " = FALSE", " = 0", " = -1", " = 1k", " = maybe", " = 1x", " = ye"]
)
async def test_a_boolean_is_accepted_exactly_if_git_accepts_it(hostile: Hostile, value: str) -> None:
    hostile.commit()
    config = hostile.git_dir / "config"
    for key in ("[core]\n\tbare", "[extensions]\n\tpreciousObjects"):
        text = config.read_text()
        config.write_text(f"{text}{key}{value}\n")
        with nullcontext() if _git_accepts(hostile) else pytest.raises(BadData, match="true or false"):
            await configuration.check(hostile.host, "iris")
        config.write_text(text)


def _git_accepts(hostile: Hostile) -> bool:
    words = ("git", "-C", str(hostile.folder), "rev-parse", "HEAD")
    return subprocess.run(words, capture_output=True).returncode == 0


async def test_an_extension_is_accepted_exactly_if_git_accepts_it(hostile: Hostile) -> None:
    hostile.commit()
    config = hostile.git_dir / "config"
    text = config.read_text()
    extensions = ("noop = x", "noop-v1 = x", "objectFormat = sha1", "preciousObjects = true", "future = 1")
    for version, extension in product("01", extensions):
        config.write_text(f"{text}[core]\n\trepositoryformatversion = {version}\n[extensions]\n\t{extension}\n")
        expected = nullcontext() if _git_accepts(hostile) else pytest.raises(BadData, match="config has extensions")
        with expected:
            await configuration.check(hostile.host, "iris")


async def test_linked_hooks_are_accepted_and_do_not_run(hostile: Hostile) -> None:
    commit = hostile.commit()
    trap = hostile.folder / "trap"
    trap.write_text(f"#!/bin/sh\n{hostile.payload}\n")
    trap.chmod(0o755)
    (hostile.git_dir / "hooks").mkdir(exist_ok=True)
    (hostile.git_dir / "hooks/post-upload-pack").symlink_to(trap)
    await hostile.accepted(commit)


async def test_a_link_in_place_of_the_hooks_is_accepted(hostile: Hostile) -> None:
    commit = hostile.commit()
    hooks = hostile.git_dir / "hooks"
    shutil.rmtree(hooks, ignore_errors=True)
    hooks.symlink_to(hostile.folder)
    await hostile.accepted(commit)


async def test_a_very_long_configuration_is_refused(hostile: Hostile) -> None:
    commit = hostile.commit()
    with (hostile.git_dir / "config").open("a") as config:
        config.write("#" * 300_000)
    assert "too long" in (await hostile.refused(commit)).what


async def test_a_configuration_of_blank_lines_is_checked_quickly(hostile: Hostile) -> None:
    with (hostile.git_dir / "config").open("a") as config:
        config.write("\n" * 250_000)
    began = time.monotonic()
    await configuration.check(hostile.host, "iris")
    assert time.monotonic() - began < 5
