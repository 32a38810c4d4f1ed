"""Which files a program of the host needs to start: its package, its interpreter, and its libraries.

A package manager such as nix keeps each of them in a directory of its own, and reaches one by links to links. What a
program names is followed: the `#!` line and the absolute paths of programs in a script, and the interpreter and the
libraries of an ELF file (elf(5), ld.so(8)).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

_PACKAGE_PARTS = ("bin", "sbin", "lib", "lib64", "libexec")
_STORES = ("nix", "gnu")
_MOST_FILES = 200
_SCRIPT_BYTES = 64 * 1024
_HEADER_BYTES = 64
_PATH = re.compile(rb"(?<![\w.:$}{-])/(?:[\w.+@%,=-]+/)+[\w.+@%,=-]+")
_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_NEEDED, _STRINGS, _RPATH, _RUNPATH = 1, 5, 15, 29


@dataclass
class Needed:
    """Directories by the paths under which a program knows them, and links: where one is, and what it leads to."""

    directories: list[Path] = field(default_factory=list)
    links: dict[Path, Path] = field(default_factory=dict)


class _Elf(NamedTuple):
    interpreter: str
    libraries: tuple[str, ...]
    search: tuple[str, ...]


def find_needed(programs: Sequence[Path], shown: Sequence[Path]) -> Needed:
    """What these programs need besides the directories in `shown`.

    What is in those needs nothing else, except the programs themselves: a wrapper in /usr/local/bin may lead to /opt.
    """
    needed = Needed()
    waiting, seen = list(programs), set[Path]()
    while waiting and len(seen) < _MOST_FILES:
        path = waiting.pop(0)
        if path in seen or (path not in programs and _is_below(path, shown)) or not path.is_file():
            continue
        seen.add(path)
        target = path.resolve()
        if target != path:
            needed.links[path] = target
            waiting.append(target)
            continue
        needed.directories += [part for part in package_parts(path) if not _is_below(part, shown)]
        for directory in _library_directories(path):
            if not _is_below(directory, shown) and len(directory.parts) > 2:
                needed.directories += [directory, directory.resolve()]
        waiting += _named_files(path)
    needed.directories = list(dict.fromkeys(needed.directories))
    return needed


def package_parts(program: Path) -> list[Path]:
    """The directories that a program may need of the package that it is in: a whole nix store, or PREFIX/lib etc."""
    for parent in program.parents:
        if parent.name == "store" and parent.parent.name in _STORES:
            return [parent]
    if program.parent.name not in _PACKAGE_PARTS:
        return [program.parent]
    parts = (program.parent.parent / part for part in _PACKAGE_PARTS)
    return [part.resolve() for part in parts if part.is_dir()]


def _is_below(path: Path, directories: Sequence[Path]) -> bool:
    return any(path.is_relative_to(top) for top in directories)


def _named_files(path: Path) -> Iterator[Path]:
    """The files that a program names: of a script programs, of an ELF file its interpreter and libraries."""
    elf = _read_elf(path)
    if elf is None:
        yield from _named_programs(path)
        return
    if elf.interpreter:
        yield Path(elf.interpreter)
    for library in elf.libraries:
        places = (Path(directory, library) for directory in _search(elf, path))
        yield from [found for found in places if found.is_file()][:1]


def _library_directories(path: Path) -> list[Path]:
    elf = _read_elf(path)
    return [] if elf is None else [found for one in _search(elf, path) if (found := Path(one)).is_dir()]


def _search(elf: _Elf, path: Path) -> Iterator[str]:
    for entry in elf.search:
        directory = entry.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", str(path.parent))
        if directory.startswith("/") and "$" not in directory:
            yield directory


def _named_programs(script: Path) -> Iterator[Path]:
    """Existing executables in packages that a script names by an absolute path, its interpreter first."""
    try:
        with script.open("rb") as file:
            text = file.read(_SCRIPT_BYTES)
    except OSError:
        return
    if not text.startswith(b"#!"):
        return
    interpreter = text[2:].split(b"\n", 1)[0].split()
    paths = [Path(word.decode("utf-8", "surrogateescape")) for word in (*interpreter[:1], *_PATH.findall(text))]
    for number, path in enumerate(paths):
        is_program = path.is_file() and path.stat().st_mode & 0o111
        if is_program and (number == 0 or path.parent.name in _PACKAGE_PARTS):
            yield path


def _read_elf(path: Path) -> _Elf | None:
    """The interpreter, libraries and search path in an ELF file; None for any other file."""
    try:
        with path.open("rb") as file:
            if file.read(4) != b"\x7fELF":
                return None
            file.seek(0)
            return _parse_elf(file.read())
    except (OSError, struct.error, IndexError, ValueError):
        return None


def _parse_elf(data: bytes) -> _Elf:
    is_64, order = data[4] == 2, "<" if data[5] == 1 else ">"
    word = "Q" if is_64 else "I"
    table, size, count = (
        struct.unpack_from(f"{order}{kind}", data, at)[0]
        for kind, at in ((word, 32 if is_64 else 28), ("H", 54 if is_64 else 42), ("H", 56 if is_64 else 44))
    )
    layout = f"{order}IIQQQQ" if is_64 else f"{order}IIIII"
    segments = []
    for number in range(count):
        values = struct.unpack_from(layout, data, table + number * size)
        kind, offset, address, length = (
            (values[0], values[2], values[3], values[5]) if is_64 else (*values[:3], values[4])
        )
        segments.append((kind, offset, address, length))
    dynamic = next(((offset, length) for kind, offset, _, length in segments if kind == _DYNAMIC), (0, 0))
    step = struct.calcsize(f"{order}{word}{word}")
    pairs = [struct.unpack_from(f"{order}{word}{word}", data, dynamic[0] + at) for at in range(0, dynamic[1], step)]
    address = next((value for tag, value in pairs if tag == _STRINGS), 0)
    base = next(
        (
            offset + address - start
            for kind, offset, start, length in segments
            if kind == _LOAD and start <= address < start + length
        ),
        0,
    )
    runpath = [value for tag, value in pairs if tag == _RUNPATH] or [value for tag, value in pairs if tag == _RPATH]
    interpreter = next((_string(data, offset) for kind, offset, _, _ in segments if kind == _INTERPRETER), "")
    libraries = tuple(_string(data, base + value) for tag, value in pairs if tag == _NEEDED)
    return _Elf(
        interpreter, libraries, tuple(part for value in runpath for part in _string(data, base + value).split(":"))
    )


def _string(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode("utf-8", "surrogateescape")
