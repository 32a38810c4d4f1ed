"""Changes with what must be found in them, and harmless ones. Pure data, with the reader of its marks.

A case is the files that differ from `BASE`, as they become. A line that ends with `«RULE»` must have a finding of that
rule, and the mark is not part of it; `«RULE, RULE»` stands for several. Files that are only in the old side of a case
are given in `before`; None deletes a file.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from hivetui.engine.review.findings.tree import Blob, Change, Tree

Files = dict[str, str | None]
Expected = frozenset[tuple[str, str, int]]
_MARK = re.compile(r"[ \t]*«([a-z0-9, -]+)»$")

BASE: Files = {
    "flake.nix": """\
{
  description = "agent";
  inputs.helper.url = "github:example/helper";
  outputs = { self, helper }: {
    nixosModules.default = import ./agent.nix;
  };
}
""",
    "agent.nix": """\
{ config, lib, pkgs, ... }:
{
  imports = [ ./tools.nix ./services.nix ];
  environment.variables.EDITOR = "vim";
  nix.settings.trusted-users = [ "root" ];
  networking.firewall.enable = true;
}
""",
    "tools.nix": """\
{ pkgs, ... }:
{
  environment.systemPackages = with pkgs; [ jq ripgrep ];
}
""",
    "services.nix": """\
{ pkgs, ... }:
{
  systemd.services.report = {
    description = "a report";
    wantedBy = [ "multi-user.target" ];
    script = "date > /state/report";
    serviceConfig = {
      User = "agent";
      ProtectSystem = "strict";
      NoNewPrivileges = true;
    };
  };
}
""",
}


@dataclass(frozen=True)
class Case:
    """One change. `elsewhere` are findings without a line: rule and file."""

    name: str
    files: Files
    before: Files = field(default_factory=dict)
    elsewhere: frozenset[tuple[str, str]] = frozenset()
    moved: dict[str, str] = field(default_factory=dict)

    @property
    def change(self) -> Change:
        old = {**BASE, **self.before}
        new = {**old, **self.files}
        return Change(_tree(old), _tree(new), self.moved)

    @property
    def expected(self) -> Expected:
        """Rule, file and line of each mark."""
        return frozenset(
            (rule.strip(), path, number)
            for path, text in self.files.items()
            for number, line in enumerate((text or "").split("\n"), 1)
            if (mark := _MARK.search(line))
            for rule in mark[1].split(",")
        )


def unmarked(text: str) -> str:
    return "\n".join(_MARK.sub("", line) for line in text.split("\n"))


def _tree(files: Files) -> Tree:
    return Tree.of(_blob(path, text) for path, text in files.items() if text is not None)


def _blob(path: str, text: str) -> Blob:
    content = unmarked(text).encode("utf-8", "surrogateescape")
    return Blob(path, "100644", hashlib.sha1(content).hexdigest(), len(content), content)


def module(*lines: str, arguments: str = "{ config, lib, pkgs, ... }") -> str:
    """A module of these lines, the first of which is line 3."""
    return "\n".join([f"{arguments}:", "{", *(f"  {line}" for line in lines), "}", ""])


def agent(*lines: str) -> Files:
    """agent.nix of the base with these lines added, the first of which is line 7."""
    base = str(BASE["agent.nix"]).removesuffix("}\n")
    return {"agent.nix": base + "".join(f"  {line}\n" for line in lines) + "}\n"}


def new_file(*lines: str, name: str = "extra.nix") -> Files:
    """A new file with these lines, imported by agent.nix."""
    imports = str(BASE["agent.nix"]).replace("./services.nix", f"./services.nix ./{name}")
    return {"agent.nix": imports, name: module(*lines)}
