"""The grammar of the Nix language for the stand-in of nix: text to a tree. Pure.

The whole expression language but `<search/paths>`, `~/paths` and the deprecated `let { }`. A node is a tuple of its
kind, its `Position` and its parts; `nix_evaluate` says what each means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

Node = tuple[Any, ...]

_BLANK = re.compile(r"(?:\s+|#[^\n]*|/\*.*?\*/)*", re.DOTALL)
_TOKEN = re.compile(
    r"(?P<uri>[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9%/?:@&=+$,_.!~*'-]+)"
    r"|(?P<path>[A-Za-z0-9._+-]*(?:/[A-Za-z0-9._+-]+)+)"
    r"|(?P<float>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<int>[0-9]+)"
    r"|(?P<id>[A-Za-z_][A-Za-z0-9_'-]*)"
    r"|(?P<sign>\.\.\.|==|!=|<=|>=|&&|\|\||->|//|\+\+|\$\{|''|[-+*/<>!?.,:;=@(){}\[\]\"])"
)
_WORDS = frozenset(("if", "then", "else", "assert", "with", "let", "in", "rec", "inherit", "or"))
# Binding power and whether it groups to the right (Nix manual, "Operators").
_BINARY = {
    "->": (1, True),
    "||": (2, False),
    "&&": (3, False),
    "==": (4, False),
    "!=": (4, False),
    "<": (5, False),
    "<=": (5, False),
    ">": (5, False),
    ">=": (5, False),
    "//": (6, True),
    "+": (8, False),
    "-": (8, False),
    "*": (9, False),
    "/": (9, False),
    "++": (10, True),
    "?": (11, False),
}
_NOT_POWER, _NEGATE_POWER = 7, 12
_STARTS = frozenset(("uri", "path", "float", "int", "id", '"', "''", "(", "{", "[", "rec", "${"))


class Source(NamedTuple):
    """A text and the name of its file."""

    file: str
    text: str


class Position(NamedTuple):
    """A place in a source."""

    source: Source
    offset: int

    def shown(self) -> str:
        """`file:line:column` and the lines around it, as nix shows them."""
        line = self.source.text.count("\n", 0, self.offset) + 1
        column = self.offset - (self.source.text.rfind("\n", 0, self.offset) + 1) + 1
        lines = self.source.text.split("\n")
        rows = [f"at {self.source.file}:{line}:{column}:", ""]
        for number in range(line - 1, line + 2):
            if 1 <= number <= len(lines):
                rows.append(f"{number:>6}| {lines[number - 1]}")
            if number == line:
                rows.append("      | " + " " * (column - 1) + "^")
        return "\n".join(f"       {row}".rstrip() for row in rows)


class NixError(Exception):
    """What nix would end with: a message and, where it is known, a place."""

    def __init__(self, message: str, position: Position | None = None) -> None:
        super().__init__(message)
        self.message, self.position = message, position

    def shown(self) -> str:
        """The whole message, without `error:`."""
        return f"{self.message}\n\n{self.position.shown()}" if self.position else self.message


class Token(NamedTuple):
    """`kind` is uri, path, float, int or id; for signs and words the text itself; "end" at the end."""

    kind: str
    text: str
    start: int
    end: int


def parse(file: str, text: str) -> Node:
    """The tree of a whole file. Raises NixError as nix words a syntax error."""
    parser = _Parser(Source(file, text))
    tree = parser.expression()
    parser.expect("end")
    return tree


class _Parser:
    """Recursive descent, with precedence climbing for operators."""

    def __init__(self, source: Source) -> None:
        self.source, self.offset = source, 0
        self.token = self._scan(0)

    def _scan(self, offset: int) -> Token:
        blank = _BLANK.match(self.source.text, offset)
        start = blank.end() if blank else offset
        if start >= len(self.source.text):
            return Token("end", "", start, start)
        found = _TOKEN.match(self.source.text, start)
        if not found:
            raise self._unexpected(Token(self.source.text[start], self.source.text[start], start, start + 1))
        kind, text = str(found.lastgroup), found[0]
        return Token(text if kind == "sign" or text in _WORDS else kind, text, start, found.end())

    def at(self, offset: int | None = None) -> Position:
        return Position(self.source, self.token.start if offset is None else offset)

    def _unexpected(self, token: Token, *expected: str) -> NixError:
        names = {"end": "end of file", "id": "ID", "int": "INT", "float": "FLOAT", "path": "PATH", "uri": "URI"}
        what = names.get(token.kind, f"'{token.text}'")
        wanted = ", expecting " + " or ".join(names.get(e, f"'{e}'") for e in expected) if expected else ""
        return NixError(f"syntax error, unexpected {what}{wanted}", self.at(token.start))

    def take(self) -> Token:
        token = self.token
        self.token = self._scan(token.end)
        return token

    def expect(self, kind: str) -> Token:
        if self.token.kind != kind:
            raise self._unexpected(self.token, kind)
        return self.take()

    def accept(self, kind: str) -> bool:
        if self.token.kind != kind:
            return False
        self.take()
        return True

    def ahead(self, count: int) -> list[str]:
        """The kinds of the next tokens, this one first; "?" for what is no token."""
        kinds, token = [self.token.kind], self.token
        while len(kinds) < count:
            try:
                token = self._scan(token.end)
            except NixError:
                token = Token("?!", "", token.end + 1, token.end + 1)
            kinds.append(token.kind)
        return kinds

    def expression(self) -> Node:
        """Functions and the words that begin an expression; else operators."""
        words = {"if": self._if, "assert": self._assert, "with": self._with, "let": self._let}
        if self.token.kind in words:
            return words[self.token.kind]()
        if self.token.kind == "id" and self.ahead(2)[1] in (":", "@"):
            return self._function()
        if self.token.kind == "{" and self._formals_ahead():
            return self._function()
        return self._operators(0)

    def _formals_ahead(self) -> bool:
        _, first, second, third = self.ahead(4)
        if first == "}":
            return second in (":", "@")
        return first == "..." or (first == "id" and (second in (",", "?") or (second == "}" and third in (":", "@"))))

    def _function(self) -> Node:
        position, name, formals = self.at(), None, None
        if self.token.kind == "id":
            name = self.take().text
            if self.accept("@"):
                formals = self._formals()
        else:
            formals = self._formals()
            if self.accept("@"):
                name = self.expect("id").text
        self.expect(":")
        return "function", position, name, formals, self.expression()

    def _formals(self) -> tuple[dict[str, Node | None], bool]:
        """Names with their defaults, and whether others are allowed."""
        self.expect("{")
        names: dict[str, Node | None] = {}
        while self.token.kind != "}":
            if self.accept("..."):
                self.expect("}")
                return names, True
            name = self.expect("id").text
            names[name] = self.expression() if self.accept("?") else None
            if self.token.kind != "}":
                self.expect(",")
        self.take()
        return names, False

    def _if(self) -> Node:
        position = self.at()
        self.take()
        condition = self.expression()
        self.expect("then")
        yes = self.expression()
        self.expect("else")
        return "if", position, condition, yes, self.expression()

    def _assert(self) -> Node:
        position = self.at()
        self.take()
        condition = self.expression()
        self.expect(";")
        return "assert", position, condition, self.expression()

    def _with(self) -> Node:
        position = self.at()
        self.take()
        names = self.expression()
        self.expect(";")
        return "with", position, names, self.expression()

    def _let(self) -> Node:
        position = self.at()
        self.take()
        bindings = self._bindings("in")
        return "let", position, bindings, self.expression()

    def _operators(self, least: int) -> Node:
        left = self._unary()
        while (found := _BINARY.get(self.token.kind)) and found[0] >= least:
            power, right = found
            position, sign = self.at(), self.take().kind
            if sign == "?":
                left = ("has", position, left, self._attribute_path())
                continue
            least_right = power if right else power + 1
            left = ("binary", position, sign, left, self._operators(least_right))
        return left

    def _unary(self) -> Node:
        position = self.at()
        if self.accept("!"):
            return "not", position, self._operators(_NOT_POWER)
        if self.accept("-"):
            return "negate", position, self._operators(_NEGATE_POWER)
        return self._application()

    def _application(self) -> Node:
        function = self._select()
        while self.token.kind in _STARTS:
            position = self.at()
            function = ("apply", position, function, self._select())
        return function

    def _select(self) -> Node:
        subject = self._simple()
        while self.token.kind == ".":
            position = self.at()
            self.take()
            path = self._attribute_path()
            default = self._select() if self.accept("or") else None
            subject = ("select", position, subject, path, default)
        return subject

    def _attribute_path(self) -> list[Node]:
        path = [self._attribute_name()]
        while self.accept("."):
            path.append(self._attribute_name())
        return path

    def _attribute_name(self) -> Node:
        position = self.at()
        if self.token.kind == '"':
            return self._string()
        if self.accept("${"):
            inner = self.expression()
            self.expect("}")
            return inner
        if self.token.kind == "or":
            return "text", position, self.take().text
        return "text", position, self.expect("id").text

    def _simple(self) -> Node:
        position, kind = self.at(), self.token.kind
        literals = {"int": int, "float": float}
        if kind in literals:
            return "literal", position, literals[kind](self.take().text)
        if kind in ("id", "path", "uri"):
            return {"id": "name", "path": "path", "uri": "text"}[kind], position, self.take().text
        compound = {'"': self._string, "''": self._indented, "[": self._list, "(": self._parenthesis}
        if kind in compound:
            return compound[kind]()
        if kind in ("{", "rec"):
            recursive = self.accept("rec")
            self.expect("{")
            return "set", position, recursive, self._bindings("}")
        raise self._unexpected(self.token)

    def _parenthesis(self) -> Node:
        self.take()
        inner = self.expression()
        self.expect(")")
        return inner

    def _list(self) -> Node:
        position = self.at()
        self.take()
        items = []
        while self.token.kind != "]":
            items.append(self._select())
        self.take()
        return "list", position, items

    def _bindings(self, end: str) -> list[Node]:
        """`("inherit", position, source or None, names)` and `("bind", position, path, value)` up to `end`."""
        found: list[Node] = []
        while self.token.kind != end:
            position = self.at()
            if self.accept("inherit"):
                source = self._parenthesis() if self.token.kind == "(" else None
                names = []
                while self.token.kind != ";":
                    names.append(self._attribute_name())
                found.append(("inherit", position, source, names))
            else:
                path = self._attribute_path()
                self.expect("=")
                found.append(("bind", position, path, self.expression()))
            self.expect(";")
        self.take()
        return found

    def _interpolation(self, offset: int) -> tuple[Node, int]:
        """The expression of a `${` that ends at `offset`, and where its `}` ends."""
        self.token = self._scan(offset)
        inner = self.expression()
        if self.token.kind != "}":
            raise self._unexpected(self.token, "}")
        return inner, self.token.end

    def _string(self) -> Node:
        position, offset, text = self.at(), self.token.end, ""
        source = self.source.text
        parts: list[Node | str] = []
        while source[offset : offset + 1] != '"':
            if offset >= len(source):
                raise self._unexpected(Token("end", "", offset, offset))
            if source.startswith("${", offset):
                inner, offset = self._interpolation(offset + 2)
                parts += [text, inner]
                text = ""
            elif source[offset] == "\\":
                escaped = source[offset + 1 : offset + 2]
                text += {"n": "\n", "t": "\t", "r": "\r"}.get(escaped, escaped)
                offset += 2
            else:
                width = 2 if source.startswith("$$", offset) else 1
                text += source[offset : offset + width]
                offset += width
        self.token = self._scan(offset + 1)
        return _joined(position, [*parts, text])

    def _indented(self) -> Node:
        """A string between two single quotes twice: its common indentation is taken off (Nix manual, "String")."""
        position, offset = self.at(), self.token.end
        source = self.source.text
        parts: list[Node | str] = []
        while not (source.startswith("''", offset) and source[offset + 2 : offset + 3] not in ("$", "'", "\\")):
            if offset >= len(source):
                raise self._unexpected(Token("end", "", offset, offset))
            if source.startswith("${", offset):
                inner, offset = self._interpolation(offset + 2)
                parts.append(inner)
                continue
            piece, offset = _indented_piece(source, offset)
            parts.append(piece)
        self.token = self._scan(offset + 2)
        return _joined(position, _dedent(parts))


def _indented_piece(source: str, offset: int) -> tuple[Node | str, int]:
    """One character, or one escape, which stands as a text node so that indentation is not looked for in it."""
    if source.startswith("'''", offset):
        return ("text", None, "''"), offset + 3
    if source.startswith("''$", offset):
        return ("text", None, "$"), offset + 3
    if source.startswith("''\\", offset):
        escaped = source[offset + 3 : offset + 4]
        return ("text", None, {"n": "\n", "t": "\t", "r": "\r"}.get(escaped, escaped)), offset + 4
    width = 2 if source.startswith("$$", offset) else 1
    return source[offset : offset + width], offset + width


def _dedent(parts: Iterable[Node | str]) -> list[Node | str]:
    """Join characters, drop a blank first line and the least indentation of the lines that have something."""
    joined: list[Node | str] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    if joined and isinstance(joined[0], str):
        joined[0] = re.sub(r"\A *\n", "", joined[0])
    least, last = _least_indentation(joined), len(joined) - 1
    return [
        _strip(part, least, first=index == 0, last=index == last) if isinstance(part, str) else part
        for index, part in enumerate(joined)
    ]


def _least_indentation(parts: list[Node | str]) -> int:
    least: int | None = None
    line_start = True
    for index, part in enumerate(parts):
        if not isinstance(part, str):
            least = 0 if line_start else least
            line_start = False
            continue
        lines = part.split("\n")
        for number, line in enumerate(lines):
            if number == 0 and not line_start:
                continue
            last = number == len(lines) - 1
            filled = line.strip(" ") != "" or (last and index < len(parts) - 1)
            if filled:
                width = len(line) - len(line.lstrip(" "))
                least = width if least is None else min(least, width)
        line_start = False
    return least or 0


def _strip(text: str, least: int, first: bool, last: bool) -> str:
    """Take `least` blanks off each line; the first line of a part begins a line only in the first part."""
    lines = text.split("\n")
    for number in range(0 if first else 1, len(lines)):
        indentation = len(lines[number]) - len(lines[number].lstrip(" "))
        lines[number] = lines[number][min(least, indentation) :]
    if last and len(lines) > 1 and lines[-1].strip(" ") == "":
        lines[-1] = ""
    return "\n".join(lines)


def _joined(position: Position, parts: list[Node | str]) -> Node:
    """A string node of texts and expressions."""
    nodes = [("text", position, part) if isinstance(part, str) else part for part in parts if part != ""]
    if not nodes:
        return "text", position, ""
    return nodes[0] if len(nodes) == 1 and nodes[0][0] == "text" else ("string", position, nodes)
