"""Runs a stand-in: `python -IS launch.py [--packages=DIRECTORY:…] ROOT PROGRAM ARGUMENTS…`.

It is run as a file and without site-packages, so that a stand-in starts in about 20 ms; `--packages` names the
directories of the packages that the stand-in for nix needs.
"""

import sys
from importlib import import_module
from io import TextIOWrapper
from os import pathsep
from os.path import dirname

PROGRAMS = {
    "agent": "agent",
    "journalctl": "journalctl",
    "machinectl": "machinectl",
    "nix": "nix.command",
    "nix-env": "nix.profiles",
    "nixos-container": "nixos_container",
    "systemctl": "systemctl",
}
_PACKAGES = "--packages="


def main(argv: list[str]) -> int:
    """Run the program on the host at ROOT; its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # bytes that are not UTF-8 are written as they were read
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    here = __file__
    for _ in range(3):
        here = dirname(here)  # noqa: PTH120  (pathlib is slow to import, and not every program needs it)
    sys.path.insert(0, here)
    if argv[:1] and argv[0].startswith(_PACKAGES):
        sys.path += argv.pop(0).removeprefix(_PACKAGES).split(pathsep)
    import_module("hivetui.engine.python_warnings").hide()  # what a stand-in writes is shown beside its result
    if len(argv) < 2 or argv[1] not in PROGRAMS:
        sys.stderr.write(f"{__doc__}\nPROGRAM is one of {', '.join(PROGRAMS)}.\n")
        return 64
    root, name, *arguments = argv
    program = import_module(f"hivetui.embedded.{PROGRAMS[name]}")
    if arguments in (["--help"], ["-h"]):
        print((program.__doc__ or "").strip())
        return 0
    try:
        return int(program.main(root, arguments))
    except OSError as failure:
        if isinstance(failure, BrokenPipeError):
            raise
        sys.stderr.write(f"{name}: {failure}\n")  # as the real program would report a full disk or a read-only path
        return 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:  # the reader closed the pipe, which is how a stream normally ends
        sys.stderr.close()
        sys.exit(141)
    except KeyboardInterrupt:
        sys.exit(130)
