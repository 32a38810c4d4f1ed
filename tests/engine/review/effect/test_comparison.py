"""What is compared of two systems, and how it is written: pure functions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hivetui.engine.model.effect import Unknown
from hivetui.engine.review.effect import closures, exposure, notation, systems, work
from hivetui.engine.review.effect.options import MAX_OPTIONS, compare_options


@pytest.mark.parametrize(
    ("encoded", "text"),
    [
        (["n"], "null"),
        (["b", True], "true"),
        (["i", -3], "-3"),
        (["l", [["i", -3], ["s", "a"]]], '[ (-3) "a" ]'),
        (["l", []], "[ ]"),
        (["s", 'a "b" ${c} \\ \n'], '"a \\"b\\" \\${c} \\\\ \\n"'),
        (["a", {"x": ["i", 1], "a b": ["p", "/etc/x"]}], '{ "a b" = /etc/x; x = 1; }'),
        (["d", "jq-1.7"], "«derivation jq-1.7»"),
        (["d", "a» ] «b"], "«derivation a ] b»"),
        (["p", "/x ] y"], "«path /x ] y»"),
        (["e"], "«cannot be evaluated»"),
        (["f"], "«function»"),
        ({"what": "ever"}, "«unknown»"),
    ],
)
def test_values_are_written_as_nix_writes_them(encoded: Any, text: str) -> None:
    assert notation.render(encoded) == text


def test_a_name_that_is_no_identifier_is_quoted_in_a_path() -> None:
    assert notation.dotted(["environment", "etc", "a/b.conf", "text"]) == 'environment.etc."a/b.conf".text'


def test_paths_into_the_source_of_each_side_do_not_differ_because_the_source_has_another_hash() -> None:
    value = ["l", [["p", "/nix/store/abc-source/motd"], ["s", "cat /nix/store/abc-source/x"]]]
    assert notation.render(notation.replace_source(value, "/nix/store/abc-source")) == '[ ./motd "cat ./x" ]'


def changes(**options: tuple[Any, Any]) -> dict[str, Any]:
    changed = [{"path": name.split("__"), "old": old, "new": new} for name, (old, new) in options.items()]
    return {"x": {"changed": changed, "hidden": 2}}


def test_a_change_has_both_values_and_its_place_and_a_removed_option_that_of_the_base() -> None:
    compared = changes(a__b=(["i", 1], ["i", 2]), a__c=(["s", "x"], None))
    options, unknown, hidden = compare_options(compared, {}, lambda path, side: (f"{side}.nix", len(path)))
    assert [(one.option, one.old, one.new, one.side, one.file, one.line) for one in options] == [
        ("a.b", "1", "2", "new", "new.nix", 2),
        ("a.c", '"x"', None, "old", "old.nix", 2),
    ]
    assert (unknown, hidden) == ((), 2)


def test_what_cannot_be_evaluated_is_unknown_even_where_both_sides_are_alike() -> None:
    options, unknown, _ = compare_options(changes(a__b=(["e"], ["e"])), {}, lambda path, side: None)
    assert options == ()
    assert [(one.namespace, one.side) for one in unknown] == [("a.b", "old"), ("a.b", "new")]


def test_many_unknown_options_are_counted_by_namespace() -> None:
    many = changes(**{f"a__n{number}": (["n"], ["e"]) for number in range(30)})
    _, unknown, _ = compare_options(many, {}, lambda path, side: None)
    assert unknown == (Unknown(namespace="a", side="new", why="30 of its options cannot be evaluated"),)


@pytest.mark.parametrize("name", ["services__x__password", "users__a__hashedPassword", "environment__API_KEY"])
def test_a_value_that_looks_like_a_secret_is_hashed(name: str) -> None:
    (option,) = compare_options(changes(**{name: (["s", "old one"], ["s", "hunter2"])}), {}, lambda path, side: None)[0]
    assert (option.old, option.new, option.bytes) == (None, None, 9)
    assert option.sha256 is not None
    assert "hunter2" not in option.model_dump_json()


def test_a_file_with_a_secret_is_no_secret() -> None:
    (option,) = compare_options(
        changes(services__x__passwordFile=(None, ["s", "/run/x"])), {}, lambda path, side: None
    )[0]
    assert option.new == '"/run/x"'


def test_a_large_value_is_hashed() -> None:
    (option,) = compare_options(changes(a__b=(["s", "x"], ["s", "y" * 5000])), {}, lambda path, side: None)[0]
    assert (option.old, option.new, option.bytes) == (None, None, 5002)


def test_a_flood_of_options_in_one_namespace_leaves_out_none_of_another() -> None:
    flood = {f"environment__etc__n{number}": (None, ["i", 1]) for number in range(MAX_OPTIONS + 5)}
    options, unknown, _ = compare_options(
        changes(**flood, users__users__x=(None, ["i", 1])), {}, lambda path, side: None
    )
    assert len(options) == MAX_OPTIONS
    assert options[-1].option == "users.users.x"
    assert unknown == (Unknown(namespace="more options", side="new", why="6 more changed options are not listed"),)


# Packages, units, /etc


def test_packages_are_added_removed_and_changed_by_name() -> None:
    found = systems.compare_packages(
        ["jq-1.6", "git-2.47", "python3-3.12-env"],
        ["jq-1.7", "git-2.47", "fd", "nix-1.0-2"],
        {"jq-1.6": 10, "jq-1.7": 15},
    )
    assert [(one.name, one.old, one.new, one.bytes) for one in found.changed] == [("jq", "1.6", "1.7", 5)]
    assert [(one.name, one.version) for one in found.added] == [("fd", ""), ("nix", "1.0-2")]
    assert [(one.name, one.version) for one in found.removed] == [("python3", "3.12-env")]


def test_a_second_version_of_a_package_is_added_not_changed() -> None:
    found = systems.compare_packages(["gcc-13"], ["gcc-13", "gcc-14"])
    assert ([one.version for one in found.added], found.changed) == (["14"], ())


def test_units_are_compared_field_by_field_from_text_and_from_options() -> None:
    text = "[Unit]\nDescription=a\n[Service]\n# no\nExecStart=x\nEnvironment=A=1\nEnvironment=B=2\n"
    old = {"a.service": ["s", text], "b.service": ["a", {"script": ["s", "date"]}], "gone.service": ["n"]}
    new = {
        "a.service": ["s", text.replace("A=1", "A=3")],
        "b.service": ["a", {"script": ["s", "date"], "serviceConfig": ["a", {"User": ["s", "x"]}]}],
        "new.timer": ["n"],
    }
    found = systems.compare_units(old, new)
    assert (found.added, found.removed) == (("new.timer",), ("gone.service",))
    assert [(one.unit, field.field, field.old, field.new) for one in found.changed for field in one.fields] == [
        ("a.service", "Service.Environment", "A=1\nB=2", "A=3\nB=2"),
        ("b.service", "serviceConfig.User", None, "x"),
    ]


def test_files_below_etc_are_compared_by_content() -> None:
    found = systems.compare_etc({"a": ["s", "x"], "b": ["s", "y"]}, {"b": ["s", "z"], "c": ["n"]})
    assert (found.added, found.removed, found.changed) == (("c",), ("a",), ("b",))


def test_a_system_that_stays_restarts_nothing() -> None:
    assert systems.restart({"a.service": 1}, {"a.service": 1}, is_changed=False).stops == ()
    assert systems.restart({"a.service": 1}, {"b.service": 1}, is_changed=True).starts == ("b.service",)


PLAN = """\
warning: something
these 2 derivations will be built:
  /nix/store/0p2n1vvsmm3jjzn1fcyb0kzgbpp1dyp7-etc.drv
  /x/store/1p2n1vvsmm3jjzn1fcyb0kzgbpp1dyp7-nixos-system-agent-24.05.drv
