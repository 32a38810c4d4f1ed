"""Which options the modules of a tree set: each with its attribute path, its value, and where it stands.

The walk follows what a module can be written in: nested and dotted paths, `let`, `with`, `inherit`, `//`, `++`,
`mkIf`, `mkMerge`, `mkForce` and their kin, functions that are called with sets or lists, `imports`, and sets that are
imported into an option. It evaluates nothing: both branches of a condition count. What cannot be followed is a value
of its own, with its text, so that a change of it is seen. In flake.nix inputs and nixConfig are options too.
"""

# size: one walk, with a method for each kind of expression, that share where they are and what was found.

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import replace

from tree_sitter import Node

from hivetui.engine.review.findings.budget import MAX_SETTINGS, Budget, TooMuch
from hivetui.engine.review.findings.nix_places import Options, Place, Setting, flatten, resolve
from hivetui.engine.review.findings.nix_scope import (
    SETS,
    Entry,
    Names,
    Scope,
    Spot,
    bindings,
    child,
    flatten_call,
    function_scope,
    spot,
    unwrap,
)
from hivetui.engine.review.findings.nix_values import COMPUTED, Values
from hivetui.engine.review.findings.sources import Sources
from hivetui.engine.review.findings.tree import Tree

FLAKE = "flake.nix"
_ROOTS = (FLAKE, "agent.nix")
_LAST = {"mkForce", "mkDefault", "mkVMOverride", "mkImageMediaOverride", "mkOptionDefault", "mkBefore", "mkAfter"}
"""Functions whose last argument is the value, and that only say how it is merged."""
_ORDERED = {"mkOverride", "mkOrder"}
_CONDITIONAL = {"mkIf", "optionalAttrs", "optional", "optionals", "optionalString"}
_INSIDE = re.compile(r"(^|[\s(])\.\.?/|\breadDir\b")
"""In what is imported by a computed path: it is one of this tree."""
_ATTRIBUTE_MAPS = ("mapAttrs", "mapAttrs'", "genAttrs")
_MAX_MAPPED = 200
_MAX_REFERENCES = 1000
_READERS = {"fromJSON": json.loads, "importJSON": json.loads, "fromTOML": tomllib.loads, "importTOML": tomllib.loads}


Argument = tuple[Node, Scope]


def read_options(tree: Tree, sources: Sources, budget: Budget, also: Iterable[str] = ()) -> Options:
    """The options that a tree sets, from flake.nix and agent.nix on; `also` are files to read besides."""
    walker = _Walker(tree, sources, budget)
    found = walker.found
    roots = [name for name in _ROOTS if name in tree.files]
    walker.read_files(roots or _nix_files(tree))
    if found.is_open:
        walker.read_files(_nix_files(tree))
    found.reached = frozenset(found.files)
    walker.read_files((path for path in also if path.endswith(".nix")), are_modules=False)
    found.settings += _follow_references(found.settings, walker.references)
    return found


def _nix_files(tree: Tree) -> list[str]:
    return sorted(path for path in tree.files if path.endswith(".nix"))


def _follow_references(settings: list[Setting], references: list[tuple[Names, Setting]]) -> list[Setting]:
    """For each option whose value is that of another, `x = config.y`, the values of y as values of x."""
    by_first: dict[Names, list[Setting]] = {}
    for setting in settings:
        by_first.setdefault(setting.path[:2], []).append(setting)
    found = []
    for target, reference in references[:_MAX_REFERENCES]:
        for setting in by_first.get(target[:2], ()):
            if setting.path[: len(target)] == target and setting is not reference:
                path = (*reference.path, *setting.path[len(target) :])
                found.append(replace(setting, path=path, spots=(*reference.spots, *setting.spots)))
    return found[:_MAX_REFERENCES]


