"""Syntax trees of the files of both sides, each parsed once."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from hivetui.engine.nix import syntax
from hivetui.engine.review.findings.budget import MAX_FILE, Budget, TooMuch
from hivetui.engine.review.findings.nix_scope import Source
from hivetui.engine.review.findings.tree import Blob


class Sources:
    """Parses files; `unread` says why a file was not, or not whole, by its hash."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._trees: dict[str, syntax.Syntax | None] = {}
        self.unread: dict[str, str] = {}

    def parse(self, blob: Blob) -> Source | None:
        """The syntax of a file; None if it was not read. One that has errors is parsed as far as it can be."""
        if blob.oid not in self._trees:
            self._trees[blob.oid] = self._parse(blob)
        tree = self._trees[blob.oid]
        return Source(blob.path, tree) if tree is not None else None

    def _parse(self, blob: Blob) -> syntax.Syntax | None:
        if blob.content is None or len(blob.content) > MAX_FILE:
            self.unread[blob.oid] = blob.why or f"it is larger than {MAX_FILE >> 20} MiB"
            return None
        try:
            self._budget.check_time()
            tree = syntax.parse(blob.content)
        except (syntax.ParseTimeout, TooMuch) as limit:
            self.unread[blob.oid] = str(limit)
            return None
        if (problem := next(tree.problems(), None)) is not None:
            self.unread[blob.oid] = f"it does not parse as Nix at line {problem.line}"
        return tree

    def have_same_tree(self, old: Blob, new: Blob) -> bool:
        """Whether two files differ in comments and formatting only."""
        before, after = self.parse(old), self.parse(new)
        if before is None or after is None or {old.oid, new.oid} & set(self.unread):
            return False
        try:
            return all(left == right for left, right in _pairs(self._tokens(before), self._tokens(after)))
        except TooMuch:
            return False

    def _tokens(self, source: Source) -> Iterator[str]:
        pending: list[Node] = [source.syntax.root]
        while pending:
            node = pending.pop()
            if node.type == "comment":
                continue
            if node.child_count:
                pending.extend(reversed(node.children))
            else:
                self._budget.step()
                yield source.text(node)


def _pairs(left: Iterator[str], right: Iterator[str]) -> Iterator[tuple[str | None, str | None]]:
    """The tokens of both sides side by side, None where one is shorter."""
    while True:
        pair = next(left, None), next(right, None)
        if pair == (None, None):
            return
        yield pair
