"""Hostile lines of a log, and one of ten megabytes among them: shown as text, searched, filtered, copied."""

from __future__ import annotations

import base64
import re
import unicodedata
from typing import TYPE_CHECKING

import pytest

from .conftest import answers, click_everything
from .corpus import ESCAPE_SHOWN, OVERRIDE_SHOWN

if TYPE_CHECKING:
    from tests.console.conftest import Terminal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def logs(watched: Terminal) -> Terminal:
    """The logs of both agents, the long line among them."""
    watched.type("4")
    answers(watched)
    watched.until("MK-last line", "MK-long", ESCAPE_SHOWN, OVERRIDE_SHOWN)
    return watched


def test_the_logs(logs: Terminal) -> None:
    answers(logs)
    click_everything(logs)
    for keys in ("w", "w", "l", "h", "G", "F", "F", "/MK-click\r", "n", "N", "&MK-\r", "!", "&\r", "T", "O"):
        logs.type(keys)
        logs.settle(0.2)
        click_everything(logs)
    answers(logs)
    for key, words in (("A", "Whose logs?"), ("t", "How much of the log?")):
        logs.type(key)
        logs.until(words)
        logs.press("\x1b", gone=words)


def test_a_wrapped_line_of_ten_megabytes_says_how_long_it_is(logs: Terminal) -> None:
    logs.type("w")
    answers(logs)
    logs.type("/entry of\r")
    logs.until("bytes, truncated")
    answers(logs)


def test_a_copy_of_the_log_is_safe_text(logs: Terminal) -> None:
    logs.type("y")
    logs.until("copied")
    (copied,) = re.findall(rb"\x1b\]52;c;([A-Za-z0-9+/=]+)\x07", logs.written)
    text = base64.b64decode(copied).decode()
    assert "MK-last line" in text
    assert OVERRIDE_SHOWN in text
    assert not [char for char in text if unicodedata.category(char) in ("Cc", "Cf") and char != "\n"]
