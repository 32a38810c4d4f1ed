import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hivetui.engine.events import event_log
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.events import Event, EventKind
from tests.event_log import last_events

APPEND = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from hivetui.engine.events import event_log
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.events import Event, EventKind
for number in range(100):
    event = Event(time=datetime.now(UTC), kind=EventKind.REPAIRED, text=f"{sys.argv[2]} {number}")
    assert event_log.append(Paths(Path(sys.argv[1])), event)
"""


def event(text: str) -> Event:
    return Event(time=datetime.now(UTC), kind=EventKind.REPAIRED, text=text)


def texts(paths: Paths, count: int) -> list[str]:
    return [event.text for event in last_events(paths, count)]


def test_events_are_appended_in_order(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert last_events(paths, 5) == []
    for number in range(10):
        assert event_log.append(paths, event(str(number)))
    assert texts(paths, 3) == ["7", "8", "9"]
    assert texts(paths, 100) == [str(number) for number in range(10)]
    assert texts(paths, 0) == []


@pytest.mark.slow
def test_events_of_several_processes_never_mix(tmp_path: Path) -> None:
    processes = [subprocess.Popen((sys.executable, "-c", APPEND, str(tmp_path), str(who))) for who in range(4)]
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    seen = texts(Paths(tmp_path), 1000)
    assert sorted(seen) == sorted(f"{who} {number}" for who in range(4) for number in range(100))


def test_a_torn_line_does_not_damage_the_next_one(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    event_log.append(paths, event("before"))
    with paths.event_log.open("ab") as file:
        file.write(b'{"time": "20')
    event_log.append(paths, event("after"))
    assert texts(paths, 10) == ["before", "after"]


def test_the_log_is_rotated_and_stays_bounded(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    for number in range(200):
        event_log.append(paths, event(str(number)), most_bytes=2000)
    files = sorted(paths.engine.glob("events.jsonl*"))
    assert len(files) == 2
    assert all(file.stat().st_size < 2200 for file in files)
    assert texts(paths, 25) == [str(number) for number in range(175, 200)]


def test_an_event_that_cannot_be_written_is_reported_and_raises_nothing(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.event_log.mkdir(parents=True)
    assert event_log.append(paths, event("lost")) is False


def test_a_long_text_is_cut(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    event_log.append(paths, event("x" * 100_000))
    assert len(texts(paths, 1)[0]) == 2000
