"""The units of contrib: how exposed they leave the host, by `systemd-analyze security`, as docs/operators.md says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXPOSURE = {"hivetui.service": 7.7, "hivetui-door.service": 1.4}
"""From 0 to 10, by the unit file alone; a service without any hardening has 9.6. A host may show some tenths more."""
needs_analysis = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


@needs_analysis
@pytest.mark.parametrize("unit", EXPOSURE)
def test_a_unit_is_no_more_exposed_than_the_documentation_says(unit: str) -> None:
    argv = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(ROOT / "contrib/systemd" / unit)]
    shown = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    found = re.search(rf"Overall exposure level for {unit}: (\d+\.\d+)", shown.stdout)
    if found is None:
        pytest.skip(f"this systemd-analyze cannot look at a file: {shown.stderr}")
    print(f"\nsystemd-analyze security {unit}: {found[1]}")
    assert float(found[1]) <= EXPOSURE[unit] + 0.3  # versions of systemd weigh a little differently
    assert f"| `{unit}` | {EXPOSURE[unit]} |" in (ROOT / "docs/operators.md").read_text()
