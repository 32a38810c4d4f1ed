"""What tests with mutated frames share: damage, and what must be as before."""

from __future__ import annotations

import random
from pathlib import Path

from hivetui.engine.hive import LocalHive
from tests.conftest import OPERATOR, EmbeddedAgent


def damaged(chance: random.Random, content: bytes) -> bytes:
    """A content with one fault: a byte, its end, a length, something inserted, or all of it twice."""
    data = bytearray(content or b"\0")
    place = chance.randrange(len(data))
    match chance.randrange(5):
        case 0:
            data[place] = chance.randrange(256)
        case 1:
            del data[place:]
        case 2:
            data[place:place] = chance.randbytes(8)
        case 3:
            data[place : place + 4] = chance.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"))
        case 4:
            data *= 2
    return bytes(data)


async def read_hive(agent: EmbeddedAgent) -> object:
    """Everything of a hive that an act would change."""
    hive = LocalHive(agent.host, OPERATOR)
    operations = [one.id for one in await hive.operations(ended=True)]
    names = [(one.name, one.state) for one in await hive.agents()]
    return operations, names, await hive.proposals(decided=True), agent.applied.main()


def resident_kib(pid: int) -> int:
    """The memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def count_descriptors(pid: int) -> int:
    """How many files a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
