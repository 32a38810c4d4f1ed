"""What it costs to look for findings in a thousand changed lines of modules, with all rules."""

from __future__ import annotations

import hashlib
from statistics import median
from time import perf_counter

import pytest

from hivetui.engine.model.settings import ReviewSection
from hivetui.engine.review.findings.evaluate import evaluate
from hivetui.engine.review.findings.rule_set import load_rules
from hivetui.engine.review.findings.tree import Blob, Change, Tree

from .conftest import Figure, Record

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
ROUNDS = 7
SERVICE = """\
  systemd.services.job{0} = {{
    description = "job {0} of {1}";
    wantedBy = [ "multi-user.target" ];
    script = "date > /state/job{0}";
    serviceConfig = {{
      User = "agent";
      ProtectSystem = "strict";
    }};
  }};
  environment.variables.JOB{0} = "{1}";
"""
"""Ten lines."""


def module(round_: int) -> Blob:
    text = "{ lib, pkgs, ... }:\n{\n" + "".join(SERVICE.format(number, round_) for number in range(100)) + "}\n"
    content = text.encode()
    return Blob("agent.nix", "100644", hashlib.sha1(content).hexdigest(), len(content), content)


def test_findings_of_a_thousand_changed_lines(record: Record) -> None:
    rules, times = load_rules(ReviewSection()), []
    for number in range(ROUNDS):
        change = Change(Tree(), Tree.of([module(number)]))
        began = perf_counter()
        found = evaluate(change, rules).findings
        times.append((perf_counter() - began) * 1000)
        assert found
    record(Figure("findings of 1000 changed lines, all rules", "ms", median(times), 100))
