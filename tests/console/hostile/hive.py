"""A hive whose agents put the corpus in every place that they can write to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hivetui.embedded import journal
from hivetui.embedded.layout import Layout
from hivetui.engine.model.names import container_of

from .corpus import ESCAPES, EVIL, FLOOD, INVISIBLE, MARKUP, RAW_BYTES

if TYPE_CHECKING:
    from hivetui.engine.api import Hive
    from tests.console.conftest import Home

QUIET = "{ ... }: { lab.talkSeconds = 3600; }\n"
FAILING = '{ ... }: { lab.talkSeconds = 3600; lab.fail = "MK-build %s"; }\n'
LONG = "[/x]" * 200_000
"""As long as a line of a file can be that is let in."""
TEN_MEGABYTES = "\x1b[975;917H[/x]" * 750_000


@dataclass(frozen=True)
class Hostile:
    """The hive, and its agents: the victim's proposals wait and fail, the other's are a matter of the tests."""

    home: Home

    @property
    def victim(self) -> str:
        """The first of the list."""
        return min(self.home.agents)

    @property
    def other(self) -> str:
        return max(self.home.agents)

    def proposed(self, agent: str) -> Path:
        return self.home.folder / f"var/lib/hyperhive/agents/{agent}/config"

    def commit(self, agent: str, files: Mapping[bytes, bytes], message: str) -> str:
        """A commit of the proposed repo, by an author who is hostile too."""
        for name, data in files.items():
            place = self.proposed(agent) / os.fsdecode(name)
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(data)
        self._git(agent, "add", "-A")
        self._git(agent, "commit", "-q", "--allow-empty", "--cleanup=verbatim", "-F", "-", said=message)
        return self._git(agent, "rev-parse", "HEAD")

    @contextmanager
    def passing_commit(self, agent: str, files: Mapping[bytes, bytes], message: str) -> Iterator[str]:
        """The same, reset at the end, so that the next test starts with the proposed repo as it was."""
        before = self._git(agent, "rev-parse", "HEAD")
        try:
            yield self.commit(agent, files, message)
        finally:
            self._git(agent, "reset", "-q", "--hard", before)

    def _git(self, agent: str, *words: str, said: str = "") -> str:
        author = f"MK-author \x1b]0;MK-author\x07 \u202e {MARKUP.replace('<', '')}"
        who = {f"GIT_{role}_NAME": author for role in ("AUTHOR", "COMMITTER")}
        who |= {f"GIT_{role}_EMAIL": "e\x1b[974;916H@x" for role in ("AUTHOR", "COMMITTER")}
        clean = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", *words],
            cwd=self.proposed(agent),
            env=who | clean,
            input=said.encode("utf-8", "surrogateescape"),
            check=True,
            capture_output=True,
        )
        return done.stdout.decode().strip()

    def verb(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        argv = [sys.executable, "-m", "hivetui", "--embedded", str(self.home.folder), *words]
        return subprocess.run(argv, env=self.home.environment, capture_output=True)

    def submit(self, agent: str, sha: str, title: str) -> int:
        """The id of a new proposal whose title is these words followed by the corpus."""
        done = self.verb("submit", agent, sha, "-m", f"{title} {EVIL[:1500]}", "--json")
        assert done.returncode == 0, done.stderr
        return int(json.loads(done.stdout)["proposal"]["id"])

    def approve(self, number: int) -> int:
        """Read it, acknowledge its critical findings and approve it with a hostile note; the status of its deploy."""
        row = json.loads(self.verb("show", str(number), "--json").stdout)["proposal"]
        bound = ["--commit", row["commit"], "--base", row["base"]]
        critical = [one["id"] for one in row["findings"] if one["severity"] == "critical"]
        bound += [word for one in critical for word in ("--acknowledge", one)]
        return self.verb("approve", str(number), *bound, "--note", f"MK-note {EVIL[:300]}").returncode

    def say(self, text: str) -> None:
        """A line in the victim's log, by a program with a hostile name."""
        folder = Layout(str(self.home.folder))
        journal.append(folder, container_of(self.victim), text, identifier="x\x1b]0;MK-ident\x07")

    def done(self) -> list[tuple[int, str]]:
        """What was done to agents, and in which states proposals are."""

        async def asked(hive: Hive) -> list[tuple[int, str]]:
            operations, proposals = await hive.operations(ended=True), await hive.proposals(decided=True)
            return [*((one.id, one.state) for one in operations), *((one.id, one.state) for one in proposals)]

        return self.home.asked(asked)


def filled(home: Home) -> Hostile:
    """The hive with the corpus in it. Its agents say nothing else, so that it stays where it can be seen."""
    hostile = Hostile(home)
    _name_a_container(home)
    for agent in home.agents:
        quiet = hostile.commit(agent, {b"agent.nix": QUIET.encode()}, f"MK-quiet {EVIL}")
        assert hostile.approve(hostile.submit(agent, quiet, "MK-quiet")) == 0
    _fail(hostile)
    _propose(hostile)
    _say(hostile)
    return hostile


def _name_a_container(home: Home) -> None:
    """One that somebody made by hand, as anybody who is root can."""
    name = f"h-\x1b]0;MK-conf\x07\u202e[@click=app.quit]MK[{'x' * 30}.conf"
    (home.folder / "etc/nixos-containers" / name).write_text("A=1\n")


def _fail(hostile: Hostile) -> None:
    """A build that fails and says the corpus."""
    said = EVIL.replace("\\", "\\\\").replace('"', '\\"').replace("${", "")
    module = FAILING % f"{said} {LONG[:100_000]}"  # no argument of a program can be longer than 128 KiB
    sha = hostile.commit(hostile.victim, {b"agent.nix": module.encode()}, f"MK-fails {EVIL}\n\n{'[b]' * 20_000}")
    assert hostile.approve(hostile.submit(hostile.victim, sha, "MK-fails")) == 1


def _propose(hostile: Hostile) -> None:
    """A proposal that waits, hostile in its files and in their names."""
    lines = b"\n".join(one.encode() for one in (*ESCAPES, INVISIBLE, MARKUP, FLOOD))
    files = {
        b"agent.nix": QUIET.encode(),
        b"evil.txt": RAW_BYTES + b"\n" + lines + b"\n",
        b"[@click=app.quit]MK-file[x].txt": b"MK-named\n",
        ("MK-flood-" + "z\u0336\u0489\u20dd" * 20).encode(): b"MK\n",
        b"long.txt": b"MK-long \x1b[976;918H" + LONG.encode() + b"\n",
    }
    message = f"MK-waits {EVIL}\n\n{EVIL}\n" + "[b]" * 20_000
    hostile.submit(hostile.victim, hostile.commit(hostile.victim, files, message), "MK-waits")


def _say(hostile: Hostile) -> None:
    """Lines in the victim's log, one of them of more than 10 MB."""
    for text in (*ESCAPES, INVISIBLE, MARKUP, FLOOD, RAW_BYTES.decode("utf-8", "surrogateescape"), "[b]" * 20_000):
        hostile.say(f"MK-log {text}")
    assert len(TEN_MEGABYTES) > 10_000_000
    hostile.say(f"MK-long {TEN_MEGABYTES}")
    hostile.say("MK-last line")
