"""What nix is asked: its version, a candidate system, the lock of a flake, a profile.

Evaluating what an agent proposed is running its author's code. So its lock file is read here before nix sees it, no
configuration of a flake is taken and no builder runs during evaluation; and as root on a host with a nix daemon,
evaluation is left to a user that can read applied and meta and nothing else of the hive.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from hivetui.engine.git import objects
from hivetui.engine.git.applied import applied_names
from hivetui.engine.git.commands import Git, is_hash
from hivetui.engine.host import files, runner, scratch
from hivetui.engine.host.host import Command, Host, Progress
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import BadData, CommandFailed, OperationFailed, Unavailable
from hivetui.engine.model.names import check

SAFETY = ("--option", "accept-flake-config", "false", "--option", "allow-import-from-derivation", "false")
"""What every command that evaluates an agent's code gets: its nixConfig is not taken, and no builder runs meanwhile."""

_EVALUATOR = 65530  # a uid and gid outside of those of people, of systemd (61184-65519) and of nobody
_DAEMON = "nix/var/nix/daemon-socket/socket"
_LOOK_TIMEOUT = 600.0  # seconds for what builds nothing; inputs may have to be fetched
_KEPT_ENVIRONMENT = ("PATH", "LANG", "LOCALE_ARCHIVE", "NIX_CONFIG", "NIX_SSL_CERT_FILE", "SSL_CERT_FILE")
_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
_STORE_PATH = re.compile(r"/[^\s\"]*/[0-9a-z]{32}-[A-Za-z0-9+._?=-]+", re.ASCII)


# What is asked, as argv


def flake_url(folder: Path) -> str:
    """The flake reference of a git repo on this host."""
    return "git+file://" + quote(str(folder))


def input_url(paths: Paths, name: str) -> str:
    """The input of an agent in meta's flake.

    With `ref` nix does not look for a work tree, which a bare repo has not; and unlike the URL of the `.git` folder,
    which nix fetches as it fetches a repo elsewhere (branches only), this one gives commits that only a tag keeps.
    """
    return flake_url(paths.applied_of(check(name))) + "?ref=main"


def candidate_url(paths: Paths, name: str, commit: str) -> str:
    """One commit of an agent's applied repo; BadData unless it is a full hash."""
    if not is_hash(commit):
        raise BadData(f"{commit[:60]!r} is no commit", "a full hash has forty hexadecimal digits")
    return f"{flake_url(paths.applied_of(check(name)))}?rev={commit}"


def meta_url(paths: Paths, head: str) -> str:
    """Meta at one commit, so that a work tree in change does not matter."""
    return f"{flake_url(paths.meta)}?rev={head}"


def build_arguments(paths: Paths, name: str, commit: str | None, flake: str) -> tuple[str, ...]:
    """The arguments of `nix` that build an agent's system: as `flake` has it locked, or of another commit.

    The builders' own lines come too, so that a build can be watched.
    """
    if commit is None:
        lock: tuple[str, ...] = ("--no-update-lock-file",)
    else:
        lock = ("--no-write-lock-file", "--override-input", f"agent-{name}", candidate_url(paths, name, commit))
    attribute = f'nixosConfigurations."{check(name)}".config.system.build.toplevel'
    return ("build", "--print-build-logs", *SAFETY, *lock, f"{flake}#{attribute}")


def metadata_arguments(url: str, *options: str) -> tuple[str, ...]:
    """The arguments of `nix` that describe a flake and its lock; flake.nix is parsed, its outputs are not evaluated."""
    return ("flake", "metadata", "--json", *SAFETY, *options, url)


def profile_arguments(profile: Path, system: Path) -> tuple[str, ...]:
    """The arguments of `nix-env` that make `system` the next generation of a profile."""
    return ("-p", str(profile), "--set", str(system))


# Who evaluates


@dataclass(frozen=True)
class Evaluator:
    """Who evaluates: what comes before argv, and the whole environment (None: the host's)."""

    prefix: tuple[str, ...] = ()
    environment: Mapping[str, str] | None = None

    @property
    def apart(self) -> bool:
        """Whether it is a user of its own."""
        return bool(self.prefix)


