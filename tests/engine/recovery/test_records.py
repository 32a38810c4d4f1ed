"""What the warnings and the doctor say of records."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hivetui.engine.model.settings import ConsoleSection, Settings
from hivetui.engine.model.warnings import WarningCode
from hivetui.engine.proposals import decide
from hivetui.engine.recovery import doctor
from hivetui.engine.recovery.warnings import find_warnings
from hivetui.engine.verification.verify import verify
from tests.engine.conftest import OPERATOR
from tests.engine.records import reading

if TYPE_CHECKING:
    from hivetui.engine.host.host import Host
    from tests.engine.conftest import AgentRepos


async def texts(host: Host) -> list[str]:
    return [one.text for one in await find_warnings(host, {}) if one.code is WarningCode.RECORDS]


def without_ssh_keygen(host: Host, folder: Path) -> Host:
    folder.mkdir()
    for program in ("git", "sh"):
        found = next(Path(place, program) for place in os.get_exec_path() if Path(place, program).exists())
        (folder / program).symlink_to(found)
    return replace(host, environment={"PATH": str(folder)})


async def test_a_host_without_ssh_keygen_is_told_that_it_records_unsigned(repos: AgentRepos, tmp_path: Path) -> None:
    assert await texts(repos.host) == []
    bare = without_ssh_keygen(repos.host, tmp_path / "bin")
    (text,) = await texts(bare)
    assert "ssh-keygen is not installed" in text
    (check,) = [one for one in await doctor.run_checks(bare) if one.name == "ssh-keygen"]
    assert not check.ok


async def test_a_decision_that_could_not_be_signed_is_a_warning_until_one_is(repos: AgentRepos, tmp_path: Path) -> None:
    key = repos.host.paths.record_key
    key.parent.mkdir(parents=True)
    key.write_bytes(b"")
    for is_damaged in (True, False):
        made = await repos.pin(repos.commit({"change": str(is_damaged)}))
        await decide.deny(repos.host, made.id, "No", OPERATOR)
        assert bool(await texts(repos.host)) is is_damaged
        key.unlink()


async def test_a_history_that_did_not_verify_is_a_warning_until_it_does(repos: AgentRepos) -> None:
    made = await repos.pin(repos.commit({"change": "1"}))
    await decide.deny(repos.host, made.id, "No", OPERATOR)
    tag = reading.git(repos.applied.git_dir, "rev-parse", f"denied/{made.id}")
    reading.git(repos.applied.git_dir, "update-ref", "-d", f"refs/tags/denied/{made.id}")
    assert await texts(repos.host) == []  # nobody has looked
    await verify(repos.host)
    assert await texts(repos.host) == ["The history does not fit the records of its decisions"]
    reading.git(repos.applied.git_dir, "update-ref", f"refs/tags/denied/{made.id}", tag)
    await verify(repos.host)
    assert await texts(repos.host) == []


async def test_the_doctor_signs_and_verifies_also_with_the_operators_key(repos: AgentRepos, tmp_path: Path) -> None:
    for key, ok in ((None, True), (str(reading.new_key(tmp_path / "key")), True), (str(tmp_path / "missing"), False)):
        host = replace(repos.host, settings=Settings(console=ConsoleSection(sign_key=key)))
        (check,) = [one for one in await doctor.run_checks(host) if one.name == "ssh-keygen"]
        assert check.ok is ok, check
