"""What a value of the engine has not got is null in JSON, and the value comes back from it as it was."""

from __future__ import annotations

import json

import pytest

from hivetui.engine.model.agents import BaseUpdate
from hivetui.engine.model.base import Model
from hivetui.engine.model.records import Problem, ProblemCode, Verification
from hivetui.engine.model.warnings import Check
from hivetui.wire.values import from_json, to_json


@pytest.mark.parametrize(
    "value",
    [
        BaseUpdate(old="", new="git+file:///base?rev=1", outdated=("iris",)),
        Check(name="git", ok=True, found="git version 2.39.5", fix=""),
        Verification(
            checked=3,
            problems=(Problem(proposal=None, agent="", commit=None, code=ProblemCode.MISSING, text="gone"),),
        ),
    ],
)
def test_what_is_not_there_is_null_and_comes_back(value: Model) -> None:
    content = to_json(value)
    assert '""' not in json.dumps(content)
    assert from_json(type(value), content) == value
