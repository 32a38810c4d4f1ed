"""Starts one of the stand-ins: `python -IS launch.py FOLDER PROGRAM ARGUMENTS…`.

Run as a file, without site-packages: a stand-in starts in a few hundredths of a second.
"""

import sys
from importlib import import_module
from os.path import dirname

PROGRAMS = {
    "agent": "agent",
    "journalctl": "journalctl",
    "machinectl": "machinectl",
    "nix": "nix",
    "nix-env": "nix_env",
    "nixos-container": "nixos_container",
    "systemctl": "systemctl",
}


def main() -> int:
    """Hand the folder and the arguments to the program's `main`."""
    here = __file__
    for _ in range(3):
        here = dirname(here)  # noqa: PTH120  (pathlib is not loaded yet, and not every program needs it)
    sys.path.insert(0, here)
    if len(sys.argv) < 3 or sys.argv[2] not in PROGRAMS:
        sys.stderr.write(f"{__doc__}\nPROGRAM is one of {', '.join(PROGRAMS)}.\n")
        return 64
    program = import_module(f"hivetui.embedded.{PROGRAMS[sys.argv[2]]}")
    arguments = sys.argv[3:]
    if arguments in (["--help"], ["-h"]):
        print((program.__doc__ or "").strip())
        return 0
    return int(program.main(sys.argv[1], arguments))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:  # the reader left: a stream's ordinary end
        sys.stderr.close()
        sys.exit(141)
    except OSError as failure:  # a full disk, a read-only place: told as the real program would
        sys.stderr.write(f"{sys.argv[2]}: {failure}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
