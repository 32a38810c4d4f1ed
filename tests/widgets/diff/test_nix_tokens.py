"""The tokens of parts of Nix files, also of those that begin in the middle of something."""

from __future__ import annotations

import random
import time

import pytest

from hivetui.widgets.diff.nix_nesting import Nesting, guess_nesting, nesting_after
from hivetui.widgets.diff.nix_tokens import PARSE_SECONDS, tokens_of

STRING: Nesting = (b"''",)


def kinds(text: str, nesting: Nesting = (), *, is_start: bool = False) -> list[list[str]]:
    """Each token as `kind:text`, line by line."""
    lines = text.encode().split(b"\n")
    found = tokens_of(lines, nesting, is_start=is_start)
    return [
        [f"{kind}:{line[start:end].decode()}" for start, end, kind in tokens]
        for line, tokens in zip(lines, found, strict=True)
    ]


def test_code_in_a_string_of_several_lines_is_a_string_and_an_interpolation_is_code() -> None:
    text = "{ pkgs, ... }:\n{\n  a.b = ''\n    let x = 1; # ${if true then 1 else x}\n  '' + \"c\";\n}"
    assert kinds(text, is_start=True) == [
        [],
        [],
        ["name:a.b", "string:''"],
        ["string:    let x = 1; # ", "keyword:if", "constant:true", "keyword:then", "constant:1", "keyword:else"],
        ["string:  ''", 'string:"c"'],
        [],
    ]


def test_a_comment_of_several_lines_is_one_to_its_end() -> None:
    assert kinds("x = 1; /* let\ny = ''\n*/ z = true;") == [
        ["name:x", "constant:1", "comment:/* let"],
        ["comment:y = ''"],
        ["comment:*/", "name:z", "constant:true"],
    ]


@pytest.mark.parametrize(
    ("text", "nesting", "expected"),
    [
        ("let ${x} '';\nb = 1;", STRING, [["string:let ", "string: ''"], ["name:b", "constant:1"]]),
        ("'';\nb = ''", STRING, [["string:''"], ["name:b", "string:''"]]),
        ("''${a} '''b''' $${c} ''\\n\n'';", STRING, [["string:''${a} '''b''' $${c} ''\\n"], ["string:''"]]),
        ("${a}", STRING, [[]]),
        ("let */ x = 1;", (b"/*",), [["comment:let */", "name:x", "constant:1"]]),
        ('a "; x = 1;', (b'"',), [['string:a "', "name:x", "constant:1"]]),
        ("{ a = 1; } } let", (b"''", b"${"), [["name:a", "constant:1", "string: let"]]),
    ],
)
def test_a_part_that_begins_inside_something(text: str, nesting: Nesting, expected: list[list[str]]) -> None:
    assert kinds(text, nesting) == expected


def test_names_keywords_constants_and_paths_outside_of_any_expression() -> None:
    assert kinds('  };\n  a."b c".d = [ ./e <nixpkgs> ~/f ];\nin\n  c == d') == [
        [],
        ["name:a.", 'string:"b c"', "name:.d", "path:./e", "path:<nixpkgs>", "path:~/f"],
        ["keyword:in"],
        [],
    ]


@pytest.mark.parametrize("end", ["", "\r"])
def test_tabs_and_carriage_returns_are_blanks(end: str) -> None:
    first, second = kinds(f"\tx\t=\t1;{end}\n\ty = ''{end}")
    assert first == ["name:x", "constant:1"]
    assert [token.rstrip("\r") for token in second] == ["name:y", "string:''"]


@pytest.mark.parametrize(
    "text",
    [
        "  environment.systemPackages = with pkgs; [\n    git\n  ];\n}",
        "    git\n    vim\n    ripgrep\n  ];",
        "let\n  x = 1;\nin",
        "  x = if a\n    then b\n    else c;\n  y = 3;",
        "  x = ''\n    listen 80;\n    some words\n    more words\n  '';",
        "    (pkgs.writeShellScriptBin \"x\" ''\n      echo some words\n    '')\n    pkgs.git",
        "    ''\n      some words\n    ''\n",
        "# a comment, it's words\n  x = '''';\n  y = 1; /* z */",
    ],
)
def test_a_part_that_looks_like_code_is_taken_for_code(text: str) -> None:
    assert guess_nesting(text.encode().split(b"\n")) == ()


@pytest.mark.parametrize(
    ("text", "nesting"),
    [
        ("    mkdir -p $out/bin\n    cp -r foo $out/\n    cd $out", STRING),
        ("  listen 80;\n  location / {\n    proxy_pass http://x;\n  }", STRING),
        ("  Restart=always\n  User=foo", STRING),
        ("  some words of a text, and more.\n  Another line of it.", STRING),
        ("  x = 1;\n  '';\n  y = ''\n    z\n  '';", STRING),
        ("  echo a b c\n  ''\n", STRING),
        ("  x = ''${y};\n", STRING),
        ("  some words\n  more */\n  x = /* y */ 1;", (b"/*",)),
    ],
)
def test_a_part_that_looks_like_text_is_taken_for_a_string_or_a_comment(text: str, nesting: Nesting) -> None:
    assert guess_nesting(text.encode().split(b"\n")) == nesting


def test_what_is_open_is_found_in_code_strings_and_interpolations() -> None:
    for text, nesting in (
        (b"x = ''", STRING),
        (b"x = '' ''${ ''' ''\\''  ", STRING),
        (b"x = '' $${ ${ { a = \"", (b"''", b"${", b"{", b'"')),
        (b"x = '' ${ { a = \"\\\"\"; } } ''", ()),
        (b"x'' = 1; # '' \" /*\n", ()),
        (b"/* '' # */ \"# ", (b'"',)),
    ):
        assert nesting_after((), text) == nesting, text


_SCRAPS = [b"''", b'"', b"${", b"}", b"{", b"/*", b"*/", b"#", b"\n", b"\r\n", b"\t", b" ", b"a.b", b"=", b";", b"1"]
_SCRAPS += [b"if", b"./x", b"<y>", b"\\", b"$", b"'", b"\xff", b"\xe2\x80\xae", b"\xf0\x9f\x8f\xbd", b"\0", b"x" * 600]


def test_tokens_of_any_text_are_in_order_inside_their_line() -> None:
    draw = random.Random(7)
    for _ in range(300):
        lines = b"".join(draw.choices(_SCRAPS, k=draw.randrange(60))).split(b"\n")
        nesting = draw.choice([(), STRING, (b"/*",), (b"''", b"${"), guess_nesting(lines)])
        for line, tokens in zip(lines, tokens_of(lines, nesting, is_start=draw.random() < 0.3), strict=True):
            edges = [edge for token in tokens for edge in (token.start, token.end)]
            assert edges == sorted(edges), (lines, tokens)
            assert all(token.start < token.end for token in tokens)
            assert not edges or (edges[0] >= 0 and edges[-1] <= len(line))


@pytest.mark.slow
@pytest.mark.parametrize("scrap", [b"1+", b"(", b'"${', b"a.", b"$", b"a@{"])
def test_text_that_is_made_to_take_long_does_not(scrap: bytes) -> None:
    began = time.thread_time()
    tokens_of([scrap * (128 * 1024 // len(scrap))], ())
    assert time.thread_time() - began < PARSE_SECONDS * 4
