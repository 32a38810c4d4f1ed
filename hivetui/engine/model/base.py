"""The base of every value that crosses a border: frozen, and unknown fields are refused.

Times are aware and in UTC. Text is exact, as it came from outside: whoever shows it passes it through `text.safe`.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

SCHEMA = "hivetui/1"


class Model(BaseModel):
    """A frozen value; a field that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
