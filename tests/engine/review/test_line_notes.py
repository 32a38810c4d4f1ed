"""Notes on lines: checked against the commits they are about, kept until the decision, marked in the next proposal."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivetui.engine.hive import LocalHive
from hivetui.engine.model.errors import BadData, OperationFailed, TryAgain
from hivetui.engine.model.notes import MAX_NOTES, GivenNote, LineNote, read_note
from hivetui.engine.model.proposals import Denial, Proposal, ProposalState
from hivetui.engine.proposals import decide, queries
from hivetui.engine.review import note_drafts
from hivetui.engine.review.denied_before import FileLines, Hunk, find_denied_before
from hivetui.engine.verification.verify import verify
from tests.engine.conftest import OPERATOR, run_git

if TYPE_CHECKING:
    from tests.engine.conftest import AgentRepos

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
MODULE = "".join(f"  line {number}\n" for number in range(1, 11))


def note(file: str = "agent.nix", first: int = 1, last: int = 0, side: str = "new", text: str = "Why?") -> LineNote:
    return LineNote.model_validate({"file": file, "first": first, "last": last or first, "side": side, "text": text})


async def denied(repos: AgentRepos, *lines: GivenNote, module: str = MODULE) -> Proposal:
    made = await repos.pin(repos.commit({"agent.nix": module}))
    return await decide.deny(repos.host, made.id, "Not yet", OPERATOR, lines=lines)


async def marks(repos: AgentRepos, commit: str) -> list[tuple[str, int | None]]:
    following = await repos.pin(commit)
    found = await find_denied_before(repos.host, repos.name, following.id)
    assert found is not None
    return [(one.mark.value, one.now) for one in found.lines]


async def test_notes_are_in_the_tag_in_its_record_and_in_the_proposal_and_verify_agrees(repos: AgentRepos) -> None:
    lines: list[GivenNote] = [
        "agent.nix:new:3:Say why.",
        "agent.nix:4-6:\x1b[31mToo much",
        note(first=1, side="old", text="Keep it"),
    ]
    made = await denied(repos, *lines)
    assert [(one.file, one.side, one.lines, one.text) for one in made.lines] == [
        ("agent.nix", "old", "1", "Keep it"),
        ("agent.nix", "new", "3", "Say why."),
        ("agent.nix", "new", "4-6", "\x1b[31mToo much"),
    ]
    tag = repos.applied.tag(f"denied/{made.id}")
    assert tag is not None
    people, _, record = (tag.message or "").rstrip("\n").rpartition("\n")
    assert "\nagent.nix:3: Say why.\nagent.nix:4-6: " in people
    assert "\x1b" not in people
    fields = {"file": "agent.nix", "side": "new", "from": 3, "to": 3, "text": "Say why."}
    assert json.loads(record)["lines"][1] == fields
    assert json.loads(made.model_dump_json())["lines"][1] == fields
    assert (await verify(repos.host, repos.name)).problems == ()


async def test_a_record_with_other_notes_than_its_tag_is_found(repos: AgentRepos) -> None:
    made = await denied(repos, "agent.nix:new:3:Say why.")
    tag = repos.applied.tag(f"denied/{made.id}")
    assert tag is not None
    forged = (tag.message or "").replace('"Say why."', '"Good."')
    run_git(repos.applied.git_dir, "tag", "-f", "-a", "-m", forged, f"denied/{made.id}", tag.commit)
    (problem,) = (await verify(repos.host, repos.name)).problems
    assert "lines" in problem.text


@pytest.mark.parametrize(
    ("given_note", "said"),
    [
        ("agent.nix:new:11:x", "has no line 11"),
        ("agent.nix:old:9:x", "before the change"),
        ("agent.nix:new:0:x", "is not a note on a line"),
        ("agent.nix:new:5-3:x", "is not a note on a line"),
        ("agent.nix:new:3:  ", "0 characters"),
        ("agent.nix:new:3:" + "x" * 2001, "2001 characters"),
        ("no.nix:new:3:x", "There is no file no.nix in the proposal"),
        ("../agent.nix:new:3:x", "no file"),
        ("./agent.nix:new:3:x", "no file"),
        ("folder:new:1:x", "no file"),
        ("-x", "is not a note on a line"),
        ("a:1:" * 3000, "is not a note on a line"),
        (note(file="a\udcffb"), "no file"),
    ],
)
async def test_a_note_that_is_not_at_a_line_of_the_change_denies_nothing(
    repos: AgentRepos, given_note: GivenNote, said: str
) -> None:
    made = await repos.pin(repos.commit({"agent.nix": MODULE, "folder/x.nix": "{ }\n"}))
    with pytest.raises(BadData) as refused:
        await decide.deny(repos.host, made.id, "No", OPERATOR, lines=[given_note])
    assert said in f"{refused.value.what} {refused.value.why}"
    assert (await queries.find_proposal(repos.host, made.id)).decided_by is None


async def test_there_are_at_most_so_many_notes_and_so_much_text(repos: AgentRepos) -> None:
    made = await repos.pin(repos.commit({"agent.nix": MODULE}))
    for lines in (
        [note(text=str(number)) for number in range(MAX_NOTES + 1)],
        [note(text=c * 2000) for c in "abcdefghijklmnopqrst"],
    ):
        with pytest.raises(BadData):
            await decide.deny(repos.host, made.id, "No", OPERATOR, lines=lines)


async def test_of_several_readings_the_longest_file_that_exists_counts(repos: AgentRepos) -> None:
    made = await repos.pin(repos.commit({"a": MODULE, "a:1:b": MODULE, "c:old": MODULE}))
    lines = ["a:1:b:2:text", "a:1:other:2:text", "c:old:3:text"]
    done = await decide.deny(repos.host, made.id, "No", OPERATOR, lines=lines)
    assert [(one.file, one.side, one.first, one.text) for one in done.lines] == [
        ("a", "new", 1, "other:2:text"),
        ("a:1:b", "new", 2, "text"),
        ("c:old", "new", 3, "text"),
    ]


async def test_notes_are_kept_by_operator_and_proposal_until_it_is_decided(repos: AgentRepos) -> None:
    made = await repos.pin(repos.commit({"agent.nix": MODULE}))
    kept = await note_drafts.keep_notes(repos.host, "ada", made.id, ["agent.nix:new:3: Why? "], NOW)
    assert [one.text for one in kept] == ["Why?"]
    assert await note_drafts.load_notes(repos.host, "ada", made.id) == kept
    assert await note_drafts.load_notes(repos.host, "bob", made.id) == ()
    with pytest.raises(BadData):
        await note_drafts.keep_notes(repos.host, "ada", made.id, ["agent.nix:new:99:x"], NOW)
    assert await note_drafts.load_notes(repos.host, "ada", made.id) == kept
    assert await note_drafts.keep_notes(repos.host, "ada", made.id, [], NOW) == ()
    assert await note_drafts.load_notes(repos.host, "ada", made.id) == ()
    await decide.withdraw(repos.host, made.id, OPERATOR)
    with pytest.raises(TryAgain):
        await note_drafts.keep_notes(repos.host, "ada", made.id, ["agent.nix:new:3:x"], NOW)


@pytest.mark.parametrize("content", [b"", b'{"1": ', b"[]", b'{"x": {}}', b'{"1": {"lines": 5}}', b"\xff\xfe"])
async def test_a_denial_does_not_go_out_without_notes_that_cannot_be_read(repos: AgentRepos, content: bytes) -> None:
    hive = LocalHive(repos.host, OPERATOR)
    made = await repos.pin(repos.commit({"agent.nix": MODULE}))
    await hive.keep_notes(made.id, ["agent.nix:new:3:Why?"])
    (path,) = (repos.host.paths.engine / "notes").iterdir()
    kept = path.read_bytes()
    path.write_bytes(content)
    with pytest.raises(OperationFailed, match="Your notes on lines cannot be read"):
        await hive.notes(made.id)
    with pytest.raises(OperationFailed) as refused:
        await hive.deny(made.id, "No")
    assert refused.value.what == f"Proposal {made.id} was not denied: your notes on lines cannot be read"
    assert refused.value.why
    assert refused.value.fix == f"Move this file away: {path}, then deny it again, without them."
    assert (await queries.find_proposal(repos.host, made.id)).state is ProposalState.PENDING
    path.write_bytes(kept)
    assert [one.text for one in (await hive.deny(made.id, "No")).lines] == ["Why?"]
    assert await hive.notes(made.id) == ()


async def test_notes_on_old_lines_go_when_main_moves_and_their_file_with_it(repos: AgentRepos) -> None:
    first = repos.fetch(repos.commit({"agent.nix": MODULE, "other.nix": MODULE}))
    assert await repos.applied.move_main(first, repos.main)
    made = await repos.pin(repos.commit({"agent.nix": MODULE + "  more\n"}))
    given_notes = [f"{file}:{side}:3:x" for file in ("agent.nix", "other.nix") for side in ("old", "new")]
    await note_drafts.keep_notes(repos.host, "ada", made.id, given_notes, NOW)
    moved = repos.fetch(repos.commit({"agent.nix": "{ }\n"}))
    assert await repos.applied.move_main(moved, first)
    left = await note_drafts.load_notes(repos.host, "ada", made.id)
    assert {(one.file, one.side) for one in left} == {("agent.nix", "new"), ("other.nix", "old"), ("other.nix", "new")}


async def test_each_note_is_marked_by_what_the_next_proposal_does_with_its_lines(repos: AgentRepos) -> None:
    await denied(repos, "agent.nix:new:2:Change", "agent.nix:new:5-7:Rename", "agent.nix:new:9:Drop")
    changed = (
        MODULE.replace("  line 1\n", "  line 0\n  line 1\n").replace("line 6", "line six").replace("  line 9\n", "")
    )
    assert await marks(repos, repos.commit({"agent.nix": changed})) == [
        ("untouched", 3),
        ("touched", 6),
        ("touched", 9),
    ]


async def test_a_note_follows_its_file_when_that_is_renamed_and_is_touched_when_it_is_gone(repos: AgentRepos) -> None:
    await denied(repos, "agent.nix:new:4:Why?")
    assert await marks(repos, repos.commit({"agent.nix": None, "moved.nix": MODULE})) == [("untouched", 4)]
    assert await marks(repos, repos.commit({"moved.nix": None})) == [("touched", None)]


async def test_a_note_on_an_old_line_is_touched_when_the_line_is_back(repos: AgentRepos) -> None:
    main = repos.fetch(repos.commit({"agent.nix": MODULE}))
    assert await repos.applied.move_main(main, repos.main)
    shorter = MODULE.replace("  line 4\n", "").replace("  line 8\n", "")
    await denied(repos, "agent.nix:old:4:Keep it", "agent.nix:old:8:Keep this too", module=shorter)
    back = MODULE.replace("  line 8\n", "")
    assert await marks(repos, repos.commit({"agent.nix": back})) == [("touched", 4), ("untouched", 7)]


async def test_the_last_denied_one_counts_until_another_is_deployed(repos: AgentRepos) -> None:
    await denied(repos, "agent.nix:new:1:First")
    second = await denied(repos, "agent.nix:new:2:Second", module=MODULE + "  more\n")
    third = await repos.pin(repos.commit({"agent.nix": "{ }\n"}))
    found = await find_denied_before(repos.host, repos.name, third.id)
    assert found is not None
    assert (found.id, found.note, [one.text for one in found.lines]) == (second.id, "Not yet", ["Second"])
    assert await find_denied_before(repos.host, repos.name, second.id) is not None  # the first one
    other = await repos.pin(repos.commit({"agent.nix": "{ a = 1; }\n"}))
    await repos.mark_deployed(other.id, other.commit or "")
    following = await repos.pin(repos.commit({"agent.nix": "{ a = 2; }\n"}))
    assert await find_denied_before(repos.host, repos.name, following.id) is None


async def test_a_denied_commit_that_is_proposed_again_is_named_as_denied_whatever_was_deployed(
    repos: AgentRepos,
) -> None:
    first = await denied(repos)
    assert first.commit is not None
    assert first.denied_before is None, "it was not denied before itself"
    other = await repos.pin(repos.commit({"agent.nix": "{ a = 1; }\n"}))
    assert other.denied_before is None
    await repos.mark_deployed(other.id, other.commit or "")
    again = await repos.pin(first.commit)
    assert await find_denied_before(repos.host, repos.name, again.id) is None, "another was deployed since"
    denial = Denial(id=first.id, decided_by=OPERATOR.name, decided_at=first.decided_at, note="Not yet")
    assert again.denied_before == denial
    assert (await queries.find_proposal(repos.host, again.id)).denied_before == denial
    assert [one.denied_before for one in await queries.list_proposals(repos.host)] == [denial]
    second = await decide.deny(repos.host, again.id, "Still not", OPERATOR)
    assert second.denied_before == denial
    third = await repos.pin(first.commit)
    assert third.denied_before is not None
    assert (third.denied_before.id, third.denied_before.note) == (second.id, "Still not")


@given(st.text(alphabet="a:1-7old", max_size=24))
def test_every_reading_of_a_text_gives_it_back(text: str) -> None:
    for one in read_note(text):
        assert text.startswith(f"{one.file}:")
        assert text.endswith(f"{one.first}:{one.text}" if one.first == one.last else f"-{one.last}:{one.text}")


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), max_size=6))
def test_a_line_that_is_kept_is_found_where_it_is_now(parts: list[tuple[int, int, int]]) -> None:
    old: list[object] = []
    new: list[object] = []
    hunks = []
    for number, (kept, removed, added) in enumerate(parts):
        common = [(number, index) for index in range(kept + 1)]
        old, new = [*old, *common], [*new, *common]
        if removed or added:
            starts = (len(old) + bool(removed), len(new) + bool(added))
            hunks.append(Hunk(starts[0], removed, starts[1], added))
        old += [f"-{number}"] * removed
        new += [f"+{number}"] * added
    lines = FileLines(tuple(hunks))
    for number, line in enumerate(old, 1):
        assert (number in lines.removed(number, number)) == isinstance(line, str)
        now = lines.now(number)
        if not isinstance(line, str):
            assert now is not None
            assert new[now - 1] == line
