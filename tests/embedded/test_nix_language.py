"""The same expressions to the stand-in's evaluator and to the real nix: both must say what stands here."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hivetui.embedded import nix_builtins
from hivetui.embedded.nix_evaluate import evaluate
from hivetui.embedded.nix_syntax import NixError, parse

EXPRESSIONS: list[tuple[str, Any]] = [
    ("1 + 2 * 3 - 4 / 2", 5),
    ("[ (-7 / 2) (7 / 2) ]", [-3, 3]),
    ("1 / 2.0", 0.5),
    ('"a${"b" + "c"}$d\\${e}\\n"', "abc$d${e}\n"),
    ("''\n  a\n    b ${\"x\\ny\"}\n\n  c\n''", "a\n  b x\ny\n\nc\n"),
    ("'' ''${x} ''' $$ ''\\n''", "${x} '' $$ \n"),
    ("{ a.b = 1; a.c = 2; }", {"a": {"b": 1, "c": 2}}),
    ("{ a = { b = 1; }; a.c = 2; }", {"a": {"b": 1, "c": 2}}),
    ("rec { a = 1; b = a + 1; }", {"a": 1, "b": 2}),
    ("let x = 1; inherit ({ y = 2; }) y; in { inherit x y; }", {"x": 1, "y": 2}),
    ("with { a = 1; b = 2; }; let a = 3; in [ a b ]", [3, 2]),
    ("({ a, b ? a + 1, ... }@all: [ a b (all ? c) ]) { a = 1; c = 0; }", [1, 2, True]),
    ("(x: y: x + y) 1 2", 3),
    ("{ a = 1; } // { b = 2; } // { a = 3; }", {"a": 3, "b": 2}),
    ("[ 1 ] ++ [ 2 ] ++ [ ]", [1, 2]),
    ("{ a.b = 1; } ? a.b && !({ } ? a)", True),
    ("{ }.a.b or 5", 5),
    ("if 1 < 2 -> false then 1 else 2", 2),
    ("builtins.map (x: x * x) [ 1 2 3 ]", [1, 4, 9]),
    ("builtins.foldl' (a: b: a + b) 0 [ 1 2 3 ]", 6),
    ('builtins.attrNames { b = throw "lazy"; a = 1; }', ["a", "b"]),
    ('toString [ 1 true null "x" 1.5 ]', "1 1  x 1.500000"),
    ('builtins.replaceStrings [ "a" "b" ] [ "b" "a" ] "aabb"', "bbaa"),
    ('builtins.tryEval (throw "no")', {"success": False, "value": False}),
    ('{ "${"a" + "b"}" = 1; ${null} = 2; }', {"ab": 1}),
    ("let f = n: if n == 0 then 0 else f (n - 1); in f 40", 0),
    ("builtins.sort (a: b: a < b) [ 3 1 2 ]", [1, 2, 3]),
    ('builtins.listToAttrs [ { name = "a"; value = 1; } ]', {"a": 1}),
    ("/* a comment */ 1 # another", 1),
]
WRONG = [
    "let x = x; in x",
    "{ a = 1; }.b",
    '1 + "a"',
    "assert false; 1",
    "{ a = 1; a = 2; }",
    "[ 1 2",
    '"open',
    "1 2",
    "({ a }: a) { }",
]


def value_of(text: str) -> Any:
    return nix_builtins.plain(evaluate(parse("«test»", text), nix_builtins.scope(lambda: [])))


@pytest.mark.parametrize(("text", "value"), EXPRESSIONS)
def test_an_expression_has_the_value_that_nix_gives_it(text: str, value: Any) -> None:
    assert value_of(text) == value


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_expression_is_an_error_and_no_traceback(text: str) -> None:
    with pytest.raises(NixError):
        value_of(text)


@pytest.mark.skipif(shutil.which("nix") is None, reason="there is no nix here")
def test_the_real_nix_gives_the_same_values(tmp_path: Path) -> None:
    whole = "[" + "\n".join(f"({text}\n)" for text, _ in EXPRESSIONS) + "]"
    argv = ["nix-instantiate", "--eval", "--strict", "--json", "--expr", whole]
    environment = {"NIX_STATE_DIR": str(tmp_path), "NIX_STORE_DIR": str(tmp_path / "store"), "HOME": str(tmp_path)}
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin:/run/current-system/sw/bin", **environment},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [value for _, value in EXPRESSIONS]


def test_a_file_outside_of_the_sources_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "secret.nix").write_text('"secret"')
    with pytest.raises(NixError, match="forbidden"):
        value_of(f"import {tmp_path}/secret.nix")
