"""Why a preview failed, from what nix wrote: the derivation, its phase, the last lines, the place, and a hint. Pure."""

from __future__ import annotations

import re
from typing import Literal

from hivetui.engine.model.effect import Failure
from hivetui.engine.model.error_place import PROPOSAL, ErrorPlace, find_place
from hivetui.engine.nix.source_owner import SourceOwner

Stage = Literal["inputs", "evaluation", "build", "limit"]
MAX_LINES, MAX_CHARACTERS = 20, 400
_DERIVATION = re.compile(r"builder for '?(/[^\s']+\.drv)", re.ASCII)
_PHASE = re.compile(r"(?:^|[>\s])(?:Running phase: |running phase |@nix .*\"phase\":\")([A-Za-z]+Phase)", re.MULTILINE)
_OLD_PHASES = {
    "unpacking sources": "unpackPhase",
    "unpacking source archive": "unpackPhase",
    "patching sources": "patchPhase",
    "applying patch": "patchPhase",
    "configuring": "configurePhase",
    "building": "buildPhase",
    "running tests": "checkPhase",
    "installing": "installPhase",
    "post-installation fixup": "fixupPhase",
}
_OLD_PHASE = re.compile(rf"^[^\s>]+> ({'|'.join(_OLD_PHASES)})\b", re.MULTILINE)
_POSITION = re.compile(r"(/[^\s:']*/[0-9a-z]{32}-source)/([^\s:']+):(\d+)", re.ASCII)
_HINTS: tuple[tuple[re.Pattern[str], str, bool], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), hint, is_limit)
    for pattern, hint, is_limit in (
        (
            r"no space left on device|disk quota exceeded",
            "The disk is full: free some space, or collect garbage.",
            False,
        ),
        (
            r"out of memory|bad_alloc|cannot allocate memory|memory exhausted|heap exhausted|MemoryError",
            "It needed more memory than it may have: review.eval_memory limits an evaluation.",
            True,
        ),
        (
            r"killed by signal 9|due to signal 9|signal 9 \(Killed\)",
            "It was killed, most likely for its memory.",
            False,
        ),
        (r"address already in use|port .{0,20}already in use", "A port that it uses is taken already.", False),
        (
            r"hash mismatch|NAR hash mismatch",
            "What was fetched has another hash than the one written down: it was changed at its source, or the hash "
            "is of something else. Compare before you accept the new one.",
            False,
        ),
        (
            r"infinite recursion encountered|stack overflow",
            "Something is defined by itself: look for `config` in the condition or the name of what it defines.",
            False,
        ),
        (
            r"forbidden in (pure eval|restricted) mode|access to (absolute path|URI) .{0,400}forbidden",
            "An evaluation may only read the proposal and its locked inputs.",
            False,
        ),
        (
            r"allow-import-from-derivation|import from derivation",
            "It builds something while it is evaluated, which is not allowed.",
            False,
        ),
        (r"syntax error", "A file is not valid Nix at the place that is named.", False),
        (
            r"undefined variable",
            "A name is not bound: it is misspelt, or not among the arguments of the module.",
            False,
        ),
        (
            r"The option .{0,400}does not exist",
            "No module declares this option: it is misspelt, or was renamed.",
            False,
        ),
        (
            r"is not of type|was expected|A definition for option .{0,400}is not",
            "A value is of another type than what it is used for.",
            False,
        ),
        (r"collision between", "Two packages bring the same file.", False),
        (
            r"could ?n[o']t resolve host|unable to download|Could not connect|Temporary failure in name resolution",
            "Something could not be downloaded. Builders have no network; inputs need it once.",
            False,
        ),
        (r"permission denied", "A file or directory may not be read or written there.", False),
        (r"command not found|No such file or directory", "A program or a file that it uses is not there.", False),
    )
)
_MISSING = re.compile(r"attribute '([^']{1,80})' missing")
_NEAREST = re.compile(r"Did you mean (?:one of )?([^?\n]{1,120})\?")


def explain(
    stderr: str,
    stage: Stage,
    owner: SourceOwner,
    base: Literal["builds", "fails", "unknown"] = "unknown",
    limit: str = "",
) -> Failure:
    """The failure that the output of nix tells, with the owner of every file.

    `limit` says which limit ended it, if one did.
    """
    hint, ran_out = hint_for(stderr)
    derivation = _DERIVATION.search(stderr)
    lines = owner.summarize(stderr).splitlines()
    place = _place(stderr, owner) or find_place("\n".join(lines))
    return Failure(
        stage="limit" if limit or (ran_out and stage == "evaluation") else stage,
        derivation=derivation[1] if derivation else None,
        phase=phase_of(stderr) if stage == "build" else None,
        lines=tuple(line[:MAX_CHARACTERS] for line in [*filter(None, [limit]), *lines][:MAX_LINES]),
        file=place.file if place else None,
        line=place.line if place else None,
        base=base,
        hint=limit_hint(limit) if limit else hint,
    )


def limit_hint(limit: str) -> str:
    """What to do about a limit."""
    return f"{limit}: it does not end, or the limit is too small." if limit else ""


def hint_for(stderr: str) -> tuple[str | None, bool]:
    """What may help against a known kind of failure, and whether it ran out of what it may have."""
    if missing := _MISSING.search(stderr):
        nearest = _NEAREST.search(stderr, missing.end())
        near = f"; the nearest is {nearest[1].strip()}" if nearest else ""
        return f"There is no attribute {missing[1]}{near}.", False
    return next(((hint, ran_out) for pattern, hint, ran_out in _HINTS if pattern.search(stderr)), (None, False))


def phase_of(stderr: str) -> str | None:
    """The phase in which the builder ended, None if it names none."""
    if found := _PHASE.findall(stderr):
        return str(found[-1])
    old = _OLD_PHASE.findall(stderr)
    return _OLD_PHASES[old[-1]] if old else None


def _place(stderr: str, owner: SourceOwner) -> ErrorPlace | None:
    """The place in the proposal that is named last, which is the innermost one."""
    found = [
        ErrorPlace(match[2], int(match[3]))
        for match in _POSITION.finditer(stderr)
        if owner.describe(match[1]) == PROPOSAL
    ]
    return found[-1] if found else None
