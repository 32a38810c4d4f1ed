"""The base of every value that enters or leaves the engine.

Times are aware and in UTC. Text is unchanged, as it came from outside: whoever prints it passes it through `text.safe`.
"""

from __future__ import annotations

import os

os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # to look for some reads about every installed package

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen value; an unknown field is an error."""

    # A validator is built when it is first used: a verb imports many of these values and uses few.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