class _Walker:
    def __init__(self, tree: Tree, sources: Sources, budget: Budget) -> None:
        self._tree, self._sources, self._budget = tree, sources, budget
        self.found = Options()
        self._visited: set[tuple[str, Names, bool]] = set()
        self._values = Values(budget, self._digest, self._open_import)
        self._by_type: dict[str, Callable[[Node, Scope, Place], None]] = {
            **dict.fromkeys(SETS, self._walk_set),
            "function_expression": self._walk_function,
            "let_expression": self._walk_let,
            "with_expression": self._walk_with,
            "assert_expression": self._walk_assert,
            "if_expression": self._walk_branches,
            "list_expression": self._walk_list,
            "binary_expression": self._walk_operation,
            "apply_expression": self._walk_call,
            "variable_expression": self._walk_name,
            "select_expression": self._walk_name,
        }
        self.references: list[tuple[Names, Setting]] = []
        """The settings whose value is that of another option, and that option."""

    def read_files(self, paths: Iterable[str], are_modules: bool = True) -> None:
        """Walk files that were not walked yet, as modules or as what may be one."""
        for path in paths:
            if path not in self.found.files:
                self.read_file(path, Place(in_flake=path.rpartition("/")[2] == FLAKE, is_module=are_modules))

    def read_file(self, path: str, place: Place) -> None:
        """Walk the expression of a file as what is set at `place`; a limit makes it unread, and ends nothing else."""
        if (path, place.path, place.in_flake) in self._visited:
            return
        self._visited.add((path, place.path, place.in_flake))
        self.found.files.add(path)
        source = self._sources.parse(self._tree.files[path])
        if source is None:
            return
        root = source.syntax.root.child_by_field_name("expression")
        if root is None:
            return
        try:
            self._walk(root, Scope(source), place.below())
        except (TooMuch, RecursionError) as limit:
            self.found.unread[path] = str(limit) if isinstance(limit, TooMuch) else "it nests too deeply"

    def _open_import(self, node: Node, scope: Scope) -> Entry | None:
        """The expression of the file that `import PATH` names, so that its attributes can be followed."""
        function, arguments = flatten_call(node)
        if not arguments or self._values.function_name(function, scope) != "import":
            return None
        path = self._resolve(arguments[0], scope)
        source = self._sources.parse(self._tree.files[path]) if path is not None and path.endswith(".nix") else None
        root = source.syntax.root.child_by_field_name("expression") if source is not None else None
        if source is None or root is None or path is None:
            return None
        self.found.files.add(path)
        return Entry((), root, Scope(source))

    def _digest(self, source: str, text: str) -> str:
        """The short hash of a file of the tree that is not Nix: what is read from it is part of a value."""
        path = resolve(source, text)
        blob = self._tree.files.get(path) if path and not path.endswith(".nix") else None
        return f"({blob.oid[:16]})" if blob else ""

    # Expressions

    def _walk(self, node: Node, scope: Scope, place: Place) -> None:
        self._budget.step(place.depth)
        self._by_type.get(unwrap(node).type, self._walk_leaf)(unwrap(node), scope, place.below())

    def _walk_function(self, node: Node, scope: Scope, place: Place) -> None:
        self._walk(child(node, "body"), function_scope(node, scope), place)

    def _walk_let(self, node: Node, scope: Scope, place: Place) -> None:
        self._walk(child(node, "body"), self._values.set_scope(node, scope), place)

    def _walk_with(self, node: Node, scope: Scope, place: Place) -> None:
        self._walk(child(node, "body"), Scope(scope.source, scope, with_set=child(node, "environment")), place)

    def _walk_assert(self, node: Node, scope: Scope, place: Place) -> None:
        self._walk(child(node, "body"), scope, place)

    def _walk_branches(self, node: Node, scope: Scope, place: Place) -> None:
        inner = self._under(child(node, "condition"), scope, place)
        self._walk(child(node, "consequence"), scope, inner)
        self._walk(child(node, "alternative"), scope, inner)

    def _walk_list(self, node: Node, scope: Scope, place: Place) -> None:
        for element in node.named_children:
            if element.type != "comment":
                self._walk(element, scope, place)

    def _walk_operation(self, node: Node, scope: Scope, place: Place) -> None:
        operator = node.child_by_field_name("operator")
        if operator is not None and scope.source.text(operator) in ("//", "++"):
            self._walk(child(node, "left"), scope, place)
            self._walk(child(node, "right"), scope, place)
        else:
            self._walk_leaf(node, scope, place)

    def _walk_name(self, node: Node, scope: Scope, place: Place) -> None:
        entries = self._values.look_up(node, scope, place.depth)
        if not entries:
            self._walk_leaf(node, scope, place)
            return
        for entry in entries:
            here = place._replace(spots=(*place.spots, spot(entry.node, entry.scope)))
            self._walk(entry.node, entry.scope, here.at(entry.rest))

    def _walk_call(self, node: Node, scope: Scope, place: Place) -> None:
        function, arguments = flatten_call(node)
        name = self._values.function_name(function, scope)
        last = arguments[-1]
        if name in _LAST:
            self._walk(last, scope, place._replace(context=(*place.context, name)))
        elif name in _ORDERED and len(arguments) == 2:
            self._walk(last, scope, self._under(arguments[0], scope, place, name))
        elif name in _CONDITIONAL and len(arguments) == 2:
            self._walk(last, scope, self._under(arguments[0], scope, place))
        elif name in ("mkMerge", "recursiveUpdate", "mergeAttrs", "concatLists", "flatten", "unique"):
            for argument in arguments:
                self._walk(argument, scope, place)
        elif name in ("map", "concatMap", "forEach") and len(arguments) == 2:
            self._walk_map(node, arguments, scope, place)
        elif name in _ATTRIBUTE_MAPS and len(arguments) == 2:
            self._walk_attribute_map(name, arguments, scope, place)
        elif name in ("import", "scopedImport"):
            self._walk_import(node, last if name == "scopedImport" else arguments[0], scope, place)
        elif name in _READERS:
            self._walk_data(node, name, last, scope, place)
        else:
            self._walk_unknown_call(node, function, arguments, scope, place)

    def _walk_unknown_call(self, node: Node, function: Node, arguments: list[Node], scope: Scope, place: Place) -> None:
        """A function that is not known: its own text is the value, and what it is given counts as if it were set."""
        function = unwrap(function)
        entries = [Entry((), function, scope)]
        if function.type != "function_expression":
            entries = self._values.look_up(function, scope, place.depth) or []
        for entry in entries:
            if not entry.rest and unwrap(entry.node).type == "function_expression":
                self._walk_application(unwrap(entry.node), entry.scope, [(one, scope) for one in arguments], place)
                return
        self._walk_leaf(node, scope, place)
        for argument in arguments:
            if unwrap(argument).type in (*SETS, "list_expression", "function_expression", "apply_expression"):
                self._walk(argument, scope, place)

    def _walk_application(self, function: Node, inner: Scope, arguments: list[Argument], place: Place) -> None:
        """The body of a function that the file defines, with its arguments bound."""
        for argument, scope in arguments:
            if function.type != "function_expression":
                break
            bound = function_scope(function, inner)
            universal = function.child_by_field_name("universal")
            if universal is not None:
                bound.names[bound.source.text(universal)] = [Entry((), argument, scope)]
            if function.child_by_field_name("formals") is not None and unwrap(argument).type in SETS:
                given = unwrap(argument)
                bound.names |= self._values.bound_in(given, self._values.set_scope(given, scope))
            inner, function = bound, unwrap(child(function, "body"))
            place = place._replace(spots=(*place.spots, spot(argument, scope)))
        self._walk(function, inner, place)

    def _walk_map(self, node: Node, arguments: list[Node], scope: Scope, place: Place) -> None:
        """A function for each element of a list, if both are written here."""
        first, second = (self._values.written(argument, scope) for argument in arguments[:2])
        function, elements = (first, second) if first.node.type == "function_expression" else (second, first)
        if function.node.type == "function_expression" and elements.node.type == "list_expression":
            for element in elements.node.named_children:
                if element.type != "comment":
                    self._walk_application(function.node, function.scope, [(element, elements.scope)], place)
        else:
            self._walk_unknown_call(node, node, arguments, scope, place)

    def _walk_attribute_map(self, name: str, arguments: list[Node], scope: Scope, place: Place) -> None:
        """A function that makes the value of each attribute: of those of a set, or of those in a list of names."""
        function, given = arguments if name.startswith("map") else arguments[::-1]
        entry = self._values.written(given, scope)
        names: list[str] = [COMPUTED]
        if entry.node.type in SETS:
            names = list(self._values.bound_in(entry.node, self._values.set_scope(entry.node, entry.scope)))
        elif entry.node.type == "list_expression":
            names = [self._values.name(one, entry.scope) for one in entry.node.named_children if one.type != "comment"]
        for attribute in names[:_MAX_MAPPED]:
            self._walk(function, scope, place.at((attribute,), spot(function, scope)))

    def _walk_import(self, node: Node, target: Node, scope: Scope, place: Place) -> None:
        """`import PATH`: the file is walked in its place."""
        path = self._resolve(target, scope)
        if path is None:
            self._walk_leaf(node, scope, place)
        else:
            self.read_file(path, place)

    def _walk_data(self, node: Node, name: str, argument: Node, scope: Scope, place: Place) -> None:
        """A value that is read from a JSON or TOML file of the tree."""
        argument = unwrap(argument)
        if not name.startswith("import") and argument.type == "apply_expression":
            argument = unwrap(flatten_call(argument)[1][0])  # of readFile
        path = self._resolve(argument, scope)
        blob = self._tree.files.get(path) if path else None
        try:
            content = _READERS[name]((blob.content or b"").decode()) if blob else None
        except (ValueError, RecursionError):
            content = None
        if path is None or blob is None or content is None:
            self._walk_leaf(node, scope, place)
            return
        self.found.files.add(path)
        for below, value in flatten(content, place.depth):
            self._budget.step(place.depth)
            needle = str(value)
            line = next((number for number, text in enumerate(blob.lines, 1) if needle in text), 1)
            text = json.dumps(value, ensure_ascii=False, default=str)
            self.found.settings.append(Setting((*place.path, *below), text, True, ((path, line),), place.context))

    def _walk_leaf(self, node: Node, scope: Scope, place: Place) -> None:
        if not place.path:  # a module that is not written as a set: a path, or what cannot be followed
            self._walk_module(node, scope, place)
            return
        value = self._values.read(node, scope)
        self._add(place, value.text, value.known, self._values.places)
        file = scope.source.path
        path = self._find(file, value.plain) if node.type == "path_expression" and value.plain else None
        if path is not None and path.endswith(".nix"):  # an option that takes a module or an overlay
            self.read_file(path, place)

    def _add(self, place: Place, value: str, known: bool, spots: Iterable[Spot] = ()) -> None:
        if len(self.found.settings) >= MAX_SETTINGS:
            raise TooMuch(f"more than {MAX_SETTINGS} options are set")
        found = dict.fromkeys((*([place.spot] if place.spot else ()), *spots, *place.spots))
        setting = Setting(place.path, value, known, tuple(found), place.context)
        self.found.settings.append(setting)
        if not known and value.startswith("config."):
            self.references.append((tuple(value.split(".")[1:]), setting))

    # Sets

    def _walk_set(self, node: Node, scope: Scope, place: Place) -> None:
        inner = self._values.set_scope(node, scope)
        if place.path and not any(True for _ in bindings(node)):
            self._add(place, "{ }", known=True)
        for binding in bindings(node):
            if binding.type == "binding":
                names = self._values.names(child(binding, "attrpath"), inner)
                self._walk_at(child(binding, "expression"), inner, place.at(names, spot(binding, scope)))
            else:
                self._walk_inherited(binding, inner, scope, place)

    def _walk_inherited(self, binding: Node, inner: Scope, outer: Scope, place: Place) -> None:
        source = binding.child_by_field_name("expression")
        attrs = binding.child_by_field_name("attrs")
        for attr in attrs.named_children if attrs is not None else ():
            name = self._values.name(attr, outer)
            here = place.at((name,), spot(attr, outer))
            if source is None:
                entries = outer.find(name)
            else:
                start = [Entry((), unwrap(source), inner)] if unwrap(source).type in SETS else None
                entries = self._values.select(start or self._values.look_up(source, inner), name, 1)
            if not entries:
                self._add(here, f"{inner.source.text(source)}.{name}" if source else name, known=False)
            for entry in entries or ():
                below = here._replace(spots=(*here.spots, spot(entry.node, entry.scope)))
                self._walk_at(entry.node, entry.scope, below.at(entry.rest))

    def _walk_at(self, node: Node, scope: Scope, place: Place) -> None:
        """Walk what is set at a path, which may name the parts of a module or a module within this one."""
        path = place.path
        if place.in_flake and path[:1] in (("nixosModules",), ("nixosModule",)):
            self._walk_flake_modules(node, scope, place)
        elif path == ("imports",) or (place.in_flake and path[-1:] == ("modules",)):
            self._walk(node, scope, place._replace(path=(), in_flake=False))
        elif path[:1] == ("options",) and not place.in_flake:
            self._walk_declaration(unwrap(node), scope, place)
        else:
            self._walk(node, scope, place)

    def _walk_declaration(self, node: Node, scope: Scope, place: Place) -> None:
        """The declaration of an option: its default counts as a value, the rest sets nothing."""
        if node.type in SETS:
            self._walk_set(node, scope, place)
        elif node.type == "apply_expression":
            for argument in flatten_call(node)[1]:
                if unwrap(argument).type in SETS:
                    default = self._values.select([Entry((), unwrap(argument), scope)], "default", place.depth)
                    for entry in default or ():
                        self._walk(entry.node, entry.scope, place._replace(path=place.path[1:]))

    def _walk_flake_modules(self, node: Node, scope: Scope, place: Place) -> None:
        named = place.path[0] == "nixosModules"
        if named and len(place.path) == 1:
            self._walk(node, scope, place)
        else:
            self._walk(node, scope, place._replace(path=place.path[2 if named else 1 :], in_flake=False))

    def _walk_module(self, node: Node, scope: Scope, place: Place) -> None:
        """A module that is imported: a file of the tree is walked; anything else is a value of `imports`."""
        if place.in_flake:
            return
        path = self._resolve(node, scope)
        if path is not None:
            self.read_file(path, place._replace(spot=None, spots=()))
            return
        value = self._values.read(node, scope)
        is_plain = value.known and not (value.plain or "").startswith("/")
        is_inside = not value.known and _INSIDE.search(value.text) is not None
        self.found.is_open = self.found.is_open or is_inside
        if place.is_module and not is_plain and not is_inside:
            self._add(place._replace(path=("imports",), spot=spot(node, scope)), value.text, value.known)

    def _resolve(self, node: Node, scope: Scope) -> str | None:
        """The file of the tree that an expression names, if it is a constant."""
        value = self._values.read(node, scope)
        return self._find(scope.source.path, value.plain) if value.known and value.plain else None

    def _find(self, source: str, text: str) -> str | None:
        path = resolve(source, text)
        for candidate in (path, f"{path}/default.nix" if path else "default.nix") if path is not None else ():
            if candidate in self._tree.files:
                return candidate
        return None

    def _under(self, condition: Node, scope: Scope, place: Place, name: str = "") -> Place:
        """The place under a condition, or with a priority."""
        value = self._values.read(condition, scope)
        context = (*place.context, f"{name} {value.text}".strip())
        return place._replace(context=context, spots=(*place.spots, *self._values.places))
