"""The structure of the code itself: sizes, reachability, and what the wheel ships. Layers are in pyproject.toml."""

from __future__ import annotations

import ast
import zipfile
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "hivetui"
LONGEST_FUNCTION = 45
MOST_METHODS = 30
LONGEST_MODULE = 400
REASON = "# size: "
"""A module, class or function over its limit says why, in a comment line that begins so at the top of its file."""

STARTED_BY_NAME = {
    "hivetui.__main__": "python -m hivetui",
    "hivetui.cli": "the console script in pyproject.toml",
    "hivetui.embedded.launch": "the embedded host runs it as a file",
}
"""Modules that nothing imports because the outside starts them."""


LOSSY = {"replace", "backslashreplace", "ignore", "namereplace", "xmlcharrefreplace"}
MAY_LOSE_BYTES = {
    ("hivetui/cli/command_line.py", "backslashreplace"): "what is printed is safe; a bug ends no verb",
    (
        "hivetui/console/terminal/driver.py",
        "replace",
    ): "what is painted is safe; a bug ends no console",
    (
        "hivetui/engine/review/findings/rule.py",
        "replace",
    ): "RE2 takes no surrogates; what matched is shown",
}
"""Where text is encoded or decoded with replacement, and why nothing is lost. Elsewhere a byte that is not UTF-8 is a
lone surrogate, which `text.safe` shows as a token and JSON has as NAME_base64, or `binary.quote_output` quotes it."""


def sources() -> Iterator[tuple[Path, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(ROOT), path.read_text()


def has_reason(text: str) -> bool:
    return any(line.startswith(REASON) for line in text.splitlines()[:40])


def oversized(tree: ast.AST, lines: int) -> Iterator[str]:
    """What in a module is over a limit."""
    if lines > LONGEST_MODULE:
        yield f"module of {lines} lines"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                yield f"function {node.name} of {length} lines"
        if isinstance(node, ast.ClassDef):
            methods = sum(isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) for one in node.body)
            if methods > MOST_METHODS:
                yield f"class {node.name} of {methods} methods"


def test_functions_classes_and_modules_are_short_or_say_why_not() -> None:
    found = [
        f"{path}: {what}"
        for path, text in sources()
        if not has_reason(text)
        for what in oversized(ast.parse(text), text.count("\n"))
    ]
    assert not found, "\n".join(found)


def error_handlers(tree: ast.AST) -> Iterator[str]:
    """The names of error handlers that lose bytes in the calls of a module."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    for call in calls:
        if isinstance(call.func, ast.Name) and call.func.id in ("ConfigDict", "field_validator", "getattr"):
            continue
        if isinstance(call.func, ast.Attribute) and call.func.attr == "simplefilter":
            continue
        for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
            if isinstance(argument, ast.Constant) and argument.value in LOSSY:
                yield str(argument.value)


def test_no_text_loses_the_bytes_that_are_not_utf8() -> None:
    found = {(str(path), handler) for path, text in sources() for handler in error_handlers(ast.parse(text))}
    assert found == set(MAY_LOSE_BYTES)


def named_in_sources(module: str) -> bool:
    """Whether a string in another module names this one: it is run as `python -m NAME` or imported by name."""
    own = Path(*module.split(".")).with_suffix(".py")
    return any(f'"{module}"' in text for path, text in sources() if path != own)


def launched_programs() -> set[str]:
    """The stand-ins that the launcher of the embedded host imports by name."""
    from hivetui.embedded import launch

    return {f"hivetui.embedded.{name}" for name in launch.PROGRAMS.values()}


def test_every_module_is_imported_by_something_that_is_not_its_test() -> None:
    graph = grimp.build_graph("hivetui", cache_dir=None)
    packages = {module for module in graph.modules if graph.find_children(module)}
    started = set(STARTED_BY_NAME) | launched_programs()
    unused = {
        module
        for module in graph.modules - packages - started
        if not graph.find_modules_that_directly_import(module) and not named_in_sources(module)
    }
    assert not unused


def test_the_engine_imports_no_screen_even_when_all_of_it_is_loaded() -> None:
    graph = grimp.build_graph("hivetui", include_external_packages=True, cache_dir=None)
    below = {module for module in graph.modules if module.startswith(("hivetui.engine", "hivetui.embedded"))}
    assert not {module for module in below if graph.find_modules_directly_imported_by(module) & {"textual", "rich"}}


@pytest.mark.slow
def test_the_wheel_ships_the_package_and_nothing_of_the_tests(tmp_path: Path) -> None:
    from hatchling.builders.wheel import WheelBuilder

    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(built) as wheel:
        shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert {"hivetui/embedded/base/flake.nix", "hivetui/app.py", "hivetui/demo/stage.py"} <= shipped
    assert all(name.startswith("hivetui/") and "test" not in Path(name).name for name in shipped)
    data = {str(path.relative_to(ROOT)) for path in PACKAGE.rglob("*.tcss")}
    assert data <= shipped
