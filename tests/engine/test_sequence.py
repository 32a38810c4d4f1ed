import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hivetui.engine import sequence
from hivetui.engine.errors import BadData
from hivetui.engine.places import Places

TAKE_FIFTY = """
import sys
from pathlib import Path
from hivetui.engine import sequence
from hivetui.engine.places import Places
for _ in range(50):
    print(sequence.next_id(Places(Path(sys.argv[1])), "proposal"))
"""


def test_ids_begin_at_one_and_each_kind_has_its_own(tmp_path: Path) -> None:
    places = Places(tmp_path)
    assert [sequence.next_id(places, "proposal") for _ in range(3)] == [1, 2, 3]
    assert sequence.next_id(places, "operation") == 1


@pytest.mark.slow
def test_eight_processes_never_get_the_same_id(tmp_path: Path) -> None:
    argv = (sys.executable, "-c", TAKE_FIFTY, str(tmp_path))
    processes = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    ids = [int(line) for process in processes for line in process.communicate()[0].splitlines()]
    assert sorted(ids) == list(range(1, 401))


def test_threads_never_get_the_same_id(tmp_path: Path) -> None:
    places = Places(tmp_path)
    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(lambda _: sequence.next_id(places, "proposal"), range(80)))
    assert sorted(ids) == list(range(1, 81))


def test_a_lost_counter_goes_on_above_what_is_in_use(tmp_path: Path) -> None:
    places = Places(tmp_path)
    assert sequence.is_lost(places, "proposal")
    assert sequence.next_id(places, "proposal", at_least=41) == 41
    assert not sequence.is_lost(places, "proposal")
    assert sequence.next_id(places, "proposal", at_least=7) == 42


def test_a_damaged_counter_is_refused_in_words(tmp_path: Path) -> None:
    places = Places(tmp_path)
    sequence.next_id(places, "proposal")
    (places.engine / "last-proposal").write_text("forty")
    with pytest.raises(BadData, match="damaged"):
        sequence.next_id(places, "proposal")
