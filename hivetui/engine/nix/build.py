"""Building an agent's system, and making it the next generation of a profile."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hivetui.engine.git import objects
from hivetui.engine.git.commands import Git
from hivetui.engine.host import files, runner, scratch
from hivetui.engine.host.host import Command, Completed, Host, Progress
from hivetui.engine.model.errors import CommandFailed, OperationFailed
from hivetui.engine.nix import argv, evaluation, internal_log, lock_file
from hivetui.engine.nix.build_progress import BuildTracker
from hivetui.engine.nix.source_owner import source_owner

_SYNC_TIMEOUT = 600.0
_STORE_PATH = re.compile(r"/[^\s\"]*/[0-9a-z]{32}-[A-Za-z0-9+._?=-]+", re.ASCII)


async def build_system(host: Host, progress: Progress, name: str, commit: str | None, root: Path) -> Path:
    """Build an agent's system as meta has it locked, or from another commit of its applied repo; its store path.

    `root` becomes a link to it that protects it from garbage collection. Applied and meta do not change. BadData for
    a commit whose lock file is refused, CommandFailed with the lines that explain it when the build fails.
    """
    head = await Git(host, host.paths.meta).resolve("HEAD")
    if head is None:
        raise OperationFailed("The meta repo has no commit", f"{host.paths.meta} is missing or empty", "")
    if commit is not None:
        await evaluation.inspect(host, name, commit)
    files.make_directory(root.parent)
    with evaluation.evaluator(host) as who, _flake(host, name, commit, head) as flake:
        arguments = argv.build_arguments(host.paths, name, commit, flake)
        try:
            return await _build(host, progress, who, arguments, root)
        except CommandFailed as error:
            owner = source_owner(host, name, commit, head)
            raise owner.explain(error, f"The system of {name} could not be built") from error


async def build_derivation(
    host: Host, progress: Progress, derivation: str, root: Path, options: tuple[str, ...] = ()
) -> Path:
    """Build a derivation that was evaluated before, with `root` as for `build_system`; the store path of its output.

    CommandFailed when the build fails, or when garbage collection has removed the derivation.
    """
    files.make_directory(root.parent)
    with evaluation.evaluator(host) as who:
        target = derivation + await _outputs_suffix(host)
        return await _build(host, progress, who, ("build", *argv.EVENTS, *options, target), root)


async def _outputs_suffix(host: Host) -> str:
    """What stands for the outputs of a derivation after its path: since nix 2.13 the path alone is the .drv itself."""
    completed = await runner.run_checked(
        host, Command((*host.tools.nix, "--version"), timeout=evaluation.QUERY_TIMEOUT)
    )
    version = re.search(r"(\d+)\.(\d+)", completed.text)
    return "^*" if version is not None and (int(version[1]), int(version[2])) >= (2, 13) else ""


@contextmanager
def _flake(host: Host, name: str, commit: str | None, head: str) -> Iterator[str]:
    """The flake to build: meta at `head`; for another commit of an agent a copy whose lock does not have the agent."""
    if commit is None:
        yield argv.meta_url(host.paths, head)
        return
    with scratch.scratch_directory(host.paths) as folder:
        folder.chmod(0o755)  # nix reads it as another user
        git_dir = host.paths.meta / ".git"
        files.replace(folder / "flake.nix", objects.file_at(git_dir, head, "flake.nix"))
        lock = lock_file.remove_inputs(objects.file_at(git_dir, head, "flake.lock"), [f"agent-{name}"])
        files.replace(folder / "flake.lock", lock)
        yield f"path:{folder}"


async def _build(
    host: Host, progress: Progress, who: evaluation.Evaluator, arguments: tuple[str, ...], root: Path
) -> Path:
    timeout = float(host.settings.deploy.build_timeout)
    if not who.is_separate:
        command = Command((*host.tools.nix, *arguments, "--out-link", str(root)), timeout=timeout)
        await _run_watched(host, progress, command)
        await _make_durable(host, progress, root.readlink())
        return root.readlink()
    separate = (*who.prefix, *host.tools.nix, *arguments, "--no-link", "--json")
    completed = await _run_watched(host, progress, Command(separate, env=who.environment, timeout=timeout))
    system = built_path(completed.stdout)
    link = ("build", str(system), "--out-link", str(root))
    await progress.run(Command((*host.tools.nix, *link), timeout=evaluation.QUERY_TIMEOUT))
    await _make_durable(host, progress, system)
    return system


async def _make_durable(host: Host, progress: Progress, system: Path) -> None:
    """Write what was built to the disk before anything points at it.

    nix leaves that to the kernel, for up to half a minute, but records at once that it is built: after a power cut its
    files are empty, and nix takes them for what was built ever after.
    """
    if not host.embedded:
        await progress.run(Command(("sync", "--file-system", str(system)), timeout=_SYNC_TIMEOUT))


async def _run_watched(host: Host, progress: Progress, command: Command) -> Completed:
    """Run a nix that writes its log as events: they become plain lines, and the progress of the build."""
    tracker = BuildTracker(host.clock)

    def take(line: str, cut: int) -> Iterator[tuple[str, int]]:
        event = internal_log.parse_line(line)
        if tracker.take(event):
            progress.report_build(tracker.progress)
        return ((text, cut) for text in internal_log.text_of(event, tracker.name_of(event)))

    progress.report_build(tracker.progress)
    try:
        return await progress.run(replace(command, translate=take))
    finally:
        tracker.end()
        progress.report_build(tracker.progress)


def built_path(output: bytes) -> Path:
    """The store path in the output of `nix build --json`; OperationFailed unless there is one."""
    try:
        path = json.loads(output)[0]["outputs"]["out"]
    except (ValueError, LookupError, TypeError) as error:
        raise OperationFailed("nix did not report what it built", repr(output[-200:])) from error
    if not isinstance(path, str) or not _STORE_PATH.fullmatch(path):
        raise OperationFailed("nix did not report a store path", repr(path)[:200])
    return Path(path)


async def set_profile(host: Host, progress: Progress, profile: Path, system: Path) -> None:
    """Make `system` (a store path) the next generation of a profile, by one rename."""
    await progress.run(
        Command((*host.tools.nix_env, *argv.profile_arguments(profile, system)), timeout=evaluation.QUERY_TIMEOUT)
    )
