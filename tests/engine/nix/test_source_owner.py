"""Whose file an error of nix is about: each source is told apart by its flake, and only those of the store are read."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hivetui.engine.git import environment
from hivetui.engine.host.host import Host
from hivetui.engine.meta import repository
from hivetui.engine.model.error_place import PROPOSAL, ErrorPlace, find_place
from hivetui.engine.model.errors import CommandFailed
from hivetui.engine.nix import build, evaluation
from hivetui.engine.nix.source_owner import META, SourceOwner

if TYPE_CHECKING:
    from tests.engine.embedded_host import Repos
    from tests.recording_progress import RecordingProgress

OTHER = "the base flake or one of its inputs"


def test_sources_are_told_apart_by_their_flakes(tmp_path: Path) -> None:
    store, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    texts = {store / "a": "meta", store / "b": "agent", store / "c": "base", elsewhere / "d": "agent"}
    for source, text in texts.items():
        source.mkdir(parents=True)
        (source / "flake.nix").write_text(text)
    (store / "e").mkdir()
    owner = SourceOwner(store, {b"agent": PROPOSAL, b"meta": META})
    told = [owner.describe(str(source)) for source in (*texts, store / "e", store / "gone")]
    assert told == [META, PROPOSAL, OTHER, OTHER, OTHER, OTHER]


def test_a_store_that_nix_names_without_a_symbolic_link_is_the_same(tmp_path: Path) -> None:
    source = tmp_path / "real/store/a"
    source.mkdir(parents=True)
    (source / "flake.nix").write_text("agent")
    (tmp_path / "link").symlink_to("real")
    owner = SourceOwner(tmp_path / "link/store", {b"agent": PROPOSAL})
    assert owner.describe(str(source)) == PROPOSAL
    assert owner.describe(str(tmp_path / "link/store/a")) == PROPOSAL


def break_base(host: Host) -> None:
    base = host.paths.root / "var/lib/embedded/base"
    (base / "flake.nix").write_text(
        "{\n  outputs = { self }: {\n    nixosConfigurations.agent-base = self.nope;\n  };\n}\n"
    )
    who = environment.identity(environment.ENGINE_NAME, environment.ENGINE_MAIL)
    subprocess.run(["git", "-C", base, "commit", "-qam", "Break it"], env={**os.environ, **who}, check=True)


async def test_an_error_in_the_base_flake_is_not_blamed_on_the_proposal(
    embedded: Host, progress: RecordingProgress, iris: Repos
) -> None:
    break_base(embedded)
    await repository.sync(embedded, progress, ["iris"])
    with pytest.raises(CommandFailed) as failed:
        await build.build_system(
            embedded,
            progress,
            "iris",
            iris.commit({"agent.nix": "{ ... }: { lab.talkSeconds = 9; }\n"}),
            embedded.paths.roots / "1",
        )
    assert re.search(rf"flake\.nix:3:\d+ of {OTHER}", failed.value.why), failed.value.why
    assert find_place(failed.value.why) is None, "there is no line of the proposal to go to"


async def test_an_error_found_before_anything_is_built_says_whose_flake_it_is_about(
    embedded: Host, progress: RecordingProgress, iris: Repos
) -> None:
    await repository.sync(embedded, progress, ["iris"])
    commit = iris.commit({"flake.nix": "{\n  outputs = { self }: {\n    nixosModules = { };\n}\n"})
    with pytest.raises(CommandFailed) as failed:
        await evaluation.inspect(embedded, "iris", commit)
    place = find_place(failed.value.why)
    assert place is not None, failed.value.why
    assert place.file == "flake.nix"


@pytest.mark.parametrize(
    ("error", "place"),
    [
        ("error: undefined variable 'nope'\nat agent.nix:2:29 of the proposal:\n", ErrorPlace("agent.nix", 2)),
        ("error: x\nat modules/a-b.nix:12 of the proposal", ErrorPlace("modules/a-b.nix", 12)),
        ("at flake.nix:3:1 of meta, which it writes:\nat agent.nix:7 of the proposal:", ErrorPlace("agent.nix", 7)),
        (f"at flake.nix:3:1 of {OTHER}:", None),
        ("at agent.nix:2:29 of the proposals of others", None),
        ("at agent.nix:2 of the configuration of iris", None),
        ("agent.nix of the proposal", None),
        (None, None),
    ],
)  # fmt: skip
def test_only_a_place_in_the_proposal_is_one_to_go_to(error: str | None, place: ErrorPlace | None) -> None:
    assert find_place(error) == place
