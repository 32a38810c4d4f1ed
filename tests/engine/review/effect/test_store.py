"""Effects on disk: when one is outdated, who else changes, and that a purge removes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hivetui.engine.host.paths import Paths
from hivetui.engine.meta.flake import render
from hivetui.engine.model.effect import Effect, EffectState, Moved
from hivetui.engine.review.effect import store
from hivetui.engine.review.effect.store import MetaState, StoredEffect


def locked(revision: str, **inputs: Any) -> dict[str, Any]:
    return {"locked": {"rev": revision}, "original": {}, "inputs": inputs}


LOCK = {
    "root": "root",
    "nodes": {
        "root": {"inputs": {"hyperhive": "hyperhive", "agent-iris": "agent-iris", "agent-bob": "agent-bob"}},
        "hyperhive": locked("1" * 40, nixpkgs="nixpkgs"),
        "nixpkgs": {"locked": {"narHash": "sha256-x"}, "original": {}},
        "agent-iris": locked("2" * 40, helper="helper"),
        "agent-bob": locked("3" * 40, nixpkgs=["hyperhive", "nixpkgs"]),
        "helper": locked("4" * 40),
    },
}


def test_an_effect_depends_on_the_base_flake_with_its_inputs_and_on_no_agent() -> None:
    assert store.base_inputs(LOCK) == {"hyperhive": "1" * 40, "hyperhive/nixpkgs": "sha256-x"}


def test_others_change_only_if_their_inputs_lead_to_the_agent() -> None:
    assert store.other_agents(LOCK, "iris", "agent-") == ()
    follows = {**LOCK["nodes"], "agent-bob": locked("3" * 40, helper=["agent-iris", "helper"])}  # type: ignore[dict-item]
    assert store.other_agents({**LOCK, "nodes": follows}, "iris", "agent-") == ("bob",)
    deep = {**LOCK["nodes"], "agent-bob": locked("3" * 40, x="x"), "x": locked("5" * 40, iris="agent-iris")}  # type: ignore[dict-item]
    assert store.other_agents({**LOCK, "nodes": deep}, "iris", "agent-") == ("bob",)


STORED = StoredEffect(
    agent="iris",
    commit="c" * 40,
    effect=Effect(state=EffectState.KNOWN, base="b" * 40, derivation="/x.drv"),
    inputs={"hyperhive": "1" * 40},
    flake="f" * 64,
)


@pytest.mark.parametrize(
    ("base", "inputs", "flake", "moved"),
    [
        ("b" * 40, {"hyperhive": "1" * 40}, "f" * 64, ()),
        ("d" * 40, {"hyperhive": "1" * 40}, "f" * 64, (Moved(input="base", old="b" * 40, new="d" * 40),)),
        ("b" * 40, {"hyperhive": "2" * 40}, "f" * 64, (Moved(input="hyperhive", old="1" * 40, new="2" * 40),)),
        ("b" * 40, {}, "f" * 64, (Moved(input="hyperhive", old="1" * 40, new=None),)),
        ("b" * 40, {"hyperhive": "1" * 40}, "e" * 64, (Moved(input="meta's flake.nix", old="f" * 12, new="e" * 12),)),
    ],
)
def test_what_moved_is_named_with_old_and_new(
    base: str, inputs: dict[str, str], flake: str, moved: tuple[Moved, ...]
) -> None:
    assert store.moved_since(STORED, base, MetaState(commit="m" * 40, inputs=inputs, flake=flake)) == moved


def test_other_agents_come_and_go_without_a_change_of_what_is_about_this_one(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    alone = render("github:x/y", 7000, ["iris"], paths).decode()
    with_others = render("github:x/y", 7000, ["abe", "iris", "iris2", "zoe"], paths).decode()
    other_port = render("github:x/y", 7001, ["iris"], paths).decode()
    assert store.about(with_others, "iris") == store.about(alone, "iris") == alone
    assert store.about(other_port, "iris") != alone


def test_a_purge_removes_the_effects_of_the_agent_and_keeps_others(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    store.save(paths, 7, STORED)
    store.save(paths, 8, STORED.model_copy(update={"agent": "bob"}))
    store.remove_agent(paths, "iris")
    assert store.load(paths, 7) is None
    assert store.load(paths, 8) is not None


def test_a_damaged_or_unknown_file_is_no_effect(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    store.save(paths, 7, STORED)
    (paths.effects / "7.json").write_text('{"agent": 1}')
    assert store.load(paths, 7) is None
