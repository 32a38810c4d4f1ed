"""Reading the event log of a hive as an administrator would: its files, from the oldest line to the newest."""

from hivetui.engine.host.paths import Paths
from hivetui.engine.model.events import Event


def last_events(paths: Paths, count: int) -> list[Event]:
    """The last `count` events, oldest first; torn lines are left out."""
    log = paths.event_log
    files = [path for path in (log.with_name(log.name + ".1"), log) if path.exists()]
    lines = [line for path in files for line in path.read_bytes().splitlines() if line.endswith(b"}")]
    return [Event.model_validate_json(line) for line in lines][-count:] if count else []
