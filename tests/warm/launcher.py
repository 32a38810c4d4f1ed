"""Starts a warm program in place of a cold one: `python -IS launcher.py SOCKET PROGRAM WORDS…`.

It hands all that it inherited to the forking process at SOCKET, and ends as the program does. Nothing else is imported:
it takes 20 ms where the program would take half a second.
"""

from __future__ import annotations

import _socket
import array
import os
import sys

TYPE_CHECKING = False  # that of typing, which is slow to import
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def main(path: str, *words: str) -> None:
    reader, status = os.pipe()
    inherited = [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208  (pathlib is slow to import)
    kept = [number for number in inherited if is_inheritable(number)]
    server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    server.connect(path)
    descriptors = array.array("i", [status, *kept])
    request = encode(words, kept, os.environ, is_controlled=False)
    server.sendmsg([request], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)])
    for number in (status, *kept):
        os.close(number)
    os.read(reader, 4)  # its PID
    ended = int.from_bytes(os.read(reader, 4), "big", signed=True)
    if ended < 0:
        os.kill(os.getpid(), -ended)
    os._exit(ended)


def is_inheritable(number: int) -> bool:
    try:
        return os.get_inheritable(number)
    except OSError:  # that of the listing itself
        return False


def encode(words: Sequence[str], numbers: list[int], environment: Mapping[str, str], is_controlled: bool) -> bytes:
    """A request to the forking process: what to run, the numbers of its descriptors, and its environment.

    `words` begin with a module or a script. `is_controlled`: by the terminal that is its stdin.
    """
    folder = os.getcwd()  # noqa: PTH109  (pathlib is slow to import)
    counted = (int(is_controlled), len(words), *words, len(numbers), *numbers, folder)
    variables = (f"{name}={value}" for name, value in environment.items())
    return os.fsencode("\0".join([*map(str, counted), *variables]))


if __name__ == "__main__":
    main(*sys.argv[1:])