@contextmanager
def evaluator(host: Host) -> Iterator[Evaluator]:
    """Who evaluates on this host: a user of its own with a fresh home where root has a nix daemon, else the engine."""
    if host.embedded or os.geteuid() != 0 or not (host.paths.root / _DAEMON).is_socket():
        yield Evaluator()
        return
    with scratch.scratch_directory(host.paths) as home:
        _write_git_config(host, home)
        os.chown(home, _EVALUATOR, _EVALUATOR)
        yield Evaluator(_apart(), _environment(host, home))


def _apart() -> tuple[str, ...]:
    """The beginning of an argv that runs the rest without any right of root (setpriv(1))."""
    ids = (f"--reuid={_EVALUATOR}", f"--regid={_EVALUATOR}", "--clear-groups")
    return ("setpriv", *ids, "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--")


def _environment(host: Host, home: Path) -> dict[str, str]:
    kept = {key: host.environment[key] for key in _KEPT_ENVIRONMENT if key in host.environment}
    own = {"HOME": str(home), "TMPDIR": str(home), "NIX_REMOTE": "daemon", "GIT_TERMINAL_PROMPT": "0"}
    return kept | own


def _write_git_config(host: Host, home: Path) -> None:
    """Let git read repos that belong to root: these, and no other that a proposal may name (`*` would)."""
    repos = [host.paths.meta, *_local_base(host.settings.hive.flake)]
    repos += [host.paths.applied_of(name) for name in applied_names(host)]
    lines = [f'\tdirectory = "{path}"\n' for repo in repos for path in (repo, repo / ".git")]
    files.replace(home / ".gitconfig", ("[safe]\n" + "".join(lines)).encode())


def _local_base(flake: str | None) -> tuple[Path, ...]:
    """The folder of a base flake that is a git repo of this host."""
    found = re.match(r"(?:git\+file://)?(/[^?#]*)", flake or "")
    return (Path(unquote(found[1])),) if found else ()


# Asking


async def version(host: Host) -> tuple[int, int, int]:
    """The version of nix; Unavailable when it is not there or says nothing that reads like one."""
    completed = await runner.run_checked(host, Command((*host.tools.nix, "--version"), timeout=60.0))
    found = _VERSION.search(completed.text)
    if not found:
        raise Unavailable("nix does not tell its version", completed.text[:200].strip(), "Install nix 2.8 or newer.")
    return int(found[1]), int(found[2]), int(found[3] or 0)


async def metadata(host: Host, url: str, *options: str) -> dict[str, Any]:
    """What `nix flake metadata --json` tells of a flake: its `locked` reference, and its `locks` as a lock file."""
    with evaluator(host) as who:
        argv = (*who.prefix, *host.tools.nix, *metadata_arguments(url, *options))
        try:
            completed = await runner.run_checked(host, Command(argv, env=who.environment, timeout=_LOOK_TIMEOUT))
        except CommandFailed as error:
            raise _explained(error, f"The flake {url} cannot be read") from error
    return _json_object(completed.stdout, "nix flake metadata")


async def build(host: Host, progress: Progress, name: str, commit: str | None, root: Path) -> Path:
    """Build an agent's system as meta has it locked, or from another commit of its applied repo; its store path.

    `root` becomes a link to it that keeps it from garbage collection. Applied and meta do not change. BadData for a
    commit whose lock file is refused, CommandFailed with the telling lines when it does not build.
    """
    head = await Git(host, host.paths.meta).resolve("HEAD")
    if head is None:
        raise OperationFailed("The meta repo has no commit", f"{host.paths.meta} is missing or empty", "")
    if commit is not None:
        await inspect(host, name, commit)
    files.make_directory(root.parent)
    with evaluator(host) as who, _flake(host, name, commit, head) as flake:
        arguments = build_arguments(host.paths, name, commit, flake)
        try:
            return await _build(host, progress, who, arguments, root)
        except CommandFailed as error:
            raise _explained(error, f"The system of {name} could not be built") from error


