"""An effect that changes thousands of values: what is found in it takes time in proportion to their number."""

from __future__ import annotations

from time import thread_time

import pytest

from hivetui.engine.model.effect import Effect, EffectState, OptionChange
from hivetui.engine.model.settings import ReviewSection
from hivetui.engine.review.findings.effect_findings import apply_to_effect
from hivetui.engine.review.findings.effect_options import Evaluated
from hivetui.engine.review.findings.effect_values import split_option
from hivetui.engine.review.findings.matching import MAX_IN_FILE, Subjects
from hivetui.engine.review.findings.rule_set import load_rules
from hivetui.engine.review.findings.subject import Subject

MANY = 10_000
SECONDS = 4.0
"""What grows with the square of the number takes minutes."""
PORTS, INTERFACES = "networking.firewall.allowedTCPPorts", "networking.firewall.interfaces"
FIREWALL = load_rules(ReviewSection()).rules["firewall"]


def listed(numbers: range) -> str:
    return f"[ {' '.join(map(str, numbers))} ]"


def by_interface(numbers: range) -> str:
    return f"{{ {' '.join(f'eth{one} = {{ allowedTCPPorts = [ 22 ]; }};' for one in numbers)} }}"


def effect_of(*options: tuple[str, str | None, str]) -> Effect:
    changes = tuple(OptionChange(option=option, old=old, new=new) for option, old, new in options)
    return Effect(state=EffectState.KNOWN, options=changes)


def written(*values: tuple[str, str]) -> Subjects:
    """What the text sets: options and their values."""
    subjects = Subjects()
    for option, value in values:
        subjects.add([Subject("option", value, path=split_option(option), file="agent.nix", line=1)])
    return subjects


ONE_LIST = effect_of((PORTS, listed(range(MANY)), listed(range(MANY, 2 * MANY))))
ONE_SET = effect_of((INTERFACES, by_interface(range(9)), by_interface(range(MANY))))
OPTIONS = effect_of(*((f"{INTERFACES}.eth{number}.allowedTCPPorts", None, "[ 22 ]") for number in range(MANY)))


@pytest.mark.parametrize(
    ("effect", "text", "count"),
    [
        (ONE_LIST, [(PORTS, str(port)) for port in range(MANY, 2 * MANY)], 0),
        (ONE_LIST, [(PORTS, str(port)) for port in range(MANY, 2 * MANY - 1)], 1),
        (ONE_LIST, [], 1),
        (ONE_SET, [(f"{INTERFACES}.eth{number}.allowedTCPPorts", "22") for number in range(9, MANY)], 0),
        (ONE_SET, [(f"{INTERFACES}.eth{number}.allowedTCPPorts", "23") for number in range(9, MANY)], MAX_IN_FILE + 1),
        (ONE_SET, [], MAX_IN_FILE + 1),
        (OPTIONS, [(f"{INTERFACES}.eth{number}.allowedTCPPorts", "22") for number in range(MANY)], 0),
        (OPTIONS, [], MAX_IN_FILE + 1),
    ],
    ids=["list", "list but one", "new list", "set", "other set", "new set", "options", "new options"],
)
def test_many_values_are_compared_with_the_text_in_linear_time(
    effect: Effect, text: list[tuple[str, str]], count: int
) -> None:
    evaluated, subjects = Evaluated(effect), written(*text)
    start = thread_time()
    found = list(apply_to_effect(FIREWALL, evaluated, subjects))
    assert thread_time() - start < SECONDS
    assert len(found) == count
