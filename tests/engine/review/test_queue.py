"""The queue: which pending proposals make the same change, and which stand in each other's way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.git.untrusted import proposed
from hivetui.engine.model.proposals import Proposal
from hivetui.engine.model.queue import QueuePlace
from hivetui.engine.proposals import queries
from hivetui.engine.review.queue import Queue, add_places
from tests.engine.conftest import AgentRepos as Repos

if TYPE_CHECKING:
    from tests.engine.conftest import AgentRepos

ONE = "{ }\n"


async def other_agent(repos: AgentRepos, name: str) -> Repos:
    await proposed.create(repos.host, name)
    await AppliedRepo(repos.host, name).create_from_proposed()
    return Repos(repos.host, name)


async def propose(repos: AgentRepos, files: dict[str, str | bytes | None], base: str | None = None) -> Proposal:
    """A proposal of files on top of a commit."""
    if base is not None:
        repos.reset_to(base)
    return await repos.pin(repos.commit(files))


async def places(repos: AgentRepos) -> dict[int, QueuePlace]:
    found = await Queue(repos.host).places(await queries.list_proposals(repos.host))
    return {one.proposal: one for one in found}


async def test_identical_changes_for_several_agents_are_one_group(repos: AgentRepos) -> None:
    carol = await other_agent(repos, "carol")
    first = await propose(repos, {"tools.nix": ONE})
    same = await propose(carol, {"tools.nix": ONE})
    (carol.proposed / "tools.nix").chmod(0o755)
    executable = await carol.pin(carol.commit_all())
    found = await places(repos)
    assert (found[first.id].group, found[same.id].group) == (first.id, first.id)
    assert found[executable.id].group is None


async def test_changes_that_differ_in_blanks_only_are_not_one_group(repos: AgentRepos) -> None:
    carol = await other_agent(repos, "carol")
    first = await propose(repos, {"run.sh": "rm -rf /state/x\n"})
    other = await propose(carol, {"run.sh": "rm -rf /state /x\n"})
    assert {one.group for one in (await places(repos)).values()} == {None}
    assert first.commit != other.commit


async def test_what_an_approval_makes_stale_and_what_conflicts_is_told(repos: AgentRepos) -> None:
    carol = await other_agent(repos, "carol")
    main = repos.fetch(repos.commit({"agent.nix": "a\nb\nc\nd\ne\nf\n"}))
    assert await repos.applied.move_main(main, repos.main)
    first = await propose(repos, {"agent.nix": "A\nb\nc\nd\ne\nf\n"}, main)
    against = await propose(repos, {"agent.nix": "X\nb\nc\nd\ne\nf\n"}, main)
    apart = await propose(repos, {"agent.nix": "a\nb\nc\nd\ne\nF\n"}, main)
    elsewhere = await propose(carol, {"agent.nix": "X\n"})
    before = sorted(path.name for path in (repos.applied.git_dir / "objects").glob("??/*"))
    found = await places(repos)
    assert found[first.id].stales == (against.id, apart.id)
    assert found[first.id].conflicts == (against.id,)
    assert found[against.id].conflicts == (first.id,)
    assert found[apart.id].conflicts == ()
    assert (found[elsewhere.id].stales, found[elsewhere.id].conflicts) == ((), ())
    assert sorted(path.name for path in (repos.applied.git_dir / "objects").glob("??/*")) == before


async def test_attributes_of_a_proposal_hide_no_conflict(repos: AgentRepos) -> None:
    main = repos.fetch(repos.commit({"agent.nix": "a\n", ".gitattributes": "* merge=union\n"}))
    assert await repos.applied.move_main(main, repos.main)
    first = await propose(repos, {"agent.nix": "b\n"}, main)
    second = await propose(repos, {"agent.nix": "c\n"}, main)
    found = await places(repos)
    assert found[first.id].conflicts == (second.id,)


async def test_where_git_cannot_merge_the_conflicts_are_unknown(repos: AgentRepos) -> None:
    first = await propose(repos, {"agent.nix": "b\n"}, repos.main)
    second = await propose(repos, {"agent.nix": "c\n"}, repos.main)
    tree = repos.git("rev-parse", f"{second.commit}^{{tree}}")
    (repos.applied.git_dir / "objects" / tree[:2] / tree[2:]).unlink()
    found = await places(repos)
    assert found[first.id].conflicts is None


async def test_a_group_stands_together_at_the_place_of_its_first(repos: AgentRepos) -> None:
    made = [await propose(repos, {"agent.nix": f"{number}\n"}) for number in range(4)]
    ids = [one.id for one in made]
    queue = [
        QueuePlace(proposal=one, agent=repos.name, group=ids[1] if one in (ids[1], ids[3]) else None) for one in ids
    ]
    assert [one.id for one in add_places(made, queue)] == [ids[0], ids[1], ids[3], ids[2]]
