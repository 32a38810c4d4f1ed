"""A host key that is not known: what the operator is asked, and how the answer is kept. It imports no asyncssh."""

from __future__ import annotations

from pathlib import Path

from hivetui.engine.model.errors import CannotCreate, Unavailable


class UnknownHostKey(Unavailable):
    """No key of this host is known. `entry` is the line that makes the one it sent known in `file`."""

    def __init__(self, host: str, key: str, entry: str, file: Path | None) -> None:
        self.entry, self.file = entry, file
        why = f"No key of it is known. The one that it sent is {key}."
        fix = "Compare the fingerprint, then connect once with ssh, which records the key."
        super().__init__(f"The host key of {host} is not known", why, fix)

    def learn(self) -> None:
        """Record the key; CannotCreate when the file cannot be written."""
        if self.file is None:
            raise CannotCreate("The host key cannot be recorded", "UserKnownHostsFile is none.", "Name a file there.")
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.file.touch(0o600)
            with self.file.open("r+b") as file:
                content = file.read()
                file.write((b"" if content.endswith(b"\n") or not content else b"\n") + self.entry.encode())
        except OSError as error:
            why = f"{error.strerror}: {self.file}."
            raise CannotCreate("The host key cannot be recorded", why, "Record it by ssh.") from error
