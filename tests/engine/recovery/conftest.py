"""The migration is tested on the same hive, with the same manager's git, as the repos are."""

from __future__ import annotations

from tests.engine.git.conftest import host, manager

__all__ = ["host", "manager"]
