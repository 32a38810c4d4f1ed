"""The agents of a demo: names whose ports are free on this machine, where another hive may be running."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from hivetui.engine.containers import ports
from hivetui.engine.host.host import Host
from hivetui.engine.model import names

Order = Callable[[Sequence[str]], Sequence[str]]


class Cast(NamedTuple):
    """The names of the agents. `late` has the same port as `early`, so that only one of them can run."""

    reader: str
    writer: str
    early: str
    late: str


_READERS = ("iris", "ivan", "jade", "karl", "mona", "nina", "otto", "rosa")
_WRITERS = ("alice", "anna", "bob", "emma", "finn", "gina", "hugo", "tina")
_PAIRS = (("olivia", "qa"), ("lena", "frances"), ("paul", "ada"), ("build", "nora"))
_NEWCOMERS = ("dora", "egon", "fred", "gwen", "hanna", "ines", "jonas", "klara")


def as_listed(likely: Sequence[str]) -> Sequence[str]:
    """In the order of the list, which starts with the names in the README."""
    return likely


def shuffled(likely: Sequence[str]) -> Sequence[str]:
    """In random order, so that demos that start together seldom choose the same names."""
    return random.sample(likely, len(likely))


def cast(host: Host, order: Order = as_listed, known: Collection[str] = ()) -> Cast:
    """Players in this order of liking: those that the hive has already, else the first whose ports nobody has."""
    taken = ports.listeners()

    def first(likely: Sequence[str]) -> str:
        there = [name for name in likely if name in known]
        free = [name for name in order(likely) if names.port_of(name) not in taken]
        return (there or free or list(likely))[0]

    early = first([early for early, _ in _PAIRS])
    return Cast(first(_READERS), first(_WRITERS), early, dict(_PAIRS)[early])


def newcomer(host: Host, known: Collection[str]) -> str | None:
    """A name for another agent, whose port is free; None when all are taken."""
    taken = {*ports.listeners(), *map(names.port_of, known)}
    return next((name for name in _NEWCOMERS if name not in known and names.port_of(name) not in taken), None)
