"""What a message says beside what happens."""

from __future__ import annotations

import pytest

from hivetui.engine.model.effect import Effect, Intent, OptionChange, Package, PackageChanges, UnitChanges
from hivetui.engine.review.effect.intent import compare_intent, parse_trailers


def option(name: str, old: str | None = None, new: str | None = "1") -> OptionChange:
    return OptionChange(option=name, old=old, new=new)


EFFECT = Effect(
    options=(
        option("environment.systemPackages", '[ "git" ]', '[ "git" "jq" "ripgrep" ]'),
        option("networking.firewall.allowedTCPPorts", "[ 80 ]", "[ 80 8080 ]"),
        option("systemd.services.report.script", new='"date"'),
        option("environment.variables.X"),
    ),
    packages=PackageChanges(added=(Package(name="jq", version="1"), Package(name="ripgrep", version="2"))),
    units=UnitChanges(added=("report.service",)),
)


def compared(*trailers: str) -> Intent | None:
    return compare_intent(parse_trailers(["Title\n\n" + "\n".join(trailers)]), EFFECT)


def test_without_a_trailer_nothing_is_surplus() -> None:
    assert compared() is None


def test_what_follows_from_a_stated_thing_is_no_surplus() -> None:
    found = compared(
        "Intent: packages jq ripgrep",
        "Intent: ports 8080",
        "Intent: units report.service",
        "Intent: options environment.variables",
    )
    assert found is not None
    assert found.surplus == found.missing == ()
    assert found.match == (
        "packages jq", "packages ripgrep", "ports 8080", "units report.service", "options environment.variables",
    )  # fmt: skip


def test_what_happens_besides_is_surplus_and_told_by_the_kind_that_says_most() -> None:
    found = compared("Intent: packages jq")
    assert found is not None
    assert found.match == ("packages jq",)
    assert found.surplus == (
        "packages ripgrep", "units report.service", "ports 8080", "options environment.variables.X",
    )  # fmt: skip


def test_what_is_stated_and_does_not_happen_is_missing() -> None:
    found = compared("Intent: packages jq fd", "Intent: ports 22")
    assert found is not None
    assert found.missing == ("packages fd", "ports 22")


@pytest.mark.parametrize(
    ("trailer", "covered"),
    [
        ("options environment", "packages jq"),
        ("options networking.firewall", "ports 8080"),
        ("options systemd.services.report", "units report.service"),
        ("units report", "units report.service"),
    ],
)
def test_an_option_covers_what_is_below_it(trailer: str, covered: str) -> None:
    found = compared(f"Intent: {trailer}")
    assert found is not None
    assert covered not in found.surplus
    assert found.missing == ()


def test_a_trailer_is_a_line_of_its_own_and_has_one_kind() -> None:
    message = "We said Intent: packages jq.\nIntent: magic x\nIntent: packages a, b\nIntent: packages a"
    assert parse_trailers([message]) == [("packages", "a"), ("packages", "b")]
