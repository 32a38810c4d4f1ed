import shutil
from pathlib import Path

import pytest

from hivetui.embedded.nix import base

SHIPPED = Path(base.__file__).parent.with_name("base")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    tree = tmp_path / "source"
    shutil.copytree(SHIPPED, tree)
    (tree / "defaults.json").write_text("{}")
    return tree


def test_the_shipped_base_flake_is_recognized(source: Path) -> None:
    assert base.is_base_flake(source)


def test_an_edited_base_flake_is_never_replaced_by_the_shipped_one(source: Path) -> None:
    flake = source / "flake.nix"
    flake.write_text(flake.read_text() + "# edited\n")
    assert not base.is_base_flake(source)


def test_a_flake_without_the_defaults_of_the_base_is_evaluated_as_any_other(source: Path) -> None:
    (source / "defaults.json").unlink()
    assert not base.is_base_flake(source)
