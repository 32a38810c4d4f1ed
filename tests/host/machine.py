"""A disposable NixOS host on which the tests run hivetui as root.

`HIVE_HOST` is a command that runs its last argument in a root shell there (such as `ssh root@host`). Without it the lab
beside the checkout is used, if it exists. `HIVE_HOST_CRASH` and `HIVE_HOST_AGAIN` are commands that cut its power and
boot the same disk again; without them (and without the lab) the tests of power cuts are skipped.
"""

from __future__ import annotations

import base64
import compileall
import json
import os
import py_compile
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

PROJECT = Path(__file__).parents[2]
LAB = PROJECT.parent / "shared/lab/hivelab"
PROGRAM = "/opt/hivetui"
_SSH_FAILED, _NOT_CONNECTED, _CONNECTING_ATTEMPTS = 255, b"during banner exchange", 6
"""How ssh ends, and what it says, when the server has not even answered in time."""


_ASK = """
import json, socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect("/run/hyperhive/host.sock")
lines = connection.makefile("rw")
for request in sys.stdin:
    lines.write(request)
    lines.flush()
    frames = []
    for line in lines:
        frames.append(json.loads(line))
        if frames[-1].get("end") or "seq" not in frames[-1]:
            break
    print(json.dumps(frames), flush=True)
"""
"""Sends each line of its input and prints the frames of each answer in a line."""


@dataclass(frozen=True)
class Result:
    """The exit status and output of a command on the host."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output as one JSON object."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


@dataclass
class Machine:
    """One disposable host."""

    command: tuple[str, ...]
    cut_power_command: tuple[str, ...] = ()
    boot_command: tuple[str, ...] = ()
    destroy_command: tuple[str, ...] = ()
    flake: str = "git+file:///etc/hivelab/base"
    settings: dict[str, str] = field(default_factory=dict)

    def sh(self, script: str, stdin: bytes = b"", timeout: float = 300, check: bool = True) -> Result:
        """Run a shell script there."""
        done = self._connect_and_run(script, stdin, timeout)
        result = Result(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
        assert not check or result.status == 0, f"{script}\n{result.out}\n{result.err}"
        return result

    def _connect_and_run(self, script: str, stdin: bytes, timeout: float) -> subprocess.CompletedProcess[bytes]:
        """Run it, once: a busy machine may take longer to answer than ssh waits, and then nothing has run there."""
        argv = [*self.command, script]
        for _ in range(_CONNECTING_ATTEMPTS - 1):
            done = subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout, check=False)
            if done.returncode != _SSH_FAILED or _NOT_CONNECTED not in done.stderr:
                return done
        return subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout, check=False)

    def hivetui(self, *arguments: str, check: int | None = 0, timeout: float = 600, env: str = "") -> Result:
        """Run hivetui there with `--json` and expect an exit status; `env` are more variables, as NAME=VALUE."""
        line = f"{self._program(env)} --json {shlex.join(arguments)}"
        result = self.sh(line, timeout=timeout, check=False)
        assert check is None or result.status == check, f"{line}\n{result.status}\n{result.out}\n{result.err}"
        return result

    def ask(self, *requests: dict[str, Any]) -> list[list[dict[str, Any]]]:
        """Send requests to the engine's socket there, one after the other; the frames of each answer.

        On an emulated machine a verb takes many seconds to import what it needs, and this needs nothing.
        """
        lines = "".join(json.dumps({"id": number, **one}) + "\n" for number, one in enumerate(requests, 1))
        script = f"echo {base64.b64encode(_ASK.encode()).decode()} | base64 -d >/tmp/ask.py; python3 -IS /tmp/ask.py"
        return [list(json.loads(line)) for line in self.sh(script, stdin=lines.encode(), timeout=600).out.splitlines()]

    @property
    def program(self) -> str:
        """The shell command that runs hivetui there."""
        return self._program("")

    def _program(self, env: str) -> str:
        """Agents get two cores: with half a core, the default, an emulated container takes minutes to boot."""
        settings = f"HIVETUI_HIVE__FLAKE={self.flake} HIVETUI_LIMITS__CPU_QUOTA=200%"
        return f"env PYTHONPATH={PROGRAM} {settings} {env} python3 -m hivetui"

    def write(self, path: str, text: str) -> None:
        """Write a file there."""
        data = base64.b64encode(text.encode()).decode()
        self.sh(f"mkdir -p $(dirname {shlex.quote(path)}); echo {data} | base64 -d > {shlex.quote(path)}")

    def install(self) -> None:
        """Install hivetui and its dependencies there, for the Python of that host."""
        version = self.sh("python3 -c 'import sys; print(\"%d.%d\" % sys.version_info[:2])'").out.strip()
        self.sh(f"rm -rf {PROGRAM}; mkdir -p {PROGRAM}; tar -xz -C {PROGRAM}", stdin=_bundle(version))
        self._install_bubblewrap()

    def _install_bubblewrap(self) -> None:
        """Copy this machine's bwrap there if the host has none: the lab's image has only its libraries."""
        if self.sh("command -v bwrap", check=False).status:
            program = Path(shutil.which("bwrap") or "/usr/bin/bwrap").read_bytes()
            self.sh("cat > /usr/local/bin/bwrap; chmod 755 /usr/local/bin/bwrap; bwrap --version", stdin=program)

    def cut_power(self) -> None:
        """Cut the power."""
        subprocess.run(self.cut_power_command, check=True, capture_output=True)

    def boot(self) -> None:
        """Boot the same disk."""
        subprocess.run(self.boot_command, check=True, capture_output=True, timeout=300)

    def destroy(self) -> None:
        """Destroy the host."""
        subprocess.run(self.destroy_command, check=True, capture_output=True, timeout=120)

    def wait_until(self, script: str, seconds: float = 90) -> Result:
        """Repeat a script until its status is 0; an assertion after `seconds`."""
        end = time.monotonic() + seconds
        while (result := self.sh(script, check=False)).status != 0:
            assert time.monotonic() < end, f"still fails: {script}\n{result.out}\n{result.err}"
            time.sleep(0.5)
        return result


def _runtime_dependencies() -> set[str]:
    """The names of the packages that hivetui imports, as pyproject.toml declares them, in lower case."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    names = (re.match(r"[A-Za-z0-9._-]+", requirement) for requirement in project["dependencies"])
    return {name[0].lower() for name in names if name}


