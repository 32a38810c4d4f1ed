"""Parsing, help and usage errors, before any hive is opened."""

import io
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hivetui import __version__, cli
from hivetui.cli import dispatch, parser
from hivetui.cli.output import Output
from hivetui.console.actions import ACTIONS
from hivetui.engine.model.acts import ACTS, Tier, describe_consequence, tier_of
from hivetui.engine.model.errors import BadData, HiveError, WrongUsage

ROOT = Path(__file__).parents[2]


def test_the_version_is_that_of_the_package() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == __version__


@pytest.mark.parametrize("words", [["--json", "agents"], ["agents", "--json"]])
def test_options_stand_before_or_after_the_verb(words: list[str]) -> None:
    assert parser.parse([*words, "--root", "/x"]).json is True
    assert parser.parse(["--root", "/x", *words]).root == "/x"


def test_the_later_of_two_options_counts() -> None:
    assert parser.parse(["--config", "a", "agents", "--config", "b"]).config == "b"


def test_an_unknown_verb_gets_the_nearest_one() -> None:
    with pytest.raises(WrongUsage) as caught:
        parser.parse(["aprove", "3"])
    assert caught.value.fix == "Did you mean: hivetui approve"


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["show"],
        ["show", "x"],
        ["show", "1", "2"],
        ["deny", "1"],
        ["rollback", "iris", "--to", "1"],
        ["rollback", "iris", "--note", "x"],
        ["start"],
        ["rebuild", "iris", "--jobs", "0"],
        ["logs", "iris", "-n", "many"],
        ["agents", "--frobnicate"],
        ["agents", "--js"],
        ["--root", "/a", "--embedded", "/b", "agents"],
        ["--embedded", "", "agents"],
        ["--root", "", "agents"],
        [],
    ],
)
def test_wrong_usage_is_three_lines_and_64(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 64
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 3


@pytest.mark.parametrize(
    ("words", "unknown", "nearest"),
    [
        (["attach"], "'attach' is not a verb", "Read: hivetui --help"),
        (["approve", "1", "--comit", "x"], "'--comit' is not an option", "Did you mean: --commit"),
    ],
)
def test_verbs_and_options_of_other_versions_are_unknown(
    words: list[str], unknown: str, nearest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 64
    what, _, fix = capsys.readouterr().err.splitlines()
    assert what.startswith(unknown)
    assert fix == nearest


@pytest.mark.parametrize("words", [[], *([verb] for verb in parser.VERB_NAMES)])
def test_help_has_no_wrapped_line_at_80_columns(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        cli.main([*words, "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(" ".join(["usage: hivetui", *words, "[OPTION ...]"]))
    assert [line for line in lines if len(line) > 79 or line.startswith(" " * 12)] == []


def test_verbs_and_keys_have_the_tiers_of_one_table() -> None:
    assert set(ACTS) == {*parser.VERB_NAMES, "purge"} - {"demo"}
    acts = [action for action in ACTIONS if action.method in ACTS and tier_of(action.method) is not Tier.IMMEDIATE]
    wanted = {"stop", "restart", "rebuild", "spawn", "destroy", "purge", "approve", "deny", "withdraw", "cancel"}
    assert {action.method for action in acts} == wanted | {"rollback"}
    assert {action.id: action.tier for action in acts} == {action.id: tier_of(action.method) for action in acts}
    assert {action.tier for action in ACTIONS if action.method == "start"} == {Tier.IMMEDIATE}


def test_no_text_promises_a_restart_of_what_stays_as_it_is() -> None:
    (key,) = (action.tooltip for action in ACTIONS if action.id == "agents.rebuild")
    (verb,) = (verb.help for verb in parser.VERBS if verb.name == "rebuild")
    assert all("only if that is not what runs" in describe_consequence("rebuild", is_one) for is_one in (True, False))
    assert "restart if it differs" in key
    assert "restart what differs" in verb


@pytest.mark.parametrize("act", [act for act, row in ACTS.items() if row.answer])
def test_an_act_that_asks_can_be_answered_on_the_command_line(act: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["destroy" if act == "purge" else act, "--help"])
    offered = capsys.readouterr().out
    assert all(word in offered for word in ACTS[act].answer.split())


def test_every_verb_that_help_offers_is_implemented() -> None:
    assert {*dispatch.VERBS, "demo", "engine", "serve", "status", "mcp", "shell"} == set(parser.VERB_NAMES)


def test_advice_names_the_hive_that_was_given() -> None:
    prefix = parser.command_prefix(["--json", "--embedded", "my hive", "agents", "--config=x.toml"])
    assert prefix == "hivetui --embedded 'my hive' --config x.toml"
    out = Output(sys.stdout, sys.stderr, False, prefix)
    assert out.complete_commands("Run hivetui show 7; hivetui is fine") == f"Run {prefix} show 7; hivetui is fine"
    assert parser.command_prefix(["agents", "--root"]) == "hivetui"


def test_an_id_is_written_as_the_console_writes_it_or_plain(capsys: pytest.CaptureFixture[str]) -> None:
    assert parser.parse(["show", "#7"]).id == parser.parse(["show", "7"]).id == 7
    assert cli.main(["show", "iris"]) == 64
    assert "'iris' is not an id such as 7 or #7" in capsys.readouterr().err


def test_a_name_that_looks_like_an_option_is_a_bad_name() -> None:
    with pytest.raises(BadData, match="'-x' is not a valid agent name"):
        parser.parse(["spawn", "-x"])


def test_every_verb_has_a_help_text(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in parser.VERB_NAMES:
        with pytest.raises(SystemExit) as ended:
            cli.main([verb, "--help"])
        assert ended.value.code == 0
        assert verb in capsys.readouterr().out


def test_help_and_errors_import_no_screen_and_no_models() -> None:
    code = (
        "import sys; from hivetui import cli; cli.main(['agnets']);"
        "print(sorted({'textual', 'rich', 'asyncssh', 'git', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_agents_import_no_screen() -> None:
    code = "import sys; import hivetui.cli.dispatch; print('textual' in sys.modules, 'rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False False"


def test_a_console_imports_no_engine_which_is_a_process_of_its_own() -> None:
    opening = "app", "cli.console_engine", "cli.settings", "cli.console_hives", "client.hive", "screens.navigation"
    code = (
        f"import sys; import {', '.join(f'hivetui.{module}' for module in opening)};"
        "print(sorted({'hivetui.engine.hive', 'hivetui.embedded.hive', 'git', 'asyncssh'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_without_a_terminal_the_verbs_are_listed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hivetui"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 64
    assert "Use a verb: demo, agents" in done.stderr


def test_a_machine_without_systemd_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "systemctl").write_text("#!/bin/sh\necho 'Host is down' >&2\nexit 1\n")
    (tools / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    assert cli.main(["--root", str(tmp_path / "root"), "agents"]) == 69
    assert capsys.readouterr().err.splitlines() == [
        "systemd does not answer",
        "Host is down",
        f"Check the host: hivetui --root {tmp_path}/root doctor",
    ]
    (tools / "systemctl").unlink()
    monkeypatch.setenv("PATH", str(tools))
    assert cli.main(["--root", str(tmp_path / "root"), "agents"]) == 69
    assert "systemctl" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["/proc/nowhere", "/dev/null/x"])
def test_a_place_where_nothing_can_be_made_is_73(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--embedded", place, "spawn", "iris"]) == 73
    assert len(capsys.readouterr().err.splitlines()) == 3


LONG = "x" * 100_000


@pytest.mark.parametrize(
    "words",
    [
        [LONG],
        [f"--{LONG}"],
        ["agents", LONG],
        ["show", LONG],
        ["logs", "iris", "-n", LONG],
        ["spawn", f"-{LONG}"],
        ["spawn", "iris", "a b " * 25_000],
        ["--root", LONG, "agents"],
        ["--embedded", LONG, "agents"],
        ["--embedded", f"/{LONG}", "spawn", "iris"],
        ["--config", LONG, "agents"],
        ["demo", "--tour", "--keep", LONG],
    ],
)
def test_an_error_never_repeats_a_long_argument_whole(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) in (64, 65, 66, 73, 78)
    written = capsys.readouterr().err
    assert len(written) < 2500
    assert len(written.splitlines()) == 3


def test_every_part_of_an_error_is_bounded_and_says_how_much_is_left_out() -> None:
    error = HiveError(LONG, "one\n" + LONG + "\nline" * 9_000, LONG)
    assert error.what == f"{'x' * 200} … (+99700 characters) … {'x' * 100}"
    assert error.why.startswith("one\nxxx")
    assert len(str(error)) < 20_000
    assert HiveError("x" * 320).what == "x" * 320


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("-n", "-5", "'-5' is not a number of lines: use 0, 100, or \"all\""),
        ("-n", "many", "'many' is not a number of lines: use 0, 100, or \"all\""),
        ("-n", "1.5", "'1.5' is not a number of lines: use 0, 100, or \"all\""),
    ],
)
def test_a_wrong_number_is_explained_without_names_of_the_code(option: str, value: str, why: str) -> None:
    with pytest.raises(WrongUsage) as caught:
        parser.parse(["logs", "iris", option, value])
    assert caught.value.why == f"argument -n/--lines: {why}"


@pytest.mark.parametrize("value", ["0", "-1", "two", "9" * 400])
def test_a_wrong_number_of_jobs_is_explained(value: str) -> None:
    with pytest.raises(WrongUsage, match="is not a number from 1"):
        parser.parse(["start", "iris", "--jobs", value])


DOOR = """import os, socket
from hivetui.door import messages, warm_parent
ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
ours.send(messages.pack(messages.Home("/nowhere", {}, "/nowhere")))
ours.close()
sys.argv[1:] = [str(its.detach())]
warm_parent.main()"""
ENTRIES = {
    "verb": "from hivetui.cli import main; main(['version-x'])",
    "worker": "from hivetui.engine import worker; worker.main(['/nowhere', '-1', '-1'])",
    "stand-in": "from hivetui.embedded import launch; launch.main(['/nowhere', 'version-x'])",
    "demo": "from hivetui.demo import stage; stage.main(['--version-x'])",
    "door": DOOR,
}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("wanted", [False, True], ids=["person", "developer"])
def test_no_warning_of_python_reaches_a_person_and_each_a_developer(entry: str, wanted: bool) -> None:
    """After each program has begun, however it ended: what it says for developers is not shown."""
    start = "\n".join(f"    {line}" for line in ENTRIES[entry].splitlines())
    warn = "warnings.warn('for developers', FutureWarning)"
    code = f"import sys, warnings\ntry:\n{start}\nexcept BaseException as end:\n    print(repr(end))\n{warn}"
    options = ["-W", "default"] if wanted else []
    done = subprocess.run([sys.executable, *options, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0
    assert ("for developers" in done.stderr) is wanted, done


def test_an_error_is_one_line_that_says_what_one_why_and_one_what_to_do() -> None:
    out, err = io.StringIO(), io.StringIO()
    why = "The configuration forbids it.\nagent.nix:3: nope\n       at flake.nix:1:1\n"
    Output(out, err, as_json=True).print_error(BadData("It was refused", why, "First this,\nthen: hivetui doctor"))
    assert err.getvalue().splitlines() == [
        "It was refused",
        "The configuration forbids it. agent.nix:3: nope; at flake.nix:1:1",
        "First this, then: hivetui doctor",
    ]
    assert json.loads(out.getvalue())["error"]["why"] == why
