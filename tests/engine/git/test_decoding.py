"""Text in git objects is decoded as git does, and no byte of it is lost."""

from __future__ import annotations

import pytest

from hivetui.engine.git.decoding import decode
from hivetui.engine.model.text import NO_MESSAGE, exact_bytes, safe, show_bytes, subject


@pytest.mark.parametrize(
    ("raw", "encoding", "text"),
    [
        ("Bär".encode("latin-1"), "ISO-8859-1", "Bär"),
        ("Bär".encode(), "", "Bär"),
        ("мир".encode("koi8-r"), "KOI8-R", "мир"),
        ("日本".encode("euc_jp"), "EUC-JP", "日本"),
        ("“x”".encode("cp1252"), "windows-1252", "“x”"),
        ("日本".encode("cp932"), "windows-31j", "日本"),
        ("日本".encode("euc_jisx0213"), "EUC-JISX0213", "日本"),
        ("中文".encode("big5"), "BIG-5", "中文"),
        ("αβγ".encode("cp737"), "CP737", "αβγ"),
        ("שלום".encode("cp862"), "IBM862", "שלום"),
        ("ığş".encode("mac-turkish"), "mac-turkish", "ığş"),
        ("€".encode("iso8859-15"), "Latin-9", "€"),
        ("Bär".encode(), "no-such-encoding", "Bär"),
    ],
)
def test_text_is_decoded_in_the_encoding_that_its_object_names(raw: bytes, encoding: str, text: str) -> None:
    assert decode(raw, encoding) == text
    assert exact_bytes(decode(raw, encoding)) is None


@pytest.mark.parametrize(
    "encoding", ["", "UTF-8", "US-ASCII", "rot13", "zlib", "unicode_escape", "punycode", "idna", "utf-7", "\0" * 999]
)
def test_bytes_that_fit_no_encoding_are_kept_and_no_codec_of_another_kind_is_run(encoding: str) -> None:
    text = decode(b"\\x41 B\xe4r +AGE-", encoding)
    assert exact_bytes(text) == b"\\x41 B\xe4r +AGE-"
    assert safe(text) == show_bytes(text) == "\\x41 B‹\\xe4›r +AGE-"


@pytest.mark.parametrize(
    ("message", "title"),
    [
        ("", NO_MESSAGE),
        (" \n\t\n", NO_MESSAGE),
        ("\n\n  Fix it  \n\nAt length", "Fix it"),
        ("Fix\nit\n \nmore", "Fix it"),
    ],
)
def test_the_subject_of_a_message_is_that_of_git(message: str, title: str) -> None:
    assert subject(message) == title
