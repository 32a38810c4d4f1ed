"""What `doctor` checks on a host, and what it advises."""

from __future__ import annotations

import os
import pwd
from dataclasses import replace
from pathlib import Path

import pytest

from hivetui.engine.host import programs
from hivetui.engine.host.host import Host
from hivetui.engine.host.system_host import real_host
from hivetui.engine.model.errors import Unavailable
from hivetui.engine.model.places import DOOR_KEY
from hivetui.engine.model.settings import HiveSection, OperatorSection, ServeSection, Settings
from hivetui.engine.model.warnings import Check
from hivetui.engine.recovery import doctor


def program(folder: Path, name: str, says: str, status: int = 0) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\ncat <<'E'\n{says}\nE\nexit {status}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with every tool, each new enough."""
    tools = tmp_path / "bin"
    program(tools, "git", "git version 2.45.1")
    program(tools, "nix", "nix (Nix) 2.18.1")
    program(tools, "nix-env", "nix-env (Nix) 2.18.1")
    program(tools, "systemctl", "systemd 255 (255.4)\n+PAM")
    for name in ("nixos-container", "journalctl", "machinectl"):
        program(tools, name, "")
    settings = Settings(hive=HiveSection(flake="git+file:///etc/base"))
    return real_host(tmp_path / "root", settings, {"PATH": f"{tools}:/usr/bin:/bin"})


async def found(host: Host) -> dict[str, Check]:
    return {check.name: check for check in await doctor.run_checks(host)}


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("git version 2.39.5", (2, 39, 5)),
        ("nix (Nix) 2.8.0", (2, 8, 0)),
        ("nix (Nix) 2.19pre20230901_1234", (2, 19)),
        ("systemd 252 (252.39-1~deb12u2)", (252,)),
        ("nothing", ()),
    ],
)
def test_a_version_is_the_first_number_in_the_output(text: str, version: tuple[int, ...]) -> None:
    assert doctor.version_of(text) == version


async def test_installed_and_recent_tools_are_fit(host: Host) -> None:
    checks = await found(host)
    assert checks["git"] == Check(name="git", ok=True, found="git version 2.45.1", fix="")
    assert all(checks[name].ok for name in ("nix", "nix-env", "nixos-container", "systemctl", "base flake"))


async def test_an_old_tool_reports_the_required_version(host: Host, tmp_path: Path) -> None:
    program(tmp_path / "bin", "git", "git version 2.20.0")
    check = (await found(host))["git"]
    assert not check.ok
    assert check.fix == "Install git 2.32 or newer."


async def test_a_missing_tool_reports_how_to_install_it(host: Host, tmp_path: Path) -> None:
    (tmp_path / "bin/nixos-container").unlink()
    check = (await found(replace(host, environment={"PATH": str(tmp_path / "bin")})))["nixos-container"]
    assert (check.ok, check.found) == (False, "not on PATH")
    assert "systemPackages" in check.fix


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFVNvvVZDI49c29XUYivzS110L0/Ul/SJw6295iDTnds ada@laptop"


@pytest.mark.parametrize(
    ("user", "keys", "mode", "ok", "text"),
    [
        (None, (KEY,), None, True, "1 operator; "),
        (None, (KEY,), 0o600, True, "1 operator"),
        (None, (KEY,), 0o640, False, "host_key is not private"),
        (None, (), None, False, "without a key, ada cannot log in"),
        ("no-such-user", (KEY,), None, False, "its user no-such-user does not exist"),
        ("root", (KEY,), None, False, "its user root is root"),
    ],
)
async def test_a_door_with_operators_is_checked(
    host: Host, user: str | None, keys: tuple[str, ...], mode: int | None, ok: bool, text: str
) -> None:
    assert "SSH door" not in await found(host)
    owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    if mode is not None:
        path = host.paths.root / DOOR_KEY
        path.parent.mkdir(parents=True)
        path.touch()
        path.chmod(mode)
        os.chown(path, owner.pw_uid, owner.pw_gid)
    serve = ServeSection(user=user or owner.pw_name, operators={"ada": OperatorSection(keys=keys)})
    settings = host.settings.model_copy(update={"serve": serve})
    check = (await found(replace(host, settings=settings)))["SSH door"]
    assert check.ok == ok
    assert text in check.found


@pytest.mark.parametrize(
    ("config", "ok"),
    [
        ("experimental-features = flakes nix-command", True),
        ("experimental-features = flakes", False),
        ("experimental-features =", False),
        ("cores = 2", False),
    ],
)
async def test_both_features_of_nix_must_be_on(host: Host, tmp_path: Path, config: str, ok: bool) -> None:
    program(tmp_path / "bin", "nix", f"cores = 1\n{config}")
    assert (await found(host))["nix features"].ok is ok


async def test_without_a_base_flake_a_real_host_is_not_fit(host: Host) -> None:
    check = (await found(replace(host, settings=Settings())))["base flake"]
    assert not check.ok
    assert "[hive]" in check.fix


async def test_a_directory_that_cannot_be_created_is_reported(host: Host, tmp_path: Path) -> None:
    (tmp_path / "root").write_text("a file where the root should be")
    checks = [check for name, check in (await found(host)).items() if name.startswith("place ")]
    assert len(checks) == 3
    assert not any(check.ok for check in checks)


async def test_the_checks_change_nothing(host: Host, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    await doctor.run_checks(host)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_verb_is_refused_without_its_program(host: Host) -> None:
    programs.require(host, [host.tools.git, host.tools.nix])
    with pytest.raises(Unavailable, match="frobnicate is not installed"):
        programs.require(host, [host.tools.git, ("/usr/bin/frobnicate", "--x")])


def test_without_a_path_the_default_one_is_searched(host: Host) -> None:
    programs.require(replace(host, environment={}), [("sh",)])


async def test_a_check_has_what_its_program_warned_of(host: Host, tmp_path: Path) -> None:
    nix = tmp_path / "bin/nix"
    nix.write_text("#!/bin/sh\necho 'warning: unknown setting x' >&2\necho 'nix (Nix) 2.18.1'\n")
    check = (await found(host))["nix"]
    assert (check.ok, check.found) == (True, "nix (Nix) 2.18.1; nix: warning: unknown setting x")