these 2 paths will be fetched (1.50 MiB download, 6.00 MiB unpacked):
  /nix/store/2p2n1vvsmm3jjzn1fcyb0kzgbpp1dyp7-jq-1.7
  /nix/store/3p2n1vvsmm3jjzn1fcyb0kzgbpp1dyp7-onig-6.9.9-lib
"""


def test_the_plan_of_nix_says_what_is_built_and_fetched() -> None:
    found = work.parse_plan(PLAN)
    assert found.build == ("etc", "nixos-system-agent-24.05")
    assert found.fetch == ("jq-1.7", "onig-6.9.9-lib")
    assert found.download_bytes == 1572864


def test_a_plan_of_one_derivation_is_understood_and_nothing_to_do_is_nothing() -> None:
    line = "this derivation will be built:\n  /s/0p2n1vvsmm3jjzn1fcyb0kzgbpp1dyp7-a.drv\n"
    assert work.parse_plan(line).build == ("a",)
    assert work.parse_plan("").download_bytes == 0


# Sizes and exposure


def test_a_closure_is_read_in_the_forms_of_older_and_newer_nix() -> None:
    path = "/nix/store/0p2n1vvsmm3jjzn1fcyb0kzgbpp1dyp7-jq-1.7"
    assert closures.parse_closure(json.dumps([{"path": path, "narSize": 5}]).encode()) == {path: 5}
    assert closures.parse_closure(json.dumps({path: {"narSize": 5}}).encode()) == {path: 5}
    assert closures.parse_closure(b"[1]") is None


def test_the_exposure_of_a_service_is_read_from_the_tool() -> None:
    assert exposure.parse_level("x\n→ Overall exposure level for a.service: 9.1 UNSAFE 😨\n") == 9.1
    assert exposure.parse_level("no such unit") is None


def test_a_unit_that_is_known_by_options_is_written_with_what_its_service_sets() -> None:
    encoded = ["a", {"description": ["s", "x"], "serviceConfig": ["a", {"PrivateNetwork": ["b", True]}]}]
    assert "PrivateNetwork=true\n" in systems.unit_text(encoded)
    assert systems.unit_text(["s", "[Unit]\n"]) == "[Unit]\n"
