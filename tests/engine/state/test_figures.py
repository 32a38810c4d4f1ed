"""Which figures are told, and how a control group is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from hivetui.engine.host import procfs, usage
from hivetui.engine.host.usage import CgroupMeter, Usage
from hivetui.engine.model.state import Figures
from hivetui.engine.state.figures import find_news

IRIS = Figures(container="h-iris", memory_bytes=100_000_000, cpu_percent=4.0, tasks=7)


@pytest.mark.parametrize(
    "change", [{"memory_bytes": 101_000_000}, {"cpu_percent": 4.9}, {"memory_bytes": 99_000_000, "cpu_percent": 3.5}]
)
def test_what_nobody_would_see_is_not_told(change: dict[str, object]) -> None:
    assert find_news({"h-iris": IRIS}, {"h-iris": IRIS.model_copy(update=change)}) == ()


@pytest.mark.parametrize(
    "change", [{"memory_bytes": 110_000_000}, {"cpu_percent": 6.0}, {"cpu_percent": None}, {"tasks": 8}]
)
def test_what_differs_is_told(change: dict[str, object]) -> None:
    new = IRIS.model_copy(update=change)
    assert find_news({"h-iris": IRIS}, {"h-iris": new}) == (new,)


def test_a_new_container_is_told_and_one_that_ended_is_told_once() -> None:
    ended = Figures(container="h-iris")
    other = IRIS.model_copy(update={"container": "h-hugo"})
    assert find_news({"h-iris": IRIS}, {"h-hugo": other}) == (other, ended)
    assert find_news({"h-iris": ended, "h-hugo": other}, {"h-hugo": other}) == ()


def test_a_control_group_is_found_by_the_main_process_of_its_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = "container@h-iris.service"
    group = tmp_path / "cgroup/machine.slice" / unit
    group.mkdir(parents=True)
    (tmp_path / "proc/7").mkdir(parents=True)
    (tmp_path / "proc/7/cgroup").write_text(f"0::/machine.slice/{unit}/supervisor\n")
    monkeypatch.setattr(procfs, "PROC", tmp_path / "proc")
    monkeypatch.setattr(usage, "_CGROUPS", tmp_path / "cgroup")
    (group / "memory.current").write_text("4096\n")
    (group / "cpu.stat").write_text("usage_usec 1500\nuser_usec 1000\n")
    meter = CgroupMeter(unit, 7)
    assert meter.read() == Usage(memory_bytes=4096, cpu_nanoseconds=1_500_000, tasks=None)
    (group / "memory.current").write_text("8192\n")
    assert meter.read().memory_bytes == 8192
    meter.close()
    with pytest.raises(ProcessLookupError):
        CgroupMeter("container@h-hugo.service", 7)
