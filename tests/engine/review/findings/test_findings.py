"""What a finding says, when two are the same, and that hostile input is bounded and told."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from hivetui.engine.model.effect import (
    Effect,
    EffectState,
    EtcChanges,
    FieldChange,
    Intent,
    OptionChange,
    PackageChange,
    PackageChanges,
    UnitChange,
    UnitChanges,
    Unknown,
)
from hivetui.engine.model.findings import Finding, Severity, Side
from hivetui.engine.model.settings import ReviewSection
from hivetui.engine.review.findings.budget import MAX_FINDINGS, Budget
from hivetui.engine.review.findings.evaluate import evaluate
from hivetui.engine.review.findings.matching import MAX_IN_FILE
from hivetui.engine.review.findings.rule_set import load_rules
from hivetui.engine.review.findings.tree import Blob, Change, Tree
from tests.engine.review.findings.corpus import BASE, Case, Files, agent, module, new_file

RULES = load_rules(ReviewSection())
TRUST = 'nix.settings.trusted-users = [ "mallory" ];'


def findings_of(files: Mapping[str, str | None], before: Files | None = None) -> list[Finding]:
    return list(evaluate(Case("", dict(files), before or {}).change, RULES).findings)


def the(rule: str, findings: list[Finding]) -> Finding:
    (found,) = (finding for finding in findings if finding.rule == rule)
    return found


def tree(*blobs: tuple[str, bytes] | Blob) -> Tree:
    return Tree.of(one if isinstance(one, Blob) else blob(*one) for one in blobs)


def blob(path: str, content: bytes, mode: str = "100644") -> Blob:
    return Blob(path, mode, hashlib.sha1(content).hexdigest(), len(content), content)


def rules_of(old: Tree, new: Tree) -> set[str]:
    return {finding.rule for finding in evaluate(Change(old, new), RULES).findings}


def test_a_finding_says_where_what_and_why() -> None:
    found = the("nix-trust", findings_of(agent(TRUST)))
    assert (found.file, found.line, found.side, found.severity) == ("agent.nix", 7, "new", Severity.CRITICAL)
    assert found.node == "nix.settings.trusted-users"
    assert found.text == 'nix.settings.trusted-users = "mallory"'
    assert found.why.endswith(".")
    rule, version, digest = found.id.replace("@", ":").split(":")
    assert (rule, version, len(digest)) == ("nix-trust", "1", 16)


@pytest.mark.parametrize(
    "lines",
    [
        ["", "# moved down", "", TRUST],
        ["nix = { settings = { trusted-users = [", '    "mallory"', "]; }; };"],
        ['nix.settings."trusted-users" = [ /* hm */ ("mallory") ];'],
    ],
)
def test_the_same_evidence_has_the_same_id_on_another_line_and_in_another_spelling(lines: list[str]) -> None:
    assert the("nix-trust", findings_of(agent(*lines))).id == the("nix-trust", findings_of(agent(TRUST))).id


@pytest.mark.parametrize("other", [TRUST.replace("mallory", "eve"), TRUST.replace("trusted-users", "allowed-users")])
def test_other_evidence_has_another_id(other: str) -> None:
    assert the("nix-trust", findings_of(agent(other))).id != the("nix-trust", findings_of(agent(TRUST))).id


def test_another_content_of_flake_nix_is_other_evidence() -> None:
    flake = str(BASE["flake.nix"])
    first, second = ({"flake.nix": flake.replace("agent", name)} for name in ("one", "two"))
    assert the("flake-changed", findings_of(first)).id != the("flake-changed", findings_of(second)).id


def test_what_is_removed_is_told_on_the_old_side() -> None:
    files = {"agent.nix": str(BASE["agent.nix"]).replace("  networking.firewall.enable = true;\n", "")}
    found = the("firewall-removed", findings_of(files))
    assert (found.side, found.line) == ("old", 6)


def test_a_secret_is_not_repeated() -> None:
    found = the("secret", findings_of({"key": "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n"}))
    assert "BEGIN" not in found.text
    option = 'services.app.settings.password = "correct-horse-battery";'
    assert "correct" not in the("secret-option", findings_of(agent(option))).text


def test_comments_and_formatting_are_told_as_such() -> None:
    files = {"agent.nix": str(BASE["agent.nix"]).replace("{\n  imports", "{\n\n  # a comment\n  imports")}
    assert {finding.rule for finding in findings_of(files)} == {"same-meaning"}


def test_many_new_packages_are_medium_and_a_few_are_info() -> None:
    tools = str(BASE["tools.nix"])
    few = findings_of({"tools.nix": tools.replace("jq ", "jq fd ")})
    assert [(one.rule, one.severity) for one in few] == [("packages", Severity.INFO)]
    many = findings_of({"tools.nix": tools.replace("jq ", "jq a b c d e f g h i j k ")})
    assert the("many-packages", many).severity is Severity.MEDIUM


def test_paths_are_told_by_what_they_are() -> None:
    old = tree(("run.sh", b"#!/bin/sh\n"))
    assert "executable" in rules_of(old, tree(blob("run.sh", b"#!/bin/sh\n", "100755")))
    assert "binary" in rules_of(old, tree(("run.sh", b"#!/bin/sh\n"), ("x", b"\0\1\2")))
    assert "link-leaves-repo" in rules_of(old, tree(blob("out", b"../../etc/shadow", "120000")))
    assert "link-leaves-repo" in rules_of(old, tree(blob("out", b"/etc/shadow", "120000")))
    inside = rules_of(old, tree(blob("in", b"run.sh", "120000")))
    assert "link" in inside
    assert "link-leaves-repo" not in inside
    assert "submodule" in rules_of(old, tree(Blob("lib", "160000", "1" * 40)))
    assert "large-file" in rules_of(old, tree(replace(blob("x", b"text"), size=2 << 20)))


def test_messages_are_read_too() -> None:
    change = Change(tree(), tree(), messages=("Tidy\n\nnothing \u202eto see",), reverts={4: "Add a firewall"})
    found = evaluate(change, RULES).findings
    assert {(one.rule, one.file, one.line) for one in found} == {
        ("hidden-message", None, None),
        ("reverts-deployed", None, None),
    }


# Hostile input


def deep_sets() -> bytes:
    return b"{ a = " * 5000 + b"1" + b"; }" * 5000


def doubling() -> bytes:
    """Each variable is twice the one before: read without a bound, 2 to the 40th elements."""
    lets = b"".join(b"v%d = v%d ++ v%d;" % (n, n - 1, n - 1) for n in range(1, 40))
    return b'let v0 = [ "x" ]; ' + lets + b" in { nix.settings.trusted-users = v39; }"


def loop() -> bytes:
    return b"let a = b; b = a; in { nix.settings.trusted-users = a; imports = [ ./agent.nix ]; }"


def slow_word() -> bytes:
    return b"{ a = " + b"1+" * 100_000 + b"1; }"


def too_large() -> bytes:
    return b"{ }\n" + b"# x\n" * 300_000


HOSTILE = [deep_sets, pytest.param(doubling, marks=pytest.mark.slow), loop, slow_word, too_large]


@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
def test_what_takes_too_long_to_read_is_bounded_and_told(make: Callable[[], bytes]) -> None:
    started = time.monotonic()
    found = evaluate(Change(tree(("agent.nix", b"{ }\n")), tree(("agent.nix", make()))), RULES).findings
    assert time.monotonic() - started < 20  # the bounds are 3 and 2 seconds; the machine may be busy
    assert "unread" in {finding.rule for finding in found}
    assert found[0].severity is Severity.CRITICAL


@pytest.mark.parametrize("content", [b"\xff\xfe{ }", b'{ a = "\xc3\x28"; }', b"\0\0", b"", b"}{", b"{ x = ; }"])
def test_bytes_that_are_no_text_end_nothing(content: bytes) -> None:
    evaluate(Change(tree(("agent.nix", content)), tree(("agent.nix", content + b" "))), RULES)


def test_parentheses_of_any_depth_hide_nothing() -> None:
    content = b"{ boot.x = " + b"(" * 20_000 + b"1" + b")" * 20_000 + b"; }"
    assert "boot" in rules_of(tree(("agent.nix", b"{ }\n")), tree(("agent.nix", content)))


def test_a_line_that_is_not_utf_8_is_hidden_text() -> None:
    assert "hidden-text" in rules_of(tree(("a", b"x\n")), tree(("a", b"x\ncaf\xe9\n")))


def test_time_that_is_over_is_told() -> None:
    times = iter([0.0])
    budget = Budget(1.0, lambda: next(times, 100.0))
    found = evaluate(Case("", agent(TRUST)).change, RULES, budget).findings
    assert "unread" in {finding.rule for finding in found}


def test_many_findings_of_one_rule_in_one_file_are_told_in_one() -> None:
    found = findings_of({"notes": "".join(f"line {number} \u202e\n" for number in range(500))})
    hidden = [finding for finding in found if finding.rule == "hidden-text"]
    assert len(hidden) == MAX_IN_FILE + 1
    assert any(f"and {500 - MAX_IN_FILE} more" in finding.text for finding in hidden)


def test_findings_that_are_not_listed_are_told() -> None:
    files: Files = {f"file{number}": "x \u202e\n" for number in range(MAX_FINDINGS + 10)}
    found = findings_of(files)
    assert len(found) == MAX_FINDINGS + 1
    assert "10 more findings" in found[0].text


def test_a_file_that_cannot_be_read_whole_is_told_and_others_are_read() -> None:
    files: Files = {**new_file("security.sudo.enable = true;"), "tools.nix": "{ pkgs, ... }: { x = ; }"}
    found = findings_of(files)
    assert {("unread", "tools.nix"), ("become-root", "extra.nix")} <= {(one.rule, one.file) for one in found}


def test_a_file_that_did_not_parse_before_and_still_does_not_is_told() -> None:
    broken = module("environment = ;")
    found = findings_of({"tools.nix": broken + "# more\n"}, {"tools.nix": broken})
    assert "unread" in {finding.rule for finding in found}


def test_a_thousand_changed_lines_are_read_in_a_moment() -> None:
    lines = [f'environment.etc."file{number}".text = "value {number}";' for number in range(1000)]
    started = time.process_time()
    evaluate(Case("", agent(*lines)).change, RULES)
    assert time.process_time() - started < 1.5  # 0.1 s is the aim; make bench has the figure


# With a known effect


def test_a_known_effect_is_looked_at_and_without_one_its_rules_do_not_run() -> None:
    option = OptionChange(option="services.x.enable", old=None, new="true", file="agent.nix", line=2)
    effect = Effect(
        state=EffectState.KNOWN,
        others=("iris",),
        options=(option,),
        intent=Intent(surplus=("options services.x.enable",), missing=("packages jq",)),
        unknown=(Unknown(namespace="broken", side="new", why="x"), Unknown(namespace="build", side="new", why="y")),
    )
    change = Case("", agent("{ }")).change
    with_effect, without = evaluate(change, RULES, effect=effect), evaluate(change, RULES)
    found = {(one.rule, one.severity.value, one.text) for one in with_effect.findings}
    assert found >= {
        ("other-agent", "critical", "other iris"),
        ("intent-surplus", "high", "surplus options services.x.enable"),
        ("intent-missing", "info", "missing packages jq"),
        ("effect-unknown", "medium", "unknown broken (new)"),
    }
    assert not any("build" in one.text for one in with_effect.findings)
    assert with_effect.ran == without.ran + 4
    assert not {one.rule for one in without.findings} & {"other-agent", "intent-surplus", "effect-unknown"}


def effect_of(*options: OptionChange, **fields: Any) -> Effect:
    return Effect(state=EffectState.KNOWN, options=options, **fields)


def option(name: str, old: str | None, new: str | None, line: int | None = 7, **fields: Any) -> OptionChange:
    side: Side = "old" if new is None and "sha256" not in fields else "new"
    return OptionChange(
        option=name, old=old, new=new, file="agent.nix" if line else None, line=line, side=side, **fields
    )


def found_in(effect: Effect, *lines: str) -> list[Finding]:
    """What the rules of options find in a change of these lines of agent.nix that has this effect."""
    found = evaluate(Case("", agent(*lines)).change, RULES, effect=effect).findings
    return [finding for finding in found if finding.rule not in ("effect-unknown", "same-meaning")]


GROUPS = "users.users.bob.extraGroups"


def test_an_option_that_only_the_evaluation_shows_raises_its_rule_where_the_effect_says() -> None:
    effect = effect_of(option(GROUPS, '[ "audio" ]', '[ "audio" "wheel" ]'), option("services.x.note", None, '"y"'))
    assert [one.rule for one in found_in(effect, "imports = [ ];")] == ["privileged-group"]
    (found,) = found_in(effect, "imports = [ ];")
    assert (found.severity, found.file, found.line, found.side) == (Severity.CRITICAL, "agent.nix", 7, "new")
    assert (found.node, found.text) == (GROUPS, f'{GROUPS}: [ "audio" ] → [ "audio" "wheel" ]')


@pytest.mark.parametrize(
    ("name", "old", "new", "rule"),
    [
        ("networking.firewall.allowedTCPPorts", "[ 22 ]", "[ 22 8080 ]", "firewall"),
        ('environment.etc."sudoers.d/x".text', None, '"bob ALL=(ALL) ALL"', "system-file"),
        ("security.sudo.extraRules", "[ ]", '[ { users = [ "bob" ]; } ]', "become-root"),
        ("systemd.services.x.serviceConfig.NoNewPrivileges", "true", "false", "unit-hardening-off"),
        ("networking.firewall.enable", "true", None, "firewall-removed"),
        ("systemd.tmpfiles.rules", "[ ]", '[ «path / x» "f /sh 4755 root root -" ]', "setuid-file"),
        ("systemd.tmpfiles.rules", "[ ]", '[ /a b ] "f /sh 4755 root root -" ]', "setuid-file"),
    ],
)
def test_the_value_that_is_evaluated_is_matched_as_one_that_is_written(
    name: str, old: str | None, new: str | None, rule: str
) -> None:
    assert rule in {one.rule for one in found_in(effect_of(option(name, old, new)), "imports = [ ];")}


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("networking.firewall.allowedTCPPorts", "[ 22 8080 ]", "[ 22 ]"),
        (GROUPS, '[ "wheel" ]', '[ "wheel" "audio" ]'),
        ("services.nginx.openFirewall", "true", "false"),
        ("users.users.bob.uid", "0", "1000"),
    ],
)
def test_an_effect_that_takes_something_back_raises_nothing(name: str, old: str, new: str) -> None:
    assert found_in(effect_of(option(name, old, new)), "imports = [ ];") == []


WRITTEN = 'users.users.bob.extraGroups = [ "wheel" ];'


def test_what_is_written_and_evaluated_is_one_finding_with_the_id_that_it_had_before() -> None:
    effect = effect_of(option(GROUPS, None, '[ "wheel" ]'))
    assert found_in(effect, WRITTEN) == findings_of(agent(WRITTEN))


@pytest.mark.parametrize(
    ("line", "name", "old", "new"),
    [
        ("users.users.bob.extraGroups = config.x;", GROUPS, None, '[ "wheel" ]'),
        ('security.sudo.extraConfig = "b\\n";', "security.sudo.extraConfig", '"a\\n"', '"a\\nb\\n"'),
        ('environment.etc."sudoers.d/x".source = ./x;', 'environment.etc."sudoers.d/x".source', None, "./x"),
    ],
)
def test_a_value_that_is_merged_or_cannot_be_read_in_the_text_is_no_second_finding(
    line: str, name: str, old: str | None, new: str
) -> None:
    assert found_in(effect_of(option(name, old, new)), line) == findings_of(agent(line))


def test_a_value_that_is_not_written_is_told_beside_the_one_that_is() -> None:
    effect = effect_of(option(GROUPS, None, '[ "docker" "wheel" ]'))
    written = WRITTEN.replace("wheel", "docker")
    texts = [one.text for one in found_in(effect, written) if one.rule == "privileged-group"]
    assert texts == [f'{GROUPS} = "docker"', f'{GROUPS}: not defined → [ "docker" "wheel" ]']


def test_a_value_that_the_effect_does_not_show_is_found_and_not_told() -> None:
    effect = effect_of(option("users.users.root.hashedPassword", None, None, bytes=3, sha256="0" * 64))
    found = the("root-account", found_in(effect, "imports = [ ];"))
    assert found.text == "users.users.root.hashedPassword (its value is not shown)"


def test_what_the_built_system_has_is_found_though_no_option_says_it() -> None:
    hardening = FieldChange(field="Service.NoNewPrivileges", old="yes", new="no")
    units = UnitChanges(added=("a.service", "b.mount"), changed=(UnitChange(unit="c.service", fields=(hardening,)),))
    packages = PackageChanges(changed=(PackageChange(name="openssl", old="3.0.14", new="3.0.15"),))
    unknown = (Unknown(namespace="environment", side="new", why="x"),)
    effect = effect_of(units=units, packages=packages, unknown=unknown, etc=EtcChanges(added=("sudoers.d/x",)))
    found = {one.rule: one.node for one in found_in(effect, "imports = [ ];")}
    assert found["new-service"] == "systemd.services.a"
    assert found["host-reach"] == "systemd.mounts.b"
    assert found["unit-hardening-off"] == "systemd.services.c.serviceConfig.NoNewPrivileges"
    assert found["package-override"] == "package.openssl"
    assert found["system-file"] == 'environment.etc."sudoers.d/x"'


def test_the_running_system_being_of_another_base_is_not_a_package_that_the_proposal_replaces() -> None:
    packages = PackageChanges(changed=(PackageChange(name="openssl", old="3.0.14", new="3.0.15"),))
    assert found_in(effect_of(packages=packages, drift=True), "imports = [ ];") == []


def test_with_declared_options_defaults_and_paths_in_the_store_that_follow_are_not_told() -> None:
    script = f"/nix/store/{'a' * 32}-etc"
    effect = effect_of(
        option(
            "system.activationScripts.etc.text", f'"{script}"', f'"{script.replace("a" * 32, "b" * 32)}"', line=None
        ),
        option("security.wrappers.x.capabilities", None, '""'),
        option("security.wrappers.x.owner", None, '"root"'),
        option("security.wrappers.x.setuid", None, "true"),
        hidden_options=40,
    )
    (found,) = found_in(effect, "imports = [ ];")
    assert (found.rule, found.node) == ("become-root", "security.wrappers.x")
    assert "security.wrappers.x.setuid: not defined → true" in found.text


def test_options_that_an_effect_does_not_list_are_a_critical_finding() -> None:
    unknown = (Unknown(namespace="more options", side="new", why="7 more changed options are not listed"),)
    found = the("unread", found_in(effect_of(unknown=unknown), "imports = [ ];"))
    assert (found.severity, found.text.endswith("7 more changed options are not listed")) == (Severity.CRITICAL, True)
    many = '[ "' + '" "'.join(map(str, range(600))) + '" ]'
    flood = effect_of(*(option(f"environment.flood.n{number}", "[ ]", many) for number in range(40)))
    assert "unread" in {one.rule for one in found_in(flood, "imports = [ ];")}


def test_an_object_that_an_effect_shows_is_new_once_and_one_that_was_there_is_not() -> None:
    new = effect_of(option("systemd.services.x.script", None, '"date"'), units=UnitChanges(added=("x.service",)))
    assert [one.node for one in found_in(new, "imports = [ ];") if one.rule == "new-service"] == ["systemd.services.x"]
    field = FieldChange(field="environment.A", old=None, new="1")
    known = UnitChanges(changed=(UnitChange(unit="x.service", fields=(field,)),))
    old = effect_of(option("systemd.services.x.environment.A", None, '"1"'), units=known)
    assert "new-service" not in {one.rule for one in found_in(old, "imports = [ ];")}
