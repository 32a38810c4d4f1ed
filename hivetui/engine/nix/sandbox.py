"""Building what was not approved: only where nix isolates builders from the host and from each other."""

from __future__ import annotations

from hivetui.engine.host.host import Command, Host
from hivetui.engine.host.procfs import boot_id
from hivetui.engine.nix import evaluation

_PATHS = "/bin /usr /lib /lib64"
_OPTIONS = ("--option", "sandbox", "true", "--option", "sandbox-fallback", "false", "--option", "sandbox-paths", _PATHS)
_SECONDS = 60.0
_ATTEMPTS = 2  # nix 2.8 now and then takes a builder for killed


async def build_options(host: Host) -> tuple[str, ...] | None:
    """The options with which nix builds a proposal isolated; None where it cannot.

    Where another user evaluates, the daemon builds, as users of its own and by the settings of the host. Elsewhere a
    builder would be a process of the engine's user, so a probe is built with the sandbox that a proposal is built with.
    """
    with evaluation.evaluator(host) as who:
        if who.is_separate:
            return ()
    probe = ("build", "--no-link", "--impure", *_OPTIONS, "--expr", _probe())
    for _ in range(_ATTEMPTS):
        completed = await host.runner.run(Command((*host.tools.nix, *probe), timeout=_SECONDS), _ignore)
        if completed.status == 0:
            return _OPTIONS
    return None


def _ignore(_stream: str, _text: str, _cut: int) -> None:
    """Only whether it succeeds counts."""


def _probe() -> str:
    """A derivation that is built once after each start of the machine."""
    script = "echo > $out; exit 0"  # nix 2.8 sometimes takes a builder for killed when its last command was exec'd
    return (
        'derivation { name = "sandbox-probe"; system = builtins.currentSystem; builder = "/bin/sh"; '
        f'boot = "{boot_id()}"; args = [ "-c" "{script}" ]; }}'
    )
