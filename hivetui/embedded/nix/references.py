"""Flake references: `git+file:///REPO[?rev=…&ref=…]`, `path:/DIRECTORY`, and a plain directory that is a git repo."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from hivetui.embedded.nix.values import NixError


class Reference(NamedTuple):
    """A flake reference: a git repo of this machine and maybe a commit or a branch of it, or (`plain`) a folder."""

    folder: Path
    rev: str | None = None
    ref: str | None = None
    plain: bool = False

    @property
    def url(self) -> str:
        """As it is written in a lock."""
        return "file://" + quote(str(self.folder))

    def attributes(self) -> dict[str, Any]:
        """The part `original` of a node."""
        if self.plain:
            return {"path": str(self.folder), "type": "path"}
        parts = {"ref": self.ref, "rev": self.rev, "type": "git", "url": self.url}
        return {name: value for name, value in parts.items() if value is not None}

    def shown(self) -> str:
        """As a URL."""
        if self.plain:
            return f"path:{self.folder}"
        query = "&".join(f"{name}={value}" for name, value in (("ref", self.ref), ("rev", self.rev)) if value)
        return f"git+{self.url}" + (f"?{query}" if query else "")


def parse_reference(text: str) -> Reference:
    """A reference of the command line or of flake.nix."""
    if text.startswith(("/", ".")):
        return Reference(Path(text).resolve())
    if text.startswith("path:/"):
        return Reference(Path(text.removeprefix("path:")), plain=True)
    parts = urlsplit(text)
    if parts.scheme != "git+file" or parts.netloc:
        raise NixError(f"the embedded nix does not support '{text}', only git+file:///REPO and path:/DIRECTORY")
    query = dict(parse_qsl(parts.query))
    if unknown := set(query) - {"rev", "ref"}:
        raise NixError(f"the embedded nix does not support '{min(unknown)}' in '{text}'")
    if "rev" in query and not re.fullmatch("[0-9a-f]{40}", query["rev"]):
        raise NixError(f"hash '{query['rev']}' has wrong length for hash type 'sha1'")
    return Reference(Path(unquote(parts.path)), query.get("rev"), query.get("ref"))
