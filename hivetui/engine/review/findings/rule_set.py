"""The rules in force: those that hivetui ships and those of the configuration, with its severities and silences."""

from __future__ import annotations

import difflib
import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path

from hivetui.engine.model.errors import BadConfiguration
from hivetui.engine.model.findings import RuleInfo, Severity
from hivetui.engine.model.settings import ReviewSection
from hivetui.engine.review.findings.rule import Rule, parse_rule

SHIPPED = "hivetui"
"""The source of the rules that come with the program."""
_MAX_BYTES = 4 << 20


@dataclass(frozen=True)
class RuleSet:
    """Rules by id, in the order of their files, with the file of each. `silence` has reasons by the id of a rule."""

    rules: Mapping[str, Rule]
    sources: Mapping[str, str]
    silence: Mapping[str, str]

    @cached_property
    def digest(self) -> str:
        """A hash of everything that decides what is found."""
        content = "\0".join(
            [*(rule.model_dump_json() for rule in self.rules.values()), repr(sorted(self.silence.items()))]
        )
        return hashlib.sha256(content.encode()).hexdigest()

    def infos(self) -> tuple[RuleInfo, ...]:
        """The rules as values for everything above the engine, the most serious first."""
        infos = (
            RuleInfo(
                **rule.model_dump(include={"id", "version", "severity", "why", "match", "fires", "silent"}),
                source=self.sources[rule.id],
                silenced=self.silence.get(rule.id),
            )
            for rule in self.rules.values()
        )
        return tuple(sorted(infos, key=lambda info: info.severity.rank))

    def without_fixtures(self) -> tuple[Rule, ...]:
        """The rules of the configuration that lack a fixture."""
        return tuple(rule for rule in self.rules.values() if not rule.fires or not rule.silent)


def load_rules(review: ReviewSection) -> RuleSet:
    """The rules in force; BadConfiguration for a file, a rule or an id that is wrong."""
    rules, sources = dict(_shipped()), dict.fromkeys(_shipped(), SHIPPED)
    for path in review.rules:
        for rule in _read_file(path):
            if rule.id in rules:
                what = f"{path}: there is a rule {rule.id} already"
                raise BadConfiguration(what, f"It is in {sources[rule.id]}.", "Give it another id.")
            rules[rule.id], sources[rule.id] = rule, path
    for table, ids in (("severity", review.severity), ("silence", review.silence)):
        for name in ids:
            _require_known(name, table, rules)
    for name, level in review.severity.items():
        rules[name] = rules[name].model_copy(update={"severity": Severity(level)})
    return RuleSet(rules, sources, dict(review.silence))


def _require_known(name: str, table: str, rules: Mapping[str, Rule]) -> None:
    if name in rules:
        return
    near = difflib.get_close_matches(name, list(rules), 1, 0.4)
    why = f"The nearest rule is {near[0]}." if near else "No rule has a similar name."
    fix = f"Replace {name[:60]} by {near[0]}." if near else "List them with: hivetui rules"
    raise BadConfiguration(f"review.{table}: {name[:60]!r} is not a rule", why, fix)


@lru_cache(maxsize=1)
def _shipped() -> Mapping[str, Rule]:
    folder = resources.files("hivetui.engine.review.findings") / "rules"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return {rule.id: rule for file in files for rule in _parse(file.read_text("utf-8"), file.name)}


def _read_file(path: str) -> Iterator[Rule]:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MAX_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fix = "Correct review.rules, or the file."
        raise BadConfiguration(f"The rules in {path} cannot be read", str(error), fix) from error
    return _parse(content, path)


def _parse(text: str, source: str) -> Iterator[Rule]:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadConfiguration(f"{source} is not valid TOML", str(error), "Correct that line.") from error
    tables = content.pop("rule", [])
    if content or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise BadConfiguration(
            f"{source} is not a file of rules", "It has something else than [[rule]].", "Correct it."
        )
    return (parse_rule(table, source) for table in tables)
