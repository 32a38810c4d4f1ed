"""Building what was not approved: only where nix isolates builders from the host and from each other."""

from __future__ import annotations

import hashlib

from hivetui.engine.host.host import Command, Host
from hivetui.engine.host.procfs import boot_id
from hivetui.engine.nix import evaluation

_PATHS = "/bin /usr /lib /lib64"
_OPTIONS = ("--option", "sandbox", "true", "--option", "sandbox-fallback", "false", "--option", "sandbox-paths", _PATHS)
_SECONDS = 60.0
_ATTEMPTS = 2  # nix 2.8 now and then takes a builder for killed


async def build_options(host: Host) -> tuple[str, ...] | None:
    """The options with which nix builds a proposal isolated; None where it cannot.

    Where another user evaluates, the daemon builds, as users of its own and by the settings of the host, which may turn
    its sandbox off. Elsewhere a builder would be a process of the engine's user, and the sandbox is asked for. Whether
    there is one is seen by a probe, which is built as a proposal would be.
    """
    with evaluation.evaluator(host) as who:
        options = () if who.is_separate else _OPTIONS
        probe = (*who.prefix, *host.tools.nix, "build", "--no-link", "--impure", *options, "--expr", _probe(host))
        for _ in range(_ATTEMPTS):
            completed = await host.runner.run(Command(probe, env=who.environment, timeout=_SECONDS), _ignore)
            if completed.status == 0:
                return options
    return None


def _ignore(_stream: str, _text: str, _cut: int) -> None:
    """Only whether it succeeds counts."""


def _probe(host: Host) -> str:
    """A derivation that is built once after each start of the machine or change of nix's settings.

    It fails in the network of the host: one of its own has the loopback only, below the two lines of the head of
    /proc/net/dev.
    """
    count = "n=0; while read -r line; do n=$((n + 1)); done < /proc/net/dev"
    script = f"{count}; test $n = 3 || exit 1; echo > $out; exit 0"  # nix 2.8 takes a builder that exec's for killed
    try:
        settings = hashlib.sha256((host.paths.root / "etc/nix/nix.conf").read_bytes()).hexdigest()
    except OSError:
        settings = ""
    return (
        'derivation { name = "sandbox-probe"; system = builtins.currentSystem; builder = "/bin/sh"; '
        f'boot = "{boot_id()}"; settings = "{settings}"; args = [ "-c" "{script}" ]; }}'
    )