@contextmanager
def _flake(host: Host, name: str, commit: str | None, head: str) -> Iterator[str]:
    """What is built from: meta at `head`; for another commit of an agent a copy whose lock has forgotten the agent."""
    if commit is None:
        yield meta_url(host.paths, head)
        return
    with scratch.scratch_directory(host.paths) as folder:
        folder.chmod(0o755)  # nix reads it as another user
        git_dir = host.paths.meta / ".git"
        files.replace(folder / "flake.nix", objects.file_at(git_dir, head, "flake.nix"))
        lock = without_agents(objects.file_at(git_dir, head, "flake.lock"), [f"agent-{name}"])
        files.replace(folder / "flake.lock", lock)
        yield f"path:{folder}"


def without_agents(lock: bytes, inputs: Collection[str]) -> bytes:
    """A lock file without some direct inputs.

    For an input that is in the lock, even if it is overridden, nix keeps the inputs of that input as they were locked;
    only for a new one it reads the lock file that comes with it.
    """
    found = _json_object(lock, "the lock of meta")
    root = found["nodes"][found["root"]]
    root["inputs"] = {key: node for key, node in root.get("inputs", {}).items() if key not in inputs}
    return json.dumps(found).encode()


async def _build(host: Host, progress: Progress, who: Evaluator, arguments: tuple[str, ...], root: Path) -> Path:
    timeout = float(host.settings.deploy.build_timeout)
    if not who.apart:
        await progress.run(Command((*host.tools.nix, *arguments, "--out-link", str(root)), timeout=timeout))
        return root.readlink()
    argv = (*who.prefix, *host.tools.nix, *arguments, "--no-link", "--json")
    completed = await progress.run(Command(argv, env=who.environment, timeout=timeout))
    system = built_path(completed.stdout)
    link = ("build", str(system), "--out-link", str(root))
    await progress.run(Command((*host.tools.nix, *link), timeout=_LOOK_TIMEOUT))
    return system


def built_path(output: bytes) -> Path:
    """The one store path that `nix build --json` tells; OperationFailed when it tells none."""
    try:
        path = json.loads(output)[0]["outputs"]["out"]
    except (ValueError, LookupError, TypeError) as error:
        raise OperationFailed("nix did not tell what it built", repr(output[-200:])) from error
    if not isinstance(path, str) or not _STORE_PATH.fullmatch(path):
        raise OperationFailed("nix did not tell a store path", repr(path)[:200])
    return Path(path)


async def set_profile(host: Host, progress: Progress, profile: Path, system: Path) -> None:
    """Make `system` (a store path) what a profile holds, by one rename."""
    await progress.run(Command((*host.tools.nix_env, *profile_arguments(profile, system)), timeout=_LOOK_TIMEOUT))


async def inspect(host: Host, name: str, commit: str) -> None:
    """Refuse a commit of an agent's applied repo whose inputs are not all locked, to places that can be trusted.

    Its lock file is read here first; nix then says whether it is whole. BadData or CommandFailed.
    """
    text = await _lock_of(host, name, commit)
    if text is not None:
        check_lock(text)
    await metadata(host, candidate_url(host.paths, name, commit), "--no-update-lock-file")


async def _lock_of(host: Host, name: str, commit: str) -> str | None:
    """The lock file of a commit, None when it has none."""
    candidate_url(host.paths, name, commit)
    git = Git(host, host.paths.applied_git(name))
    listed = await git.run("ls-tree", "-z", commit, "--", "flake.lock")
    if not listed.stdout:
        return None
    return (await git.run("cat-file", "blob", f"{commit}:flake.lock")).stdout.decode("utf-8", "replace")


# Lock files

_TYPES = ("git", "github", "gitlab", "sourcehut", "tarball")
_PLACE = ("type", "url", "owner", "repo", "host", "dir", "submodules")
_URL = re.compile(r"(https|ssh)://[^\s\x00-\x1f]+", re.ASCII)


def check_lock(text: str) -> None:
    """Refuse (BadData) a flake.lock that could name anything but fixed content of places elsewhere.

    nix believes the `locked` part of a node, so one that says another place than `original`, the part that a reader of
    flake.nix sees, is refused; as are paths and files of this host, registry names, and content without a hash.
    """
    lock = _json_object(text.encode(), "flake.lock", BadData)
    nodes = lock.get("nodes")
    if lock.get("version") != 7 or not isinstance(nodes, dict) or lock.get("root") not in nodes:
        raise _bad_lock("it is no lock file of version 7")
    for key, node in nodes.items():
        if key == lock["root"] and isinstance(node, dict) and "locked" not in node:
            continue
        if why := _problem_of_node(node):
            raise _bad_lock(f"its node {key[:60]!r} {why}")


