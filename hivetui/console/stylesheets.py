"""Style sheets beside their modules, for widgets and for screens that others inherit from.

A screen that nothing inherits from names its file in `CSS_PATH`. Textual does not inherit CSS_PATH, and widgets do not
have it, so these read the file into `DEFAULT_CSS`.
"""

from __future__ import annotations

from pathlib import Path


def read_stylesheet(module_file: str) -> str:
    """The text of the .tcss file beside a module, which passes its `__file__`."""
    return Path(module_file).with_suffix(".tcss").read_text(encoding="utf-8")
