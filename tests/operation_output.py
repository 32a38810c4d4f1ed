"""Output that an operation had, written into the record of one that has ended."""

from __future__ import annotations

from pathlib import Path

from pydantic_core import to_json

from hivetui.engine.operations import entries
from hivetui.engine.operations.directory import OperationDirectory

PICTURE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 80
"""Binary data with many line feeds."""


def insert_output(path: Path, output: bytes) -> None:
    """Let the ended operation in this directory have written these lines to stderr before its end."""
    record = OperationDirectory(path).entries
    *before, end = record.read_bytes().splitlines(keepends=True)
    time = entries.last_entries(OperationDirectory(path))[-1].time
    line = {"number": len(before), "time": time, "kind": "line", "stream": "stderr"}
    texts = [text.removesuffix(b"\r").decode("utf-8", "surrogateescape") for text in output.split(b"\n")]
    written = [to_json(entries.with_exact_text({**line, "text": text})) + b"\n" for text in texts]
    record.write_bytes(b"".join([*before, *written, end]))
