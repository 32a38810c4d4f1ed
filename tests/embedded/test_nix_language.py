"""Expressions that the stand-in for nix evaluates as the real nix does, and how it refuses the others."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hivetui.embedded.nix.builtins import Loader
from hivetui.embedded.nix.values import NixError, plain

EXPRESSIONS: list[tuple[str, Any]] = [
    ("1 + 2 * 3 - 4 / 2", 5),
    ("[ (-7 / 2) (7 / 2) ]", [-3, 3]),
    ("1 / 2.0", 0.5),
    ('"a${"b" + "c"}$d\\${e}\\n"', "abc$d${e}\n"),
    ("''\n  a\n    b ${\"x\\ny\"}\n\n  c\n''", "a\n  b x\ny\n\nc\n"),
    ("'' ''${x} ''' $$ ''\\n''", "${x} '' $$ \n"),
    ("''\n    ''\\n\n  a''", "  \n\na"),
    ("''${\"a\"}\n  b''", "a\n  b"),
    ("{ a.b = 1; a.c = 2; }", {"a": {"b": 1, "c": 2}}),
    ("{ a = { b = 1; }; a.c = 2; }", {"a": {"b": 1, "c": 2}}),
    ("{ a.c = 2; a = { b = 1; }; }", {"a": {"b": 1, "c": 2}}),
    ("rec { a = 1; b = a + 1; c = { d = b; }; }", {"a": 1, "b": 2, "c": {"d": 2}}),
    ("let x = 1; inherit ({ y = 2; }) y; in { inherit x y; }", {"x": 1, "y": 2}),
    ("with { a = 1; b = 2; }; let a = 3; in [ a b ]", [3, 2]),
    ("with { a = 1; b = 2; }; with { a = 3; }; [ a b ]", [3, 2]),
    ("({ a, b ? a + 1, ... }@all: [ a b (all ? c) ]) { a = 1; c = 0; }", [1, 2, True]),
    ("(x: y: x + y) 1 2", 3),
    ("{ a = 1; } // { b = 2; } // { a = 3; }", {"a": 3, "b": 2}),
    ("[ 1 ] ++ [ 2 ] ++ [ ]", [1, 2]),
    ("{ a.b = 1; } ? a.b && !({ } ? a)", True),
    ("[ { }.a.b or 5 ]", [5]),
    ("if 1 < 2 -> false then 1 else 2", 2),
    ('[ (1 == 1.0) ([ { a = 1; } ] == [ { a = 1; } ]) ("a" != null) ]', [True, True, True]),
    ("assert 2 >= 1; 1", 1),
    ("builtins.map (x: x * x) [ 1 2 3 ]", [1, 4, 9]),
    ('builtins.attrNames { b = throw "lazy"; a = 1; }', ["a", "b"]),
    ('toString [ 1 true null "x" 1.5 ]', "1 1  x 1.500000"),
    ('builtins.concatStringsSep ", " [ "a" "b" ]', "a, b"),
    ('{ "${"a" + "b"}" = 1; ${"c"}.d = 2; }', {"ab": 1, "c": {"d": 2}}),
    ("let f = n: if n == 0 then 0 else f (n - 1); in f 40", 0),
    ("/* a comment */ 1 # another", 1),
    ('map (r: toString /mods/${r}.nix) [ "a" "b" ]', ["/mods/a.nix", "/mods/b.nix"]),
    ('toString /a/${"../b"}/${"c"}d/e', "/b/cd/e"),
]
WRONG = [
    ("let x = x; in x", "infinite recursion"),
    ("{ a = 1; }.b", "attribute 'b' missing"),
    ('1 + "a"', "cannot coerce an integer"),
    ("assert false; 1", "assertion failed"),
    ("{ a = 1; a = 2; }", "already defined"),
    ("{ a.b = 1; a = 2; }", "already defined"),
    ("[ 1 2", "unexpected end of file, expecting ']'"),
    ("{ a = 1 }", "unexpected '}', expecting ';'"),
    ("{ a = 1; ] }", "unexpected ']'"),
    ('"open', "syntax error"),
    ("", "unexpected end of file"),
    ("1 2", "not a function but an integer"),
    ("({ a }: a) { }", "required argument 'a'"),
    ("({ a }: a) { a = 1; b = 2; }", "unexpected argument 'b'"),
    ("99999999999999999999", "invalid integer"),
    ("9223372036854775807 + 1", "integer overflow"),
    ("1 / 0", "division by zero"),
]
UNSUPPORTED = [
    ("import <nixpkgs> { }", "search path"),
    ("[ ~/secret ]", "home directory"),
    ('[ ~/${"secret"} ]', "home directory"),
    ("[ http://example.org ]", "URL without quotes"),
    ("let { body = 1; }", "form of let"),
    ("builtins.foldl' (a: b: a + b) 0 [ 1 ]", "builtins.foldl'"),
    ("derivation { }", "derivation"),
    ("{ ${null} = 1; }", "attribute name that is null"),
]


def value_of(text: str) -> Any:
    return plain(Loader().evaluate("«test»", text.encode()))


@pytest.mark.parametrize(("text", "value"), EXPRESSIONS)
def test_an_expression_has_the_value_that_nix_gives_it(text: str, value: Any) -> None:
    assert value_of(text) == value


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_wrong_expression_is_an_error_that_says_why(text: str, message: str) -> None:
    with pytest.raises(NixError) as caught:
        value_of(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(("text", "construct"), UNSUPPORTED)
def test_an_expression_that_is_not_supported_is_named_with_its_place(text: str, construct: str) -> None:
    with pytest.raises(NixError, match="cannot evaluate") as caught:
        value_of(f"\n{text}")
    assert construct in str(caught.value)
    assert "install nix" in str(caught.value)
    assert "at «test»:2:" in caught.value.render()


@pytest.mark.skipif(shutil.which("nix") is None, reason="nix is not installed")
def test_the_real_nix_gives_the_same_values(tmp_path: Path) -> None:
    every_expression = "[" + "\n".join(f"({text}\n)" for text, _ in EXPRESSIONS) + "]"
    argv = ["nix-instantiate", "--eval", "--strict", "--json", "--expr", every_expression]
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


def test_a_file_outside_the_sources_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "secret.nix").write_text('"secret"')
    with pytest.raises(NixError, match="forbidden"):
        value_of(f"import {tmp_path}/secret.nix")


def test_a_link_out_of_the_sources_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.nix").write_text('"secret"')
    source = tmp_path / "source"
    source.mkdir()
    (source / "link.nix").symlink_to("../secret.nix")
    loader = Loader()
    loader.roots.append(source)
    with pytest.raises(NixError, match="forbidden"):
        loader.load(source / "link.nix")