def _bundle(version: str) -> bytes:
    """The package and its runtime dependencies as a tar for Python `version` on the host."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / f"hivetui-host-{version}"
    lock = (PROJECT / "requirements.lock").read_bytes()
    stamp = cache / ".lock"
    if not stamp.exists() or stamp.read_bytes() != lock:
        names = _runtime_dependencies()
        pins = [row.split()[0] for row in lock.decode().splitlines() if row and row[0] not in " #"]
        wanted = [pin for pin in pins if pin.partition("==")[0].lower() in names]
        constraints = cache.parent / f"hivetui-host-{version}.txt"
        cache.mkdir(parents=True, exist_ok=True)
        constraints.write_text("\n".join(pin.split(";")[0] for pin in pins))
        target = ("--target", str(cache), "--python-version", version, "--only-binary=:all:")
        platforms = ("--platform", "manylinux2014_x86_64", "--platform", "manylinux_2_28_x86_64")
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--upgrade")
        subprocess.run((*pip, *target, *platforms, "--constraint", str(constraints), *wanted), check=True)
        stamp.write_bytes(lock)
    buffer = BytesIO()
    with TemporaryDirectory() as folder, tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        shutil.copytree(cache, folder, dirs_exist_ok=True)
        shutil.copytree(PROJECT / "hivetui", Path(folder) / "hivetui", ignore=shutil.ignore_patterns("__pycache__"))
        if version == f"{sys.version_info.major}.{sys.version_info.minor}":
            # compiled here, since an emulated machine takes minutes for it
            compileall.compile_dir(folder, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
        tar.add(folder, ".")
    return buffer.getvalue()


def find_machine() -> Machine | None:
    """The host that the environment names, or the lab (booted if it is down), or None."""
    if command := os.environ.get("HIVE_HOST"):
        crash, again = (tuple(shlex.split(os.environ.get(f"HIVE_HOST_{name}", ""))) for name in ("CRASH", "AGAIN"))
        flake = os.environ.get("HIVE_HOST_FLAKE", "git+file:///etc/hivelab/base")
        return Machine(tuple(shlex.split(command)), crash, again, (), flake)
    if not LAB.exists():
        return None
    was_up = subprocess.run([LAB, "ssh", "true"], capture_output=True, check=False).returncode == 0
    subprocess.run([LAB, "up"], check=True, stdout=subprocess.DEVNULL, timeout=900)
    down = () if was_up else (str(LAB), "down")
    return Machine((str(LAB), "ssh"), (str(LAB), "crash"), (str(LAB), "again"), down)
