"""What nixos-container does for an agent: create, switch, start, stop, destroy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hivetui.engine.containers import conf, drift, health, nixos_container, ports, units
from hivetui.engine.host import files
from hivetui.engine.host.host import Command, Completed, Host, LineSink
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import OperationFailed
from hivetui.engine.model.names import container_of
from tests.engine.embedded_host import create_container
from tests.free_names import free_name
from tests.runners import WrappedRunner

if TYPE_CHECKING:
    from tests.engine.embedded_host import Repos
    from tests.recording_progress import RecordingProgress

PATHS = Paths(Path("/"))
LIBRARY = "/var/lib/hyperhive"


def test_a_container_is_created_from_meta_without_updating_the_lock() -> None:
    assert nixos_container.create_arguments(PATHS, "iris") == (
        *("create", "h-iris", "--flake", f"{LIBRARY}/meta#iris"),
        *("--option", "accept-flake-config", "false", "--option", "allow-import-from-derivation", "false"),
        "--no-update-lock-file",
    )


def test_the_system_is_what_the_generation_of_the_profile_links_to(host: Host) -> None:
    profile = host.paths.profile("iris")
    assert nixos_container.system_of(host, "iris") is None
    files.make_directory(profile.parent)
    (profile.parent / "system-7-link").symlink_to("/nix/store/x-system")
    profile.symlink_to("system-7-link")
    assert nixos_container.system_of(host, "iris") == Path("/nix/store/x-system")


async def test_a_created_and_destroyed_container_leaves_no_trace(
    embedded: Host, progress: RecordingProgress, iris: Repos
) -> None:
    system = await create_container(embedded, progress)
    assert nixos_container.system_of(embedded, "iris") == system
    assert drift.drifted_files(embedded, "iris") == ()
    await nixos_container.destroy(embedded, progress, "iris")
    await nixos_container.destroy(embedded, progress, "iris")
    assert conf.list_containers(embedded) == []
    assert not embedded.paths.limits("iris").parent.exists()
    assert list(embedded.paths.work.iterdir()) == []


async def test_a_switch_fails_when_the_profile_does_not_hold_the_system(
    embedded: Host, progress: RecordingProgress, iris: Repos
) -> None:
    system = await create_container(embedded, progress)
    await nixos_container.set_profile(embedded, progress, "iris", system)

    class SwitchesNothing(WrappedRunner):
        """Says that nix-env succeeded without running it."""

        async def run(self, command: Command, sink: LineSink | None = None) -> Completed:
            return Completed(command, 0, b"", b"")

    progress.host = replace(embedded, runner=SwitchesNothing(embedded.runner))
    with pytest.raises(OperationFailed, match="does not have the system"):
        await nixos_container.set_profile(embedded, progress, "iris", Path("/nix/store/another"))
    assert nixos_container.system_of(embedded, "iris") == system


async def test_a_container_starts_and_stops(
    embedded: Host, progress: RecordingProgress, make_repos: Callable[[str], Repos]
) -> None:
    name = make_repos(free_name()).name
    await create_container(embedded, progress, name)
    await health.start_and_verify(embedded, progress, name, 0.1)
    states = await units.unit_states(embedded)
    assert units.is_up(states, name)
    assert states[container_of(name)].since is not None
    ports.require_free(name, states)
    await nixos_container.stop(embedded, progress, name)
    await nixos_container.stop(embedded, progress, name)
    assert not units.is_up(await units.unit_states(embedded), name)
