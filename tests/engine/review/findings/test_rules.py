"""The rules: their fixtures, their page, those of the configuration, severities and silences."""

from __future__ import annotations

from pathlib import Path

import pytest

from hivetui.engine.model.errors import BadConfiguration
from hivetui.engine.model.findings import Severity
from hivetui.engine.model.settings import ReviewSection
from hivetui.engine.review.findings.evaluate import evaluate
from hivetui.engine.review.findings.fixtures import dead_rules
from hivetui.engine.review.findings.pattern import BadOption, compile_option, compile_whole, join_path
from hivetui.engine.review.findings.rule_set import load_rules
from tests.engine.review.findings.corpus import Case, agent

PAGE = Path(__file__).parents[4] / "docs/findings.md"
OWN = """\
[[rule]]
id = "no-mail"
version = 2
severity = "critical"
why = "Our agents send no mail."
match = "option"
option = "services.postfix.**"
fires = "{ services.postfix.enable = true; }"
silent = "{ services.nginx.enable = true; }"
"""


def test_every_rule_finds_its_example_and_not_its_near_miss() -> None:
    rules = load_rules(ReviewSection())
    assert list(dead_rules(rules)) == []
    assert rules.without_fixtures() == ()
    assert not any(rule.severity is Severity.FORBID for rule in rules.rules.values())


def test_the_page_lists_exactly_the_rules() -> None:
    rules = load_rules(ReviewSection()).infos()
    expected = [f"| `{rule.id}` | {rule.severity.value} | {rule.match} | {rule.why} |" for rule in rules]
    listed = PAGE.read_text().partition("## The rules")[2].strip().splitlines()
    assert listed[2:] == expected


def own_rules(tmp_path: Path, text: str) -> ReviewSection:
    file = tmp_path / "rules.toml"
    file.write_text(text)
    return ReviewSection(rules=(str(file),))


def found(review: ReviewSection, *lines: str) -> set[str]:
    return {finding.rule for finding in evaluate(Case("", agent(*lines)).change, load_rules(review)).findings}


def test_a_rule_of_the_configuration_finds_what_it_says(tmp_path: Path) -> None:
    review = own_rules(tmp_path, OWN)
    assert "no-mail" in found(review, "services.postfix = { enable = true; };")
    assert "no-mail" not in found(review, "services.nginx.enable = true;")
    (info,) = (one for one in load_rules(review).infos() if one.id == "no-mail")
    assert (info.source, info.version) == (review.rules[0], 2)


def test_a_dead_rule_is_named(tmp_path: Path) -> None:
    review = own_rules(tmp_path, OWN.replace("services.postfix.**", "services.exim.**"))
    assert [name for name, _ in dead_rules(load_rules(review))] == ["no-mail"]
    review = own_rules(tmp_path, OWN.replace("services.postfix.**", "services.**"))
    assert [why for _, why in dead_rules(load_rules(review))] == ["it finds its near miss"]


def test_a_rule_whose_example_of_an_effect_is_wrong_is_dead(tmp_path: Path) -> None:
    good = OWN + 'fires_effect = "services.postfix.enable: false -> true"\nsilent_effect = "unit + x.service"\n'
    assert list(dead_rules(load_rules(own_rules(tmp_path, good)))) == []
    dead = good.replace('"services.postfix.enable: false', '"services.exim.enable: false')
    assert [why for _, why in dead_rules(load_rules(own_rules(tmp_path, dead)))] == [
        "it does not find its own example of an effect"
    ]
    near = good.replace("unit + x.service", "services.postfix.hostname: - -> 1")
    assert [why for _, why in dead_rules(load_rules(own_rules(tmp_path, near)))] == [
        "it finds its near miss of an effect"
    ]


def test_a_severity_is_raised_and_a_rule_silenced_with_its_findings_counted() -> None:
    review = ReviewSection(severity={"firewall": "forbid"}, silence={"boot": "we patch kernels"})
    case = Case("", agent("networking.firewall.allowedTCPPorts = [ 80 ];", "boot.tmp.useTmpfs = true;"))
    assessment = evaluate(case.change, load_rules(review))
    assert [(one.rule, one.severity) for one in assessment.findings] == [("firewall", Severity.FORBID)]
    assert [(one.rule, one.reason, one.count) for one in assessment.silenced] == [("boot", "we patch kernels", 1)]


@pytest.mark.parametrize("table", ["silence", "severity"])
def test_an_unknown_rule_in_the_configuration_is_named_with_the_nearest(table: str) -> None:
    review = ReviewSection.model_validate({table: {"firewal": "high"}})
    with pytest.raises(BadConfiguration, match="'firewal' is not a rule") as refused:
        load_rules(review)
    assert "firewall" in refused.value.fix


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("version = 2", "version = 0"), "version"),
        (('"critical"', '"severe"'), "forbid, critical"),
        (('match = "option"', 'match = "effect"'), "a rule of effect needs text"),
        (('option = "services.postfix.**"', 'option = "services..x"'), "not a path of attributes"),
        (('option = "services.postfix.**"', 'value = "x"'), "needs option"),
        (('option = "services.postfix.**"', 'option = "a"\nvalue = "("'), "regular expression"),
        (('option = "services.postfix.**"', 'option = "a"\nfooo = 1'), "fooo"),
        (('fires = "', 'fires_effect = "what happens"\nfires = "'), "an effect is lines such as"),
        (('id = "no-mail"', 'id = "No Mail"'), "lower-case"),
        (('id = "no-mail"', 'id = "boot"'), "boot"),
        (("[[rule]]", "[[rul]]"), "[[rule]]"),
        (("[[rule]]", "[[rule"), "line 1"),
    ],
)
def test_a_rule_that_is_wrong_is_refused_in_words(tmp_path: Path, change: tuple[str, str], why: str) -> None:
    with pytest.raises(BadConfiguration) as refused:
        load_rules(own_rules(tmp_path, OWN.replace(*change)))
    assert why in str(refused.value)
    assert "rules.toml" in str(refused.value)


def test_a_missing_file_of_rules_is_refused() -> None:
    with pytest.raises(BadConfiguration, match="cannot be read"):
        load_rules(ReviewSection(rules=("/nonexistent/rules.toml",)))


@pytest.mark.parametrize(
    ("pattern", "path", "is_match"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.b.c", False),
        ("a.**", "a", True),
        ("a.**", "a.b.c", True),
        ("a.*.c", "a.b.c", True),
        ("a.*.c", "a.c", False),
        ("**.c", "a.b.c", True),
        ("a.{b,c*}", "a.cd", True),
        ("a.{b,c.d}.e", "a.c.d.e", True),
        ("a.x*y", "a.xzzy", True),
    ],
)
def test_patterns_of_attribute_paths(pattern: str, path: str, is_match: bool) -> None:
    found = compile_whole(compile_option(pattern)).fullmatch(join_path(tuple(path.split("."))))
    assert (found is not None) is is_match


def test_a_name_with_dots_is_quoted_in_a_pattern() -> None:
    pattern = compile_whole(compile_option('environment.etc."{doas.conf,pam.d/*}".text'))
    for name in ("pam.d/sudo", "doas.conf"):
        assert pattern.fullmatch(join_path(("environment", "etc", name, "text")))
    assert not pattern.fullmatch(join_path(("environment", "etc", "doas", "conf", "text")))
    with pytest.raises(BadOption):
        compile_option("a.")
