"""Where a Nix file uses something that is no option: builtins that fetch or run, overrides, imports of built files.

Each is a setting at a path of its own: `builtins.NAME` and `override.PACKAGE`, with the whole call as its value, and
`import` with what is imported. A word in a comment or in plain text does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from hivetui.engine.review.findings.budget import Budget
from hivetui.engine.review.findings.nix_places import Setting
from hivetui.engine.review.findings.nix_scope import Names, Source, child, flatten_call, unwrap

_BUILTINS = (
    *("fetchTarball", "fetchGit", "fetchMercurial", "fetchTree", "fetchClosure", "fetchurl", "getFlake"),
    *("exec", "importNative", "storePath", "getEnv"),
)
_ONLY_BUILTINS = ("fetchTarball", "fetchGit", "fetchMercurial", "fetchTree", "fetchClosure", "getFlake", "importNative")
"""Names that nixpkgs does not give to anything else."""
_OVERRIDES = ("override", "overrideAttrs", "overrideDerivation", "overridePythonAttrs")
_READS = ("import", "readFile", "readDir", "scopedImport")
_WORDS = re.compile(rf"\b({'|'.join((*_BUILTINS, *_OVERRIDES, *_READS, 'builtins'))})\b".encode())
_BROUGHT_IN = re.compile(rb"with\s+builtins\s*;|inherit\s*\(\s*builtins\s*\)|=\s*builtins\s*;")
_BUILT = re.compile(
    r"derivation|\brun(Local)?Command|\bwrite[A-Z]\w*|mkDerivation|\bbuild[A-Z]\w*|\bfetch\w+|\.outPath\b"
)
_MAX_CALL = 600


def read_mentions(source: Source, budget: Budget) -> Iterator[Setting]:
    """The uses in one file."""
    content = source.syntax.source
    are_bare = _BROUGHT_IN.search(content) is not None
    for match in _WORDS.finditer(content):
        budget.step()
        node = source.syntax.root.descendant_for_byte_range(match.start(), match.end() - 1)
        if node is None or (path := _path_of(node, match[1].decode(), source, are_bare)) is None:
            continue
        call = _whole_call(node)
        text = " ".join(source.text(call).split())[:_MAX_CALL]
        if path[0] != "import" or _is_built(call, source):
            yield Setting(path, text, False, ((source.path, node.start_point.row + 1),))


def _path_of(node: Node, word: str, source: Source, are_bare: bool) -> Names | None:
    """The path for a word, or None where it is another thing of that name."""
    owner = _owner(node)
    if owner is None:
        return None
    base = source.text(owner) if owner.id != (node.parent.id if node.parent is not None else 0) else ""
    if word == "builtins":
        return ("builtins", "?") if _has_computed_attribute(node) else None
    if word in _READS:
        return ("import", word)
    if word in _OVERRIDES:
        return ("override", base.rpartition(".")[2]) if base else None
    is_builtin = base == "builtins" or (not base and (are_bare or word in _ONLY_BUILTINS))
    if is_builtin or word in _ONLY_BUILTINS or (are_bare and "." not in base and not base.startswith("pkgs")):
        return ("builtins", word)
    return None


def _owner(node: Node) -> Node | None:
    """What a name is selected from, the variable itself if it stands alone; None outside of an expression."""
    if node.type == "string_fragment" and node.parent is not None and node.parent.parent is not None:
        node = node.parent
    elif node.type != "identifier":
        return None
    parent = node.parent
    if parent is None or parent.type == "variable_expression":
        return parent
    if parent.type == "attrpath" and parent.parent is not None and parent.parent.type == "select_expression":
        names = parent.named_children
        base = child(parent.parent, "expression")
        return names[-2] if len(names) > 1 and names[-1] == node else base
    return None


def _has_computed_attribute(node: Node) -> bool:
    parent = node.parent.parent if node.parent is not None else None
    path = parent.child_by_field_name("attrpath") if parent is not None and parent.type == "select_expression" else None
    return path is not None and any(attr.type == "interpolation" for attr in path.named_children)


def _whole_call(node: Node) -> Node:
    """The call that a name is the function of; the name with its path if it is not called."""
    while node.parent is not None and node.parent.type in ("attrpath", "select_expression", "variable_expression"):
        node = node.parent
    while (parent := node.parent) is not None and parent.type == "apply_expression":
        if parent.child_by_field_name("function") != node:
            break
        node = parent
    return node


def _is_built(call: Node, source: Source) -> bool:
    """Whether what is imported or read must be built first, or is found by the search path of the host."""
    _, arguments = flatten_call(call)
    text = source.text(unwrap(arguments[0])) if arguments else ""
    return _BUILT.search(text) is not None or re.match(r'"\$\{pkgs\.|<', text) is not None
