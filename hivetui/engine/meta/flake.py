"""The flake.nix of meta, which adds the configuration of every agent to a base system."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from hivetui.engine.git import environment
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import BadConfiguration, BadData
from hivetui.engine.model.names import MANAGER, check, port_of
from hivetui.engine.nix import argv

BASE = "hyperhive"
"""The name of the input that is the base flake."""
INPUT_PREFIX = "agent-"
"""The input of agent iris is called agent-iris."""
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")


def render_for(host: Host, agents: Collection[str]) -> bytes:
    """`flake.nix` for these agents by the settings of this host; BadConfiguration without a usable base flake."""
    base = host.settings.hive.flake
    if base is None:
        raise _unknown_base("the setting hive.flake is missing")
    return render(base, host.settings.hive.dashboard_port, agents, host.paths)


def base_url(host: Host, revision: str | None = None) -> str:
    """The reference of the base flake by the settings, at a revision if one is given; BadData, BadConfiguration."""
    if host.settings.hive.flake is None:
        raise _unknown_base("the setting hive.flake is missing")
    url = _base_url(host.settings.hive.flake)
    return url if revision is None else argv.at_revision(url, revision)


def render(base: str, dashboard_port: int, agents: Collection[str], paths: Paths) -> bytes:
    """`flake.nix` of meta for these agents on the base flake `base`: the same bytes whatever the order of the agents.

    BadConfiguration when `base` is not a flake reference.
    """
    agents = sorted({check(name) for name in agents})
    inputs = {BASE: _base_url(base)} | {INPUT_PREFIX + name: argv.input_url(paths, name) for name in agents}
    lines = [f"    {quote(name)}.url = {quote(url)};" for name, url in inputs.items()]
    systems = [line for name in agents for line in _system(name, dashboard_port)]
    return _TEMPLATE.replace("@INPUTS@", "\n".join(lines)).replace("@SYSTEMS@", "".join(systems)).encode()


_TEMPLATE = """\
# Written by the engine from the list of agents; what is changed here by hand is put back.
{
  description = "The agents of this hive";

  inputs = {
@INPUTS@
  };

  outputs = inputs:
    let
      bases = inputs.hyperhive.nixosConfigurations;
      # An agent's identity reaches its shells by the first and its services by the second option.
      wrapper = identity: {
        environment.variables = identity;
        systemd.globalEnvironment = identity;
      };
      agent = base: source: identity:
        base.extendModules { modules = [ source.nixosModules.default (wrapper identity) ]; };
    in
    {
      nixosConfigurations = {
@SYSTEMS@      };
    };
}
"""


def _system(name: str, dashboard_port: int) -> list[str]:
    system = "manager" if name == MANAGER else "agent-base"
    values = [f"          {key} = {quote(value)};\n" for key, value in identity(name, dashboard_port).items()]
    head = f"        {quote(name)} = agent bases.{system} inputs.{quote(INPUT_PREFIX + name)} {{\n"
    return [head, *values, "        };\n"]


def identity(name: str, dashboard_port: int) -> dict[str, str]:
    """The environment variables of an agent: its port, its name and its git identity."""
    return {
        "HIVE_PORT": str(port_of(name)),
        "HIVE_LABEL": name,
        "HIVE_DASHBOARD_PORT": str(dashboard_port),
    } | environment.identity(name, f"{name}@hyperhive")


def quote(text: str) -> str:
    """`text` as a string literal of the Nix language (Nix manual, "String"); BadData for control characters."""
    if _CONTROL_CHARACTERS.search(text):
        raise BadData(f"{text[:60]!r} cannot be written into a flake", "it has control characters")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    return f'"{escaped}"'


def _base_url(flake: str) -> str:
    """The URL of the base flake as an input; a directory of this host is a git repo, as for nix itself."""
    if not flake or _CONTROL_CHARACTERS.search(flake) or " " in flake:
        raise _unknown_base(f"{flake[:80]!r} is not a flake reference")
    return argv.flake_url(Path(flake)) if flake.startswith("/") else flake


def _unknown_base(why: str) -> BadConfiguration:
    fix = 'Name it in /etc/hivetui/config.toml, in the section [hive]: flake = "github:OWNER/hyperhive"'
    return BadConfiguration("The base flake of the hive is not known", why, fix)
