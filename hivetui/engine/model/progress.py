"""How far the build of an operation has come, as nix reports it."""

from __future__ import annotations

from datetime import datetime

from hivetui.engine.model.base import Model


class RunningBuild(Model):
    """One derivation that is being built: its name without the hash, the phase that its builder named, since when."""

    name: str
    phase: str = ""
    since: datetime


class BuildProgress(Model):
    """What nix builds and fetches for one operation, and what it has done so far.

    `built`, `failed`, `building` and `waiting` count derivations, `fetched` and `to_fetch` store paths; `downloaded`
    and `to_download` are bytes. `builds` are some of those that are being built, the oldest first, `fetching` the names
    of some paths that are. `waits_for` is what nix itself says that it waits for, such as a lock. `errors` are the
    first lines of the last errors, oldest first. `last_seconds` is how long the last build of the agent took that
    built something. Names, phases and errors are text of whatever is built, and are cut.
    """

    started_at: datetime
    ended_at: datetime | None = None
    built: int = 0
    failed: int = 0
    building: int = 0
    waiting: int = 0
    builds: tuple[RunningBuild, ...] = ()
    fetched: int = 0
    to_fetch: int = 0
    fetching: tuple[str, ...] = ()
    downloaded: int = 0
    to_download: int = 0
    waits_for: str | None = None
    errors: tuple[str, ...] = ()
    last_seconds: float | None = None

    @property
    def to_build(self) -> int:
        """How many derivations there are to build in all."""
        return self.built + self.failed + self.building + self.waiting

    @property
    def is_empty(self) -> bool:
        """Whether nothing was built, fetched or wrong."""
        return not (self.to_build or self.to_fetch or self.to_download or self.errors)
