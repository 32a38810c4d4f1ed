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
    ("[ ([ 1 2 ] < [ 1 3 ]) ([ 1 ] < [ 1 0 ]) (/a < /b) ]", [True, True, True]),
    ("({ __functor = self: x: x + self.n; n = 1; }) 2", 3),
    ("{ ${null} = 1; b = 2; }", {"b": 2}),
    ("let { x = 1; body = x; }", 1),
    ('{ a = throw "lazy"; } ? a', True),
    ('"${{ __toString = self: self.x; x = "hi"; }}"', "hi"),
    ('builtins.attrValues { b = 2; a = 1; }', [1, 2]),
    ('builtins.mapAttrs (n: v: n + toString v) { a = 1; }', {"a": "a1"}),
    ('builtins.listToAttrs [ { name = "a"; value = 1; } { name = "a"; value = 2; } ]', {"a": 1}),
    ('builtins.removeAttrs { a = 1; b = 2; } [ "a" "c" ]', {"b": 2}),
    ("builtins.intersectAttrs { a = 1; } { a = 2; b = 3; }", {"a": 2}),
    ('with builtins; [ (hasAttr "a" { a = 1; }) (getAttr "a" { a = 1; }) (builtins ? attrValues) ]', [True, 1, True]),
    ('builtins.catAttrs "a" [ { a = 1; } { b = 2; } ]', [1]),
    ("builtins.zipAttrsWith (n: vs: vs) [ { a = 1; } { a = 2; b = 3; } ]", {"a": [1, 2], "b": [3]}),
    ("builtins.filter (x: x > 1) [ 1 2 3 ]", [2, 3]),
    ("builtins.foldl' (a: b: a + b) 0 [ 1 2 3 ]", 6),
    ("builtins.concatLists [ [ 1 ] [ 2 ] ]", [1, 2]),
    ("builtins.concatMap (x: [ x x ]) [ 1 2 ]", [1, 1, 2, 2]),
    ("builtins.genList (x: x * x) 4", [0, 1, 4, 9]),
    ("with builtins; [ (elem 2 [ 1 2 ]) (elemAt [ 1 2 ] 1) (head [ 1 2 ]) (tail [ 1 2 ]) (length [ 1 2 ]) ]",
     [True, 2, 1, [2], 2]),
    ("with builtins; [ (all (x: x) [ true false ]) (any (x: x) [ true false ]) ]", [False, True]),
    ("[ (builtins.sort (a: b: a < b) [ 3 1 2 ]) (builtins.sort builtins.lessThan [ 3 1 2 ]) ]", [[1, 2, 3], [1, 2, 3]]),
    ('builtins.groupBy (x: if x > 1 then "b" else "a") [ 1 2 3 ]', {"a": [1], "b": [2, 3]}),
    ("builtins.partition (x: x > 1) [ 1 2 3 ]", {"right": [2, 3], "wrong": [1]}),
    ("builtins.functionArgs ({ a, b ? 1 }: a)", {"a": False, "b": True}),
    ('map builtins.typeOf [ 1 true null 1.5 "" /a [ ] { } (x: x) map ]',
     ["int", "bool", "null", "float", "string", "path", "list", "set", "lambda", "lambda"]),
    ('with builtins; [ (isAttrs { }) (isList [ ]) (isString "") (isInt 1) (isInt true) (isBool true) (isFloat 1.0) '
     "(isFunction map) (isFunction { }) (isPath /a) (isNull null) ]",
     [True, True, True, True, False, True, True, True, False, True, True]),
    ('builtins.toJSON { b = [ 1 "x\n" null true 1.5 ]; a = "ä"; }', '{"a":"ä","b":[1,"x\\n",null,true,1.5]}'),
    ("builtins.fromJSON ''{\"a\": [1, 2.5, null, true, \"x\"]}''", {"a": [1, 2.5, None, True, "x"]}),
    ('builtins.replaceStrings [ "a" "bc" ] [ "bc" "" ] "abca"', "bcbc"),
    ('builtins.replaceStrings [ "" "b" ] [ "-" "x" ] "ab"', "-a-b-"),
    ('with builtins; [ (substring 1 2 "abcd") (substring 1 (-1) "abcd") (substring 9 1 "a") (stringLength "ä") ]',
     ["bc", "bcd", "", 2]),
    ('with builtins; [ (baseNameOf "/a/b.nix") (baseNameOf "/a/b/") (dirOf "/a/b") (dirOf "a") (baseNameOf /a/b) ]',
     ["b.nix", "b", "/a", ".", "b"]),
    ('with builtins; [ (seq 1 2) (deepSeq { a = 1; } 2) (tryEval (throw "x")) (tryEval 1).value ]',
     [2, 2, {"success": False, "value": False}, 1]),
    ("with builtins; [ (add 1 2) (sub 3 1) (mul 3 2) (div 7 2) (floor 1.5) (ceil 1.5) ]", [3, 2, 6, 3, 1, 2]),
    ("with builtins; [ (bitAnd 6 3) (bitOr 6 3) (bitXor 6 3) ]", [2, 7, 5]),
    ('builtins.hashString "sha256" "x"', "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"),
    ("removeAttrs { a = 1; } [ ]", {"a": 1}),
    ("fromTOML ''a = 1\nb.c = [ true ]''", {"a": 1, "b": {"c": [True]}}),
    ('builtins.unsafeDiscardStringContext "a"', "a"),
    ("builtins.deepSeq (let x = { y = x; }; in x) 1", 1),
    ("let f = n: if n == 0 then 1 else [ (f (n - 1)) ]; in [ (f 40 < f 40) (f 40 <= f 40) ]", [False, True]),
    ("[ ([ 1 2 ] < [ 1 3 ]) ([ 1 ] < [ 1 0 ]) ([ ] > [ ]) ([ [ 2 ] 0 ] >= [ [ 1 ] 9 ]) ]", [True, True, False, True]),
]  # fmt: skip
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
    ("{ }.${null}", "a string was expected"),
    ("builtins.head [ ]", "out of bounds"),
    ("builtins.elemAt [ 1 ] (-1)", "out of bounds"),
    ("builtins.tail [ ]", "empty list"),
    ("builtins.genList (x: x) 5000000", "longer than"),
    ('builtins.getAttr "b" { a = 1; }', "attribute 'b' missing"),
    ("builtins.filter 1 [ 1 ]", "not a function but an integer"),
    ("builtins.fromJSON ''[ NaN ]''", "cannot read JSON"),
    ('fromTOML "a = 2026-01-01"', "cannot read TOML"),
    ('fromTOML "a = 99999999999999999999"', "not in the range of integers"),
    ("builtins.pathExists (/a + builtins.fromJSON ''\"/\\u0000\"'')", "cannot read JSON"),
    ("builtins.pathExists (/a + (fromTOML ''a = \"/\\u0000\"'').a)", "cannot read TOML"),
    ("builtins.genList (x: x) (builtins.fromJSON ''99999999999999999999'')", "not in the range of integers"),
    ("builtins.stringLength (builtins.fromJSON ''\"\\ud800\"'')", "cannot read JSON"),
    ("let f = n: if n == 0 then 1 else let x = f (n - 1); in [ x x ]; in f 30 < f 30", "more than 200000 steps"),
    ("builtins.foldl' (a: b: a + b) 0 (builtins.genList (x: x) 300000)", "more than 200000 steps"),
    ("builtins.elem 1 (builtins.genList (x: 0) 300000)", "more than 200000 steps"),
    ("builtins.deepSeq [ 1 { a = 1 / 0; } ] 1", "division by zero"),
]
UNSUPPORTED = [
    ("import <nixpkgs> { }", "search path"),
    ("[ ~/secret ]", "home directory"),
    ('[ ~/${"secret"} ]', "home directory"),
    ("[ http://example.org ]", "URL without quotes"),
    ('builtins.match "a" "a"', "builtins.match"),
    ("derivation { }", "derivation"),
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


def test_what_a_source_has_can_be_listed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "secret.nix").touch()
    source = tmp_path / "source"
    (source / "mods").mkdir(parents=True)
    (source / "mods/a.nix").touch()
    (source / "link").symlink_to("../secret.nix")
    loader = Loader()
    loader.roots.append(source)

    def value(text: str) -> Any:
        return plain(loader.evaluate(f"{source}/agent.nix", text.encode()))

    assert value("builtins.readDir ./.") == {"link": "symlink", "mods": "directory"}
    modules = 'map (name: toString (./mods + "/${name}")) (builtins.attrNames (builtins.readDir ./mods))'
    assert value(modules) == [f"{source}/mods/a.nix"]
    found = value("map builtins.pathExists [ ./mods ./gone ./link ../secret.nix /etc/passwd ]")
    assert found == [True, False, False, False, False]
    assert value('builtins.getEnv "PATH"') == ""
    for text in ("builtins.readDir ./..", "builtins.readDir ./gone", "builtins.readDir ./mods/a.nix"):
        with pytest.raises(NixError, match=r"forbidden|No such file|Not a directory"):
            value(text)


def test_a_link_out_of_the_sources_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.nix").write_text('"secret"')
    source = tmp_path / "source"
    source.mkdir()
    (source / "link.nix").symlink_to("../secret.nix")
    loader = Loader()
    loader.roots.append(source)
    with pytest.raises(NixError, match="forbidden"):
        loader.load(source / "link.nix")
