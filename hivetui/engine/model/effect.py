"""What a proposal would do: the effect of a preview, in the shapes of its JSON.

An effect belongs to a commit, to the base it is compared with, and to the lock of meta. When one of these moves it is
outdated, and `moved` says what.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Literal

from pydantic import Field

from hivetui.engine.model.base import Model
from hivetui.engine.model.findings import Side
from hivetui.engine.model.records import EffectReference


class EffectState(StrEnum):
    """How far an effect is known."""

    NONE = "none"
    RUNNING = "running"
    KNOWN = "known"
    FAILED = "failed"
    OUTDATED = "outdated"


class Moved(Model):
    """Something that an effect depends on and that is another now: an input of meta, "base", or meta's flake.nix.

    Revisions are hashes; None where there is none.
    """

    input: str
    old: str | None
    new: str | None


class OptionChange(Model):
    """One option with its values in the notation of Nix; a value that is None is not defined on that side.

    A value that is too large or looks like a secret is None too: `bytes` and `sha256` are then those of the new value
    (of the old one if it is removed). `file` and `line` are where the proposal, or for `side` "old" the base, sets it.
    """

    option: str
    old: str | None
    new: str | None
    bytes: int | None = None
    sha256: str | None = None
    file: str | None = None
    line: int | None = None
    side: Side = "new"


class Unknown(Model):
    """What could not be evaluated: a namespace of options (or "units", "packages", "build"), on which side, and why."""

    namespace: str
    side: Side
    why: str


class Package(Model):
    """A package of the system; `bytes` is its size, None where it is not known."""

    name: str
    version: str
    bytes: int | None = None


class PackageChange(Model):
    """A package with another version; `bytes` is by how much it grows."""

    name: str
    old: str
    new: str
    bytes: int | None = None


class ByteCounts(Model):
    """The size of everything on both sides, None where it is not known."""

    old: int | None = None
    new: int | None = None


class PackageChanges(Model):
    """The packages that are added, removed and changed."""

    added: tuple[Package, ...] = ()
    removed: tuple[Package, ...] = ()
    changed: tuple[PackageChange, ...] = ()
    bytes: ByteCounts = Field(default_factory=ByteCounts)


class FieldChange(Model):
    """One field of a unit; None: not set."""

    field: str
    old: str | None
    new: str | None


class Exposure(Model):
    """What `systemd-analyze security` says of a unit, from 0 (safe) to 10; None where it is not known."""

    old: float | None = None
    new: float | None = None


class UnitChange(Model):
    """A unit with other fields."""

    unit: str
    fields: tuple[FieldChange, ...]
    exposure: Exposure = Field(default_factory=Exposure)


class UnitChanges(Model):
    """The units that are added, removed and changed."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[UnitChange, ...] = ()


class EtcChanges(Model):
    """The files below /etc that are added, removed and changed."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


class Restart(Model):
    """The units that a restart of the container stops and starts; none if its system stays."""

    stops: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()


class Work(Model):
    """What is built and fetched, by name; how much is downloaded; how long the last build of the agent took; and how
    much space is free. None where it is not known."""

    build: tuple[str, ...] = ()
    fetch: tuple[str, ...] = ()
    download_bytes: int | None = None
    last_seconds: float | None = None
    free_bytes: int | None = None


class Intent(Model):
    """What the trailers `Intent:` of the message say beside what happens: "packages jq", "options a.b"."""

    match: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class Failure(Model):
    """Why there is no effect: where it failed, the last lines, the place in the proposal, and what may help."""

    stage: Literal["inputs", "evaluation", "build", "limit"]
    derivation: str | None = None
    phase: str | None = None
    lines: tuple[str, ...] = ()
    file: str | None = None
    line: int | None = None
    base: Literal["builds", "fails", "unknown"] = "unknown"
    hint: str | None = None


class Effect(Model):
    """What approving a proposal would do.

    `derivation` and `system` are store paths. `changed`: the agent has another system now. `drift`: the base itself
    would be another system under meta's lock than the one that runs. `others` are agents whose systems would change.
    """

    state: EffectState = EffectState.NONE
    base: str | None = None
    meta: str | None = None
    derivation: str | None = None
    system: str | None = None
    changed: bool | None = None
    drift: bool | None = None
    others: tuple[str, ...] = ()
    options: tuple[OptionChange, ...] = ()
    hidden_options: int = 0
    unknown: tuple[Unknown, ...] = ()
    packages: PackageChanges = Field(default_factory=PackageChanges)
    units: UnitChanges = Field(default_factory=UnitChanges)
    etc: EtcChanges = Field(default_factory=EtcChanges)
    restart: Restart = Field(default_factory=Restart)
    work: Work = Field(default_factory=Work)
    intent: Intent | None = None
    failure: Failure | None = None
    moved: tuple[Moved, ...] = ()
    operation: int | None = None

    @property
    def digest(self) -> str:
        """A hash of what was shown, whatever has moved since."""
        content = self.model_dump_json(exclude={"state", "moved", "operation"})
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def reference(self) -> EffectReference | None:
        """What a decision keeps of it, None unless a system is known."""
        if self.derivation is None or self.system is None or self.failure is not None:
            return None
        unknown = tuple(f"{one.namespace} ({one.side})" for one in self.unknown)
        return EffectReference(derivation=self.derivation, system=self.system, unknown=unknown, digest=self.digest)
