"""A warm program is as a cold one for who sees it from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.warm.programs import warm

TELL = """
import json, os, sys
from pathlib import Path
print(json.dumps({
    "words": sys.argv[2:],
    "descriptor": os.read(int(sys.argv[1]), 9).decode(),
    "folder": os.getcwd(),
    "variables": dict(os.environ),
    "command line": Path("/proc/self/cmdline").read_text().rstrip("\\0").split("\\0")[-3::2],
    "leads a session": os.getsid(0) == os.getpid(),
    "buffers": [sys.stdout.line_buffering, sys.stderr.line_buffering],
}))
sys.exit(7)
"""


def run(argv: tuple[str, ...], folder: Path) -> tuple[int, str]:
    """What a script tells with a descriptor and a variable that it inherits."""
    reader, writer = os.pipe()
    os.write(writer, b"inherited")
    os.close(writer)
    variables = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "VARIABLE": "ä=\n"}
    done = subprocess.run(
        (*argv, str(reader), "a word", ""),
        pass_fds=[reader],
        cwd=folder,
        env=variables,
        start_new_session=True,
        capture_output=True,
        text=True,
    )
    os.close(reader)
    assert not done.stderr
    return done.returncode, done.stdout


def test_it_has_words_files_folder_variables_session_and_status(tmp_path: Path) -> None:
    script = tmp_path / "tell.py"
    script.write_text(TELL)
    (status, told), cold = run(warm(str(script)), tmp_path), run((sys.executable, str(script)), tmp_path)
    found: dict[str, Any] = json.loads(told)
    assert (status, found) == (cold[0], json.loads(cold[1]))
    assert (status, found["descriptor"], found["leads a session"]) == (7, "inherited", True)


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 15)", "raise SystemExit('words')", "pass"])
def test_it_ends_as_a_cold_one_does(tmp_path: Path, end: str) -> None:
    script = tmp_path / "end.py"
    script.write_text(f"import os, sys\nprint('out')\nsys.stdout.flush()\n{end}\n")
    warm_one, cold = (
        subprocess.run(argv, capture_output=True, text=True)
        for argv in (warm(str(script)), (sys.executable, str(script)))
    )
    assert (warm_one.returncode, warm_one.stdout, warm_one.stderr) == (cold.returncode, cold.stdout, cold.stderr)
