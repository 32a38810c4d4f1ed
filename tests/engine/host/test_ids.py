import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hivetui.engine.host import ids
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import BadData

FIFTY_IDS = """
import sys
from pathlib import Path
from hivetui.engine.host import ids
from hivetui.engine.host.paths import Paths
for _ in range(50):
    print(ids.next_id(Paths(Path(sys.argv[1])), "proposal"))
"""


def test_ids_start_at_1_for_each_kind(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert [ids.next_id(paths, "proposal") for _ in range(3)] == [1, 2, 3]
    assert ids.next_id(paths, "operation") == 1


@pytest.mark.slow
def test_eight_processes_never_get_the_same_id(tmp_path: Path) -> None:
    argv = (sys.executable, "-c", FIFTY_IDS, str(tmp_path))
    processes = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    given = [int(line) for process in processes for line in process.communicate()[0].splitlines()]
    assert sorted(given) == list(range(1, 401))


def test_threads_never_get_the_same_id(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(lambda _: ids.next_id(paths, "proposal"), range(80)))
    assert sorted(given) == list(range(1, 81))


def test_a_lost_counter_continues_above_the_ids_in_use(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert ids.is_lost(paths, "proposal")
    assert ids.next_id(paths, "proposal", at_least=41) == 41
    assert not ids.is_lost(paths, "proposal")
    assert ids.next_id(paths, "proposal", at_least=7) == 42


def test_a_damaged_counter_is_refused(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    ids.next_id(paths, "proposal")
    (paths.engine / "last-proposal").write_text("forty")
    with pytest.raises(BadData, match="damaged"):
        ids.next_id(paths, "proposal")
