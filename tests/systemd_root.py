"""A host in a directory: agents with real journal files, and programs of systemd that have nothing to say."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.git_2 import GIT_2
from tests.journal_files import JournalEntry, write_journal

_SILENT = ("systemctl", "machinectl", "nixos-container")
JOURNALCTL = shutil.which("journalctl")


class SystemdRoot:
    """The root of a host. An agent has a container that does not run, and a journal that can be there or not."""

    def __init__(self, folder: Path, agents: Sequence[str]) -> None:
        self.root, self.tools = folder / "root", folder / "bin"
        self._state = folder / "state"
        self._numbers = {name: format(number, "032x") for number, name in enumerate(agents, 1)}
        for place in (self.root / "etc/nixos-containers", self.root / "var/log/journal", self.tools):
            place.mkdir(parents=True)
        for name in agents:
            (self.root / f"etc/nixos-containers/h-{name}.conf").write_text("PRIVATE_NETWORK=0\n")
        for program in _SILENT:
            self.install(program, "exit 0")

    def install(self, program: str, script: str) -> None:
        """Put a shell script in the place of a program."""
        (self.tools / program).write_text(f"#!/bin/sh\n{script}\n")
        (self.tools / program).chmod(0o755)

    def deploy(self, agent: str) -> None:
        """Make the applied repo of an agent, with its first system deployed."""
        applied, work = self.root / f"var/lib/hyperhive/applied/{agent}/.git", self.root.with_name(f"work-{agent}")
        self._git(self.root, "init", "-q", "--bare", "-b", "main", str(applied))
        self._git(self.root, "init", "-q", "-b", "main", str(work))
        (work / "agent.nix").write_text("{ ... }: { }\n")
        self._git(work, "add", "agent.nix")
        self._git(work, "commit", "-q", "-m", "First")
        self._git(work, "push", "-q", str(applied), "main")
        self._git(applied, "tag", "-a", "-m", "First", "deployed/0", "main")

    def _git(self, folder: Path, *words: str) -> None:
        who = {f"GIT_{role}_{part}": "hm1nd" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        clean = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["git", *words], cwd=folder, env=who | clean | GIT_2, check=True, capture_output=True)

    @property
    def environment(self) -> dict[str, str]:
        """The variables in which the program finds these programs, and nothing of the user's."""
        gone = ("NO_COLOR", "TMUX", "COLUMNS", "LINES", "SSH_CONNECTION", "SSH_TTY")
        own = {"XDG_STATE_HOME": str(self._state), "XDG_CONFIG_HOME": str(self._state), "TERM": "xterm-256color"}
        path = {"PATH": f"{self.tools}:{os.environ['PATH']}", "COLORTERM": "truecolor"}
        return {name: value for name, value in os.environ.items() if name not in gone} | own | path

    def journal(self, agent: str) -> Path:
        """Where the journal files of an agent's container are."""
        return self.root / f"var/lib/nixos-containers/h-{agent}/var/log/journal" / self._numbers[agent]

    def write(self, agent: str, file: str, texts: Sequence[str], first: int = 1, at: float = 1_790_000_000) -> Path:
        """Write a journal file with an entry a second, `first` being the number of the first one."""
        path = self.journal(agent) / file
        write_journal(path, [JournalEntry(text, at + number) for number, text in enumerate(texts)], first)
        return path

    def truncate(self, agent: str) -> Path:
        """Write a journal file and cut it, as `head -c 300000` does."""
        path = self.write(agent, "system.journal", [f"lost {number} {'x' * 60}" for number in range(3000)], first=1000)
        whole = path.read_bytes()
        assert len(whole) > 900_000
        path.write_bytes(whole[:300_000])
        return path

    def link(self, agent: str) -> None:
        """Link the journal into the host's, as systemd-nspawn does when a container starts."""
        (self.root / "var/log/journal" / self._numbers[agent]).symlink_to(self.journal(agent))
