"""Every kind of error in a proposal names the line that has to be changed, in the file where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hivetui.engine.host.host import Host
from hivetui.engine.meta import repository
from hivetui.engine.model.error_place import find_place
from hivetui.engine.model.errors import CommandFailed
from hivetui.engine.nix import build

if TYPE_CHECKING:
    from tests.engine.embedded_host import Repos
    from tests.recording_progress import RecordingProgress

STAND_IN = pytest.mark.parametrize("embedded", ["stand-in"], indirect=True)
IMPORTING = "{ ... }:\n{\n  imports = [\n    ./sub/more.nix\n  ];\n}\n"


def flake(module: str) -> str:
    """A flake.nix with these attributes in its outputs, at line 3."""
    return f"{{\n  outputs = {{ self }}: {{\n    {module}\n  }};\n}}\n"


async def find_error(embedded: Host, progress: RecordingProgress, iris: Repos, files: dict[str, str]) -> str:
    """Why a proposal with these files cannot be built."""
    await repository.sync(embedded, progress, ["iris"])
    with pytest.raises(CommandFailed) as failed:
        await build.build_system(embedded, progress, "iris", iris.commit(files), embedded.paths.roots / "1")
    return failed.value.why


@STAND_IN
@pytest.mark.parametrize(
    ("module", "message", "line"),
    [
        ("{ ... }:\n{\n  a = ;\n}\n", "syntax error", 3),
        ("", "unexpected end of file", 1),
        ("{ ... }:\n{\n  a = 1;\n\n", "unexpected end of file", 3),
        ("{\n  imports = [\n    ./gone.nix\n  ];\n}\n", "No such file", 3),
        ("{\n  imports = [\n    ../agent.nix\n  ];\n}\n", "import each other", 3),
        ("{\n  imports = ./gone.nix;\n}\n", "a list was expected", 2),
        ("{\n  imports = [\n    5\n  ];\n}\n", "cannot coerce an integer", 3),
        ("{ pkgs, ... }:\n{\n  environment.systemPackages = [\n    pkgs.jqq\n  ];\n}\n", "'jqq' missing", 4),
        ("{\n  environment.systemPackages = 5;\n}\n", "a list was expected", 2),
        ("{\n  environment.variables.A = { };\n}\n", "cannot coerce a set", 2),
        ("{\n  environment.etc.a.text = 5;\n}\n", "a string was expected", 2),
        ('{\n  lab.buildSeconds = "x";\n}\n', "not a number", 2),
    ],
)
@pytest.mark.parametrize("file", ["agent.nix", "sub/more.nix"])
async def test_an_error_of_a_module_names_its_line(
    embedded: Host, progress: RecordingProgress, iris: Repos, file: str, module: str, message: str, line: int
) -> None:
    if file == "agent.nix":
        module = module.replace("../agent.nix", "./agent.nix")
    why = await find_error(embedded, progress, iris, {"agent.nix": IMPORTING, file: module})
    assert message in why
    # two modules that import each other have no first one: the place is where the second names the other again
    places = [f"{file}:{line}", *(["agent.nix:4"] if message == "import each other" else [])]
    assert str(find_place(why)) in places, why


@STAND_IN
@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        (flake("nixosModules.default = import ./agent.nix"), "syntax error", 4),
        (flake("nixosModules.default = {").removesuffix("}\n"), "unexpected end of file", 4),
        (flake("nixosModules.default = self.nope;"), "'nope' missing", 3),
        (flake("nixosModules.default = import ./gone.nix;"), "No such file", 3),
        (flake("nixosModules.default = ./gone.nix;"), "No such file", 3),
        (flake("nixosModules.default = 5;"), "cannot coerce an integer", 3),
        (flake("nixosModules = 5;"), "a set was expected", 3),
        ("{\n  outputs = { self }: 5;\n}\n", "a set was expected", 2),
        ("{\n  outputs = 5;\n}\n", "not a function", 2),
        ("{\n}\n", "lacks attribute 'outputs'", 1),
        ("5\n", "a set was expected", 1),
        ("{\n  inputs.x.dir = 1;\n  outputs = _: { };\n}\n", "does not support 'dir'", 2),
        ('{\n  inputs.x.url = "github:a/b";\n  outputs = _: { };\n}\n', "does not support 'github:a/b'", 2),
    ],
)
async def test_an_error_of_the_flake_names_its_line(
    embedded: Host, progress: RecordingProgress, iris: Repos, text: str, message: str, line: int
) -> None:
    why = await find_error(embedded, progress, iris, {"flake.nix": text})
    assert message in why
    assert str(find_place(why)) == f"flake.nix:{line}", why


@pytest.mark.parametrize(
    ("text", "missing", "line"),
    [
        (flake("nixosModules.other = { };"), "default", 3),
        (flake("# nixosModules.default = { };"), "nixosModules", 2),
    ],
)
async def test_a_flake_without_the_module_is_named_beside_the_line_of_meta_that_wants_it(
    embedded: Host, progress: RecordingProgress, iris: Repos, text: str, missing: str, line: int
) -> None:
    why = await find_error(embedded, progress, iris, {"flake.nix": text})
    assert f"attribute '{missing}' missing" in why
    assert "of meta, which hivetui writes" in why
    assert why.endswith(f"That line takes nixosModules.default from flake.nix:{line} of the proposal")
    assert str(find_place(why)) == f"flake.nix:{line}"
