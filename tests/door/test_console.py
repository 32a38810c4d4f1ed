"""The console through the door, as an operator has it with OpenSSH's client in a real terminal."""

from __future__ import annotations

import asyncio
import pwd
import signal
from pathlib import Path

import asyncssh
import pytest

from hivetui.engine.hive import LocalHive
from hivetui.engine.model.operations import OperationKind, OperationState
from hivetui.engine.model.proposals import ProposalState
from tests.conftest import OPERATOR
from tests.console.conftest import Terminal
from tests.door.conftest import DOOR_USER, Opened, children_of, needs_ssh, open_door, public, run_serve
from tests.engine.records import reading
from tests.ssh_server import ssh_agent
from tests.waiting import until

pytestmark = [needs_ssh, pytest.mark.slow]


def deny(console: Terminal, number: int) -> None:
    """The keys with which an operator denies a pending proposal from the list."""
    console.type("2")
    console.until("2:proposals*", f"#{number}")
    console.type("d")
    console.until("required")
    console.settle()
    console.type("not on Friday")
    console.until("not on Friday")
    while f"Deny #{number}" in console.text:  # a key that comes in a burst with others answers nothing
        console.type("\r")
        console.settle()


async def test_a_decision_through_the_door_bears_the_operators_name_address_and_key(opened: Opened) -> None:
    door, hive = opened()
    local = LocalHive(hive.agent.host, OPERATOR)
    number = (await local.request_spawn(hive.agent.free_name())).id
    console = door.ssh("ada")
    console.until(hive.agent.name)
    deny(console, number)
    console.until("denied")
    console.type("Q")
    assert console.ended() == 0
    assert console.is_restored()
    proposal = (await local.review(number)).proposal
    assert (proposal.state, proposal.decided_by) == (ProposalState.DENIED, "ada")
    assert (await local.verify()).problems == ()
    events, key = hive.agent.host.paths.event_log.read_text(), door.keys["ada"].get_fingerprint()
    assert f'"ssh 127.0.0.1 {key}"' in events
    operator = reading.predicate(hive.agent.host.paths.meta / ".git", number)["operator"]
    assert (operator["name"], operator["role"], operator["key"]) == ("ada", "decide", key)


@pytest.mark.parametrize(("user", "words"), [("lois", ()), ("ada", ("--read-only",))])
async def test_an_operator_who_looks_sees_everything_and_decides_nothing(
    opened: Opened, user: str, words: tuple[str, ...]
) -> None:
    door, hive = opened(*words)
    local = LocalHive(hive.agent.host, OPERATOR)
    number = (await local.request_spawn(hive.agent.free_name())).id
    console = door.ssh(user)
    console.until(hive.agent.name)
    console.type("2")
    console.until("READ-ONLY", "2:proposals*", f"#{number}")
    console.type("d")
    console.until("You may only look at this hive")
    assert (await local.review(number)).proposal.state is ProposalState.PENDING


async def test_a_console_ends_with_its_line_and_the_operation_that_it_began_goes_on(opened: Opened) -> None:
    door, hive = opened()
    local = LocalHive(hive.agent.host, OPERATOR)
    console = door.ssh("ada")
    console.until(hive.agent.name)
    (process,) = door.consoles()
    assert Path(f"/proc/{process}").stat().st_uid == pwd.getpwnam(DOOR_USER).pw_uid
    console.resize(70, 16)
    console.when(lambda: "help" in console.screen.display[15])
    console.type("r")
    console.until(f"Restart {hive.agent.name}?")
    console.press("y", f"Restart {hive.agent.name}?")
    await asyncio.to_thread(until, lambda: len(list(hive.agent.host.paths.operations.iterdir())) == 2)
    console.process.kill()  # in the middle of the frames of the operation
    until(lambda: not door.consoles())
    (restart, _) = await local.operations(ended=True)
    async for _ in local.follow(restart.id):
        pass
    assert (await local.operation(restart.id)).state is OperationState.SUCCEEDED
    assert (restart.operator, restart.kind) == ("ada", OperationKind.RESTART)


