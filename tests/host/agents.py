"""What a manager and an operator do on the host, each in one call."""

from __future__ import annotations

from typing import Any

from tests.host.machine import Machine

AGENTS = "/var/lib/hyperhive/agents"
APPLIED = "/var/lib/hyperhive/applied"
META = "/var/lib/hyperhive/meta"


def propose(host: Machine, name: str, module: str, message: str = "change agent.nix") -> str:
    """Commit `module` as agent.nix in the proposed repo, as the manager would; the commit."""
    folder = f"{AGENTS}/{name}/config"
    host.write(f"{folder}/agent.nix", module)
    git = f"git -C {folder} -c user.name=hm1nd -c user.email=hm1nd@hive"
    host.sh(f"{git} add -A && {git} commit -qm '{message}'")
    return host.sh(f"git -C {folder} rev-parse HEAD").out.strip()


def submit(host: Machine, name: str, module: str, message: str = "change agent.nix") -> dict[str, Any]:
    """Propose a module and pin it; the proposal as `hivetui show` prints it."""
    commit = propose(host, name, module, message)
    number = host.hivetui("submit", name, commit, "-m", message).json["proposal"]["id"]
    shown = host.hivetui("show", str(number)).json["proposal"]
    assert shown["commit"] == commit
    return dict(shown)


def approve(host: Machine, proposal: dict[str, Any], check: int | None = 0) -> dict[str, Any]:
    """Approve exactly what `hivetui show` printed."""
    arguments = ("approve", str(proposal["id"]), "--commit", proposal["commit"], "--base", proposal["base"])
    return host.hivetui(*arguments, check=check).json


def agent(host: Machine, name: str) -> dict[str, Any]:
    """The row of an agent in `hivetui agents`."""
    rows = [row for row in host.hivetui("agents").json["agents"] if row["name"] == name]
    assert len(rows) == 1, name
    return dict(rows[0])


def tags(host: Machine, name: str) -> set[str]:
    """The tags of the applied repo."""
    return set(host.sh(f"git -C {APPLIED}/{name}/.git tag").out.split())


def main(host: Machine, name: str) -> str:
    """The commit of applied main."""
    return host.sh(f"git -C {APPLIED}/{name}/.git rev-parse main").out.strip()


def profile(host: Machine, container: str) -> str:
    """The system that the container's profile points at."""
    return host.sh(f"readlink -f /nix/var/nix/profiles/per-container/{container}/system").out.strip()


def wait_for_answer(host: Machine, name: str, port: int) -> None:
    """Wait until the agent answers on its port with its name."""
    host.wait_until(
        f"python3 -c \"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}').read())\" | grep {name}"
    )


def run_inside(host: Machine, container: str, script: str) -> str:
    """Run a shell script in a running container."""
    return host.sh(f"nixos-container run {container} -- sh -c {script!r}").out
