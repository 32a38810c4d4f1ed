"""Warnings of Python are for developers: a person who runs hivetui can do nothing about them.

Every program of hivetui that a person starts, or whose stderr is shown to one, calls `hide` first.
"""

from __future__ import annotations

import sys
import warnings


def hide() -> None:
    """Show no warning of Python, unless a developer has asked for them by -W or PYTHONWARNINGS."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
