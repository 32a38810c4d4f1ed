"""Nix's machine-readable log becomes the text that nix itself would print, whatever is in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivetui.engine.nix import internal_log
from hivetui.engine.nix.internal_log import Event, Message, Result, Started, Stopped, Text

TEXT = st.text('a-/ \n\t\r\x1b[1m"\\\u00e9\u65e5\u202e\ud800', max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
EVENTS = st.fixed_dictionaries(
    {"action": st.sampled_from(["start", "stop", "result", "msg", "x"])},
    optional={
        "id": st.integers(0, 3) | JSON,
        "type": st.sampled_from([100, 101, 103, 104, 105, 106, 107, 108, 111]) | JSON,
        "level": st.integers(0, 7) | JSON,
        "fields": st.lists(st.integers() | TEXT, max_size=5) | JSON,
        "text": TEXT | JSON,
        "msg": TEXT | JSON,
        "raw_msg": TEXT | JSON,
    },
)


def line(**content: Any) -> str:
    return "@nix " + json.dumps(content)


def lines_of(text: str, name: str = "hello") -> list[str]:
    return [*internal_log.text_of(internal_log.parse_line(text), name)]


def test_a_line_of_a_builder_has_the_name_of_what_is_built_before_it() -> None:
    assert lines_of(line(action="result", id=7, type=101, fields=["checking for gcc... \x1b[32myes\x1b[0m\r"])) == [
        "hello> checking for gcc... yes"
    ]
    assert lines_of(line(action="result", id=7, type=107, fields=["uploaded"])) == ["hello (post)> uploaded"]
    assert lines_of(line(action="result", id=7, type=101, fields=["a\tb"]), "t") == ["t> a    b"]


def test_an_error_is_shown_in_full_with_all_its_lines() -> None:
    text = "\x1b[31;1merror:\x1b[0m undefined variable 'nope'\n\n       at /nix/store/x/agent.nix:1:38:\n\n  1| nope"
    assert lines_of(line(action="msg", level=0, msg=text, raw_msg="undefined variable 'nope'")) == [
        "error: undefined variable 'nope'",
        "",
        "       at /nix/store/x/agent.nix:1:38:",
        "",
        "  1| nope",
    ]


@pytest.mark.parametrize(
    "text",
    [
        line(action="start", id=1, level=6, type=0, text="querying info about missing paths"),
        line(action="start", id=1, level=1, type=111, text="waiting for locks"),
        line(action="stop", id=1),
        line(action="result", id=1, type=104, fields=["buildPhase"]),
        line(action="result", id=1, type=105, fields=[1, 2, 3, 4]),
        line(action="result", id=1, type=101, fields=[""]),
        line(action="result", id=1, type=101, fields=[7]),
    ],
)
def test_what_nix_would_not_print_is_not_printed(text: str) -> None:
    assert lines_of(text) == []


def test_an_activity_that_matters_is_printed_when_it_begins() -> None:
    text = "building '/nix/store/x-a.drv'"
    assert lines_of(line(action="start", id=1, level=3, type=105, text=text, fields=["/x"])) == [f"{text}..."]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "warning: \x1b[35mraw\x1b[0m",
        "@nix",
        "@nix {",
        "@nix 7",
        "@nix [1]",
        "@nix {}",
        '@nix {"action":"x"}',
    ],
)
def test_a_line_that_is_no_event_stays_as_it_is(text: str) -> None:
    assert internal_log.parse_line(text) == Text(text)
    assert lines_of(text) == [text]


def test_an_event_that_nests_too_deeply_is_only_text() -> None:
    text = "@nix " + "[" * 100_000
    assert internal_log.parse_line(text) == Text(text)


def test_of_an_event_that_was_cut_the_text_is_kept() -> None:
    whole = line(action="result", fields=["a very \\ long \u00e9 line " + "x" * 100], id=7, type=101)
    assert lines_of(whole[:80])[0].startswith("a very \\ long \u00e9 line xxx")
    escape = whole.index("\\u00e9")
    assert lines_of(whole[: escape + 3]) == ["a very \\ long "]
    cut_message = line(action="msg", level=0, msg="error: one\ntwo" + "x" * 100)[:60]
    assert lines_of(cut_message)[0].startswith("error: one two")


def test_only_nix_itself_reports_errors() -> None:
    """A trace has the same level, and a builder can ask nix for a message of any level."""
    own = internal_log.parse_line(line(action="msg", level=0, msg="error: x", raw_msg="x"))
    assert internal_log.is_error(own)
    for other in (line(action="msg", level=0, msg="error: x"), line(action="msg", level=1, msg="w", raw_msg="w")):
        assert not internal_log.is_error(internal_log.parse_line(other))


@pytest.mark.parametrize(
    ("path", "name", "prefix"),
    [
        ("/nix/store/7kq2-hello-2.12.1.drv", "hello-2.12.1", "hello"),
        ("/nix/store/7kq2-nixos-system-h-alice-25.05.drv", "nixos-system-h-alice-25.05", "nixos-system-h-alice"),
        ("/nix/store/7kq2-unit-script-x-start.drv", "unit-script-x-start", "unit-script-x-start"),
        ("nothing", "", ""),
        ("", "", ""),
    ],
)
def test_the_name_of_a_derivation(path: str, name: str, prefix: str) -> None:
    assert internal_log.derivation_name(path) == name
    assert internal_log.log_prefix(name) == prefix


@given(TEXT | TEXT.map("@nix ".__add__) | JSON.map(lambda one: "@nix " + json.dumps(one)))
def test_any_line_is_an_event_or_itself(text: str) -> None:
    event = internal_log.parse_line(text)
    assert isinstance(event, Message | Started | Stopped | Result | Text)
    assert all("\n" not in shown for shown in internal_log.text_of(event, "x") if "\n" not in text)


@given(EVENTS)
def test_any_event_is_read_and_can_be_written(content: dict[str, Any]) -> None:
    event: Event = internal_log.parse_line("@nix " + json.dumps(content))
    for shown in internal_log.text_of(event, "x"):
        assert "\n" not in shown
        assert "\x1b[" not in shown or isinstance(event, Text)
        shown.encode()
