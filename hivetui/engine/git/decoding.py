"""Turns bytes of git objects into text as git does, without losing any of them. Pure.

A commit or tag may name its encoding (git-commit(1), "DISCUSSION"). Without a name, or where the bytes do not fit it,
they are UTF-8; a byte that is not becomes a lone surrogate (PEP 383), which `text.safe` shows as a token and
`text.exact_bytes` turns back. Only character encodings are looked up by the name, since an agent chose it.
"""

from __future__ import annotations

import codecs

_ENCODINGS = frozenset(
    (
        *(f"iso8859-{part}" for part in range(1, 17)),
        *(f"cp{page}" for page in (437, 720, 737, 775, 850, 852, 855, 856, 857, 858, *range(860, 867), 869, 874)),
        *(f"cp{page}" for page in (932, 936, 949, 950, 1006, 1125, *range(1250, 1259))),
        *("ascii", "utf-8", "koi8-r", "koi8-u", "koi8-t", "tis-620", "hp-roman8"),
        *(f"mac-{script}" for script in ("roman", "cyrillic", "greek", "turkish", "latin2", "iceland", "croatian")),
        *("euc_jis_2004", "euc_jisx0213", "shift_jis_2004"),
        *("euc_jp", "shift_jis", "shift_jisx0213", "iso2022_jp", "gb2312", "gbk", "gb18030", "big5", "big5hkscs"),
        *("euc_kr", "johab", "ptcp154", "kz1048"),
    )
)
_OTHER_NAMES = {
    **{"windows-31j": "cp932", "x-sjis": "cp932", "ms-ansi": "cp1252", "ms-ee": "cp1250", "ms-cyrl": "cp1251"},
    **{"latin-9": "iso8859-15", "big-5": "big5", "cn-big5": "big5", "windows-936": "cp936", "euc-jp-ms": "euc_jp"},
}
"""Names of encodings that other programs know, and Python does not."""


def decode(raw: bytes, encoding: str = "") -> str:
    """The text of `raw` in the encoding of that name, or in UTF-8; undecodable bytes become lone surrogates."""
    if encoding and (codec := _find_codec(encoding)) is not None:
        try:
            return raw.decode(codec)
        except UnicodeDecodeError:
            pass  # as git does, which then shows the bytes as they are
    return raw.decode("utf-8", "surrogateescape")


def _find_codec(encoding: str) -> str | None:
    """The name of the codec, if it is one of characters; None for an unknown one."""
    try:
        name = encoding[:40].strip()
        name = codecs.lookup(_OTHER_NAMES.get(name.lower(), name)).name
    except (LookupError, ValueError):
        return None
    return name if name in _ENCODINGS else None