def _problem_of_node(node: object) -> str | None:
    locked, original = (node.get(part) for part in ("locked", "original")) if isinstance(node, dict) else (None, None)
    if not isinstance(locked, dict) or not isinstance(original, dict):
        return "is not locked"
    if locked.get("type") not in _TYPES:
        return f"is of type {str(locked.get('type'))[:20]!r}, which is not one of {', '.join(_TYPES)}"
    if differing := [key for key in _PLACE if locked.get(key) != original.get(key)]:
        return f"is locked to another place than the one that is asked for ({', '.join(differing)})"
    if "url" in locked and not _URL.fullmatch(str(locked["url"])):
        return "has an address that is not https or ssh"
    return _problem_of_content(locked, original)


def _problem_of_content(locked: dict[str, Any], original: dict[str, Any]) -> str | None:
    if not re.fullmatch(r"sha256-[A-Za-z0-9+/]{43}=", str(locked.get("narHash")), re.ASCII):
        return "has no hash of its content"
    if locked["type"] != "tarball" and not is_hash(str(locked.get("rev"))):
        return "has no commit"
    if "rev" in original and original["rev"] != locked.get("rev"):
        return "is locked to another commit than the one that is asked for"
    return None


def _bad_lock(why: str) -> BadData:
    return BadData("The proposed flake.lock is refused", why, "Lock its inputs again, and propose that.")


def _json_object(data: bytes, source: str, error: type[BadData | OperationFailed] = OperationFailed) -> dict[str, Any]:
    """A JSON object without a key that comes twice, which two readers could read differently."""
    try:
        value = json.loads(data, object_pairs_hook=_no_key_twice)
    except (ValueError, RecursionError) as wrong:
        raise error(f"{source} is not the JSON that was expected", str(wrong)[:200]) from wrong
    if not isinstance(value, dict):
        raise error(f"{source} is not a JSON object", repr(value)[:60])
    return value


def _no_key_twice(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice in one object")
    return found


# Failures

_BUILDER = re.compile(r"builder (for|failed)")
_NOISE = ("(use '--show-trace'", "For full logs", "note: ")
_INDENT = " " * 7  # what nix puts before all but the first line of an error
_STORED_SOURCE = re.compile(r"/[^\s:']*/[0-9a-z]{32}-source/", re.ASCII)
_DERIVATION = re.compile(r"/[0-9a-z]{32}-([A-Za-z0-9+._?=-]+)\.drv'")
_LOG_LINES = 10
_REPORT_LINES = 16


def failure_report(stderr: str) -> str:
    """What an operator needs first of a failed nix's stderr: the error, where it is, the end of a builder's log.

    The first builder that failed counts (others fail because of it), else the last error (those before are its
    frames). Files of the agent have the names that their author gave them. Without any error: the end of the text.
    """
    lines = stderr.splitlines()
    starts = [at for at, line in enumerate(lines) if line.lstrip().startswith("error:") and line.strip() != "error:"]
    if not starts:
        return "\n".join(lines[-_REPORT_LINES:])
    first = next((at for at in starts if _BUILDER.search(" ".join(lines[at : at + 2]))), starts[-1])
    end = next((at for at in starts if at > first), len(lines))
    told = [line for line in lines[first:end] if line.strip() and not line.strip().startswith(_NOISE)]
    told += _builder_log(lines, " ".join(lines[first : first + 2]))
    return "\n".join(_STORED_SOURCE.sub("", line.removeprefix(_INDENT)) for line in told[:_REPORT_LINES])


def _builder_log(lines: Sequence[str], error: str) -> list[str]:
    """The last lines of the builder that failed, which nix prints under its name while it runs, not with the error."""
    found = _DERIVATION.search(error)
    prefix = f"{found[1]}> " if found else None
    return [line for line in lines if prefix and line.startswith(prefix)][-_LOG_LINES:]


def _explained(error: CommandFailed, what: str) -> CommandFailed:
    return CommandFailed(what, failure_report(error.why) or error.what, error.fix)
