"""What a failure of nix is explained by: derivation, phase, place and hint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hivetui.engine.model.error_place import PROPOSAL
from hivetui.engine.nix.source_owner import META, SourceOwner
from hivetui.engine.review.effect import failure

SOURCE = "0p2n1vvsmm3jjzn1fcyb0kzgbpp1dyp7-source"
BASE = "1p2n1vvsmm3jjzn1fcyb0kzgbpp1dyp7-source"
WIRING = "2p2n1vvsmm3jjzn1fcyb0kzgbpp1dyp7-source"


@pytest.fixture
def owner(tmp_path: Path) -> SourceOwner:
    """The owner of three sources in a store."""
    for source in (SOURCE, BASE, WIRING):
        (tmp_path / source).mkdir()
        (tmp_path / source / "flake.nix").write_text(source)
    return SourceOwner(tmp_path, {SOURCE.encode(): PROPOSAL, WIRING.encode(): META})


@pytest.mark.parametrize(
    ("stderr", "hint"),
    [
        (
            "error: hash mismatch in fixed-output derivation '/nix/store/x.drv':\n  specified: sha256-A",
            "another hash",
        ),
        (
            "error: attribute 'ripgrepp' missing\n       Did you mean ripgrep?",
            "no attribute ripgrepp; the nearest is ripgrep",
        ),
        ("error: attribute 'zzz' missing", "There is no attribute zzz."),
        ("error: infinite recursion encountered", "defined by itself"),
        ("error: stack overflow (possible infinite recursion)", "defined by itself"),
        ("error: writing to file: No space left on device", "disk is full"),
        ("error: builder for '/nix/store/x.drv' failed due to signal 9 (Killed);", "killed"),
        ("server> OSError: [Errno 98] Address already in use", "port"),
        ("error: out of memory", "review.eval_memory"),
        ("error: access to absolute path '/etc/shadow' is forbidden in pure eval mode", "may only read"),
        (
            "error: cannot build 'x' during evaluation because the option 'allow-import-from-derivation' is off",
            "builds",
        ),
        ("error: The option `services.ngnix' does not exist. Definition values:", "No module declares"),
        ("error: undefined variable 'pkgs'", "not bound"),
        ("error: syntax error, unexpected '}'", "not valid Nix"),
        ("curl: (6) Could not resolve host: example.org", "no network"),
    ],
)
def test_known_failures_have_a_hint(stderr: str, hint: str) -> None:
    found = failure.hint_for(stderr)[0]
    assert found is not None
    assert hint in found


def test_an_unknown_failure_has_no_hint() -> None:
    assert failure.hint_for("error: something else") == (None, False)


def test_the_innermost_place_in_the_proposal_is_named(owner: SourceOwner) -> None:
    store = owner.store
    stderr = (
        f"error: undefined variable 'x'\n       at {store}/{SOURCE}/agent.nix:2:5:\n"
        f"       at {store}/{SOURCE}/tools/more.nix:14:3:\n       at {store}/{BASE}/flake.nix:90:1:\n"
    )
    found = failure.explain(stderr, "evaluation", owner, "fails")
    assert (found.file, found.line, found.base, found.stage) == ("tools/more.nix", 14, "fails", "evaluation")


def test_the_place_of_the_module_is_named_where_meta_finds_none(owner: SourceOwner) -> None:
    stderr = (
        f"error: attribute 'default' missing\n\n       at {owner.store}/{WIRING}/meta.nix:19:42:\n\n"
        "           19|     base.extendModules { modules = [ source.nixosModules.default ]; };\n"
    )
    knows_module = replace(owner, module=f"flake.nix:3 of {PROPOSAL}")
    found = failure.explain(stderr, "evaluation", knows_module)
    assert found.lines[1] == f"at meta.nix:19:42 of {META}:"
    assert found.lines[-1] == f"That line takes nixosModules.default from flake.nix:3 of {PROPOSAL}"
    assert (found.file, found.line) == ("flake.nix", 3)


def test_a_failed_builder_is_told_with_its_phase_and_its_last_lines(owner: SourceOwner) -> None:
    log = "\n".join(f"app> line {number}" for number in range(40))
    stderr = (
        "app> Running phase: unpackPhase\napp> Running phase: buildPhase\n" + log + "\n"
        "error: builder for '/nix/store/0p2n1vvsmm3jjzn1fcyb0kzgbpp1dyp7-app.drv' failed with exit code 1;\n"
        "       last 2 log lines:\n       > line 38\n       > line 39\n"
    )
    found = failure.explain(stderr, "build", owner, "builds")
    assert found.derivation == "/nix/store/0p2n1vvsmm3jjzn1fcyb0kzgbpp1dyp7-app.drv"
    assert (found.phase, found.stage, found.base) == ("buildPhase", "build", "builds")
    assert any("line 39" in line for line in found.lines)
    assert len(found.lines) <= failure.MAX_LINES


@pytest.mark.parametrize(
    ("line", "phase"),
    [("a> unpacking sources", "unpackPhase"), ("a> running tests", "checkPhase"), ("a> no phase", None)],
)
def test_phases_are_known_from_what_older_builders_print(line: str, phase: str | None) -> None:
    assert failure.phase_of(f"{line}\nerror: builder for 'x' failed") == phase


def test_a_limit_is_a_stage_of_its_own(owner: SourceOwner) -> None:
    found = failure.explain("", "evaluation", owner, limit="The evaluation took longer than 120 s")
    assert found.stage == "limit"
    assert found.lines == ("The evaluation took longer than 120 s",)
    assert failure.explain("error: out of memory", "evaluation", owner).stage == "limit"
