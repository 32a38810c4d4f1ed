"""Flake references: `git+file:///REPO[?rev=…&ref=…]`, `path:/DIRECTORY`, and a plain directory that is a git repo."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from hivetui.embedded.nix.values import NixError


class Reference(NamedTuple):
    """A git repo of this machine, maybe with a commit or a branch; or a directory as it is, with `is_path`."""

    directory: Path
    rev: str | None = None
    ref: str | None = None
    is_path: bool = False

    @property
    def url(self) -> str:
        """The URL in a lock."""
        return "file://" + quote(str(self.directory))

    def attributes(self) -> dict[str, Any]:
        """The `original` of a node in a lock."""
        if self.is_path:
            return {"path": str(self.directory), "type": "path"}
        parts = {"ref": self.ref, "rev": self.rev, "type": "git", "url": self.url}
        return {name: value for name, value in parts.items() if value is not None}

    def render(self) -> str:
        """The reference as text."""
        if self.is_path:
            return f"path:{self.directory}"
        query = "&".join(f"{name}={value}" for name, value in (("ref", self.ref), ("rev", self.rev)) if value)
        return f"git+{self.url}" + (f"?{query}" if query else "")


def parse_reference(text: str) -> Reference:
    """A reference of the command line or of flake.nix. Raises NixError for one that needs a network or a registry."""
    if text.startswith(("/", ".")):
        return Reference(Path(text).resolve())
    if text.startswith("path:/"):
        return Reference(Path(text.removeprefix("path:")), is_path=True)
    try:
        parts = urlsplit(text)
    except ValueError as failure:
        raise NixError(f"'{text}' is not a flake reference: {failure}") from failure
    if parts.scheme != "git+file" or parts.netloc:
        raise NixError(f"the embedded nix does not support '{text}', only git+file:///REPO and path:/DIRECTORY")
    query = dict(parse_qsl(parts.query))
    if unsupported := set(query) - {"rev", "ref"}:
        raise NixError(f"the embedded nix does not support '{min(unsupported)}' in '{text}'")
    if "rev" in query and not re.fullmatch("[0-9a-f]{40}", query["rev"]):
        raise NixError(f"hash '{query['rev']}' has wrong length for hash type 'sha1'")
    return Reference(Path(unquote(parts.path)), query.get("rev"), query.get("ref"))