def test_a_door_that_is_closed_gives_every_terminal_back(opened: Opened) -> None:
    door, hive = opened()
    consoles = [door.ssh(name) for name in ("ada", "lois")]
    for console in consoles:
        console.until(hive.agent.name)
    processes = [*children_of(door.pid), *door.consoles()]
    door.process.send_signal(signal.SIGTERM)
    for console in consoles:
        assert console.ended() != 0
        assert console.is_restored()
    assert door.process.wait(30) == 0
    assert not [pid for pid in processes if Path(f"/proc/{pid}").exists()]


def test_openssh_gets_nothing_but_the_console(opened: Opened) -> None:
    door, _ = opened()
    for user, key in (("ada", "stranger"), ("ada", "lois"), ("root", "ada")):
        refused = door.run_ssh(user, "", key=key)
        assert (refused.returncode, "Permission denied (publickey)" in refused.stderr) == (255, True)
    told = door.run_ssh("ada", "-T", "")
    assert (told.returncode, "The console needs a terminal" in told.stderr) == (64, True)
    assert "exec request failed" in door.run_ssh("ada", "id").stderr
    assert "subsystem request failed" in door.run_ssh("ada", "-s", "sftp").stderr
    forwarded = door.run_ssh("ada", "-W", "127.0.0.1:22", "")
    assert forwarded.returncode == 255
    assert "open failed" in forwarded.stderr
    listened = door.run_ssh("ada", "-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:22", "")
    assert (listened.returncode, "forwarding failed" in listened.stderr) == (255, True)
    assert not [line for line in door.lines if "Traceback" in line]


def test_an_agent_that_openssh_forwards_is_not_taken(opened: Opened, place: Path) -> None:
    """OpenSSH asks for no answer to this; a server that agrees listens on a socket for the console's programs."""
    door, hive = opened()
    log = place / "ssh.log"
    with ssh_agent(place / "agent") as agent:
        console = door.ssh("ada", "-v", "-E", str(log), "-A", agent=str(agent))
        console.until(hive.agent.name)
        assert "Requesting authentication agent forwarding" in log.read_text()
        assert sockets_that_listen(door.pid, *children_of(door.pid), *door.consoles()) == set()
        console.type("Q")
        assert console.ended() == 0
    assert "auth-agent@openssh.com" not in log.read_text().partition("Requesting authentication agent")[2]


def sockets_that_listen(*pids: int) -> set[str]:
    """The paths of the unix sockets on which these processes listen (proc(5): flag 10000 of /proc/net/unix)."""
    opened = {str(one.readlink()) for pid in pids for one in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    return {" ".join(row[7:]) for row in rows if row[3] == "00010000" and f"socket:[{row[6]}]" in opened}


def test_the_host_key_is_made_once_and_only_for_the_user_of_the_door(opened: Opened, place: Path) -> None:
    door, _ = opened()
    path = place / "var/lib/hyperhive/door/host_key"
    for one, mode in ((path, 0o600), (path.parent, 0o700)):
        assert (one.stat().st_uid, one.stat().st_mode & 0o777) == (pwd.getpwnam(DOOR_USER).pw_uid, mode)
    door.end()
    again = open_door(place, door.keys)
    assert (again.host_key, again.end()) == (door.host_key, 0)
    path.chmod(0o640)
    failed = run_serve(place)
    assert (failed.returncode, failed.stderr.splitlines()[0]) == (78, f"{path} is not private")
    path.parent.chmod(0o777)
    failed = run_serve(place)
    assert (failed.returncode, failed.stderr.splitlines()[0]) == (78, f"{path.parent} is not the door's alone")


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ('user = "no-such-user"', "The user no-such-user of the door does not exist"),
        ('user = "root"', "The door does not run as root"),
        ("operators = {}", "The door has no operators"),
        ('listen = "192.0.2.1:2022"', "The door cannot listen on 192.0.2.1:2022"),
    ],
)
def test_a_door_that_cannot_be_opened_says_why_and_ends_with_78(
    place: Path, keys: dict[str, asyncssh.SSHKey], settings: str, what: str
) -> None:
    operators = "" if "operators" in settings else f'[serve.operators.ada]\nkeys = ["{public(keys["ada"])}"]\n'
    user = "" if "user" in settings else f'user = "{DOOR_USER}"\n'
    (place / "settings.toml").write_text(f"[serve]\n{user}{settings}\n{operators}")
    failed = run_serve(place)
    assert (failed.returncode, failed.stderr.splitlines()[0]) == (78, what)
    assert len(failed.stderr.splitlines()) == 3
