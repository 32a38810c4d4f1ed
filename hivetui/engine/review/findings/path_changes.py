"""What changes about paths: what a file is, its mode, where a link leads. Pure.

The text of a subject is `CHANGE KIND [executable] [same-tree] MODE PATH [-> TARGET]`. CHANGE is added, modified,
renamed or removed. KIND is text, binary, link, link-outside, submodule or, for what was not looked at, unread with
`: WHY` at the end. `executable` says that it has become so, `same-tree` that only comments and formatting differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from hivetui.engine.git.untrusted.tree_limits import leaves_tree
from hivetui.engine.review.findings.changed_lines import added_lines
from hivetui.engine.review.findings.sources import Sources
from hivetui.engine.review.findings.subject import Subject
from hivetui.engine.review.findings.tree import EXECUTABLE, LINK, SUBMODULE, Blob, Change

WHOLE = "the whole change"
"""The path of a subject that is about no file."""


def path_subjects(change: Change, sources: Sources) -> Iterator[Subject]:
    """A subject for each path that differs; of a renamed file also one for the old path."""
    targets = {path: _target(blob) for path, blob in change.new.files.items() if blob.mode == LINK}
    for path in change.changed:
        yield _changed(change, change.new.files[path], targets, sources)
    for path in change.removed:
        blob = change.old.files[path]
        yield _subject("removed", blob, (_kind(blob, {}),))


def unread_subject(path: str, why: str, side: str, blob: Blob | None) -> Subject:
    """The subject for a file that was not looked at, or not whole."""
    mode, content = (blob.mode, blob.oid) if blob is not None else ("000000", "")
    text = f"{'modified' if side == 'new' else 'removed'} unread {mode} {path}: {why}"
    return Subject("path", text, "new", path, None, node=path, content=f"{side} {content}")


def _changed(change: Change, blob: Blob, targets: Mapping[str, str], sources: Sources) -> Subject:
    old = change.old_of(blob.path)
    verb = "added" if old is None else "renamed" if blob.path in change.moved else "modified"
    flags = [_kind(blob, targets)]
    if blob.mode == EXECUTABLE and (old is None or old.mode != EXECUTABLE):
        flags.append("executable")
    if old is not None and old.oid != blob.oid and blob.path.endswith(".nix") and sources.have_same_tree(old, blob):
        flags.append("same-tree")
    subject = _subject(verb, blob, tuple(flags), targets.get(blob.path, ""))
    return replace(subject, line=min(added_lines(old, blob), default=1)) if flags[0] == "text" else subject


def _kind(blob: Blob, targets: Mapping[str, str]) -> str:
    if blob.mode == SUBMODULE:
        return "submodule"
    if blob.mode == LINK:
        return "link-outside" if targets and leaves_tree(blob.path, targets) else "link"
    return "binary" if blob.is_binary else "text"


def _target(blob: Blob) -> str:
    return (blob.content or b"").decode("utf-8", "surrogateescape")


def _subject(verb: str, blob: Blob, flags: tuple[str, ...], target: str = "") -> Subject:
    text = " ".join((verb, *flags, blob.mode, blob.path))
    return Subject(
        kind="path",
        text=f"{text} -> {target}" if target else text,
        file=blob.path,
        node=blob.path,
        size=blob.size,
        content=blob.oid,
    )
