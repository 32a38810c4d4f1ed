from pathlib import Path

import pytest

from hivetui.embedded import worker as embedded_worker
from hivetui.engine import worker
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.host.system_host import clean_environment, real_host
from hivetui.engine.model.errors import BadData
from hivetui.engine.model.operations import OperationKind, OperationRequest, Operator
from hivetui.engine.model.settings import Settings
from hivetui.engine.operations.directory import WorkerRequest

REQUEST = OperationRequest(
    kind=OperationKind.REBUILD, agent="iris", operator=Operator(name="ada", uid=1000, source="local")
)


def test_every_kind_of_operation_has_an_action() -> None:
    assert set(worker.ACTIONS) == set(OperationKind)


def test_a_request_can_be_written_and_read_back(tmp_path: Path) -> None:
    request = WorkerRequest(request=REQUEST, root=tmp_path, embedded=False, settings=Settings())
    assert WorkerRequest.model_validate_json(request.model_dump_json()) == request


def test_a_real_host_is_opened_at_the_root_of_the_request(tmp_path: Path) -> None:
    request = WorkerRequest(request=REQUEST, root=tmp_path, embedded=False, settings=Settings())
    host = worker.open_host(request, {"PATH": "/somewhere", "HYPERHIVE_GIT": "/opt/git"})
    assert (host.paths.root, host.embedded, host.tools.git) == (tmp_path, False, ("/opt/git",))


def test_an_embedded_host_is_opened_at_the_root_of_the_request(tmp_path: Path) -> None:
    request = WorkerRequest(request=REQUEST, root=tmp_path / "hive", embedded=True, settings=Settings())
    host = embedded_worker.open_host(request, {})
    assert (host.paths.root, host.embedded) == (tmp_path / "hive", True)


def test_nothing_that_steers_git_or_python_reaches_a_child() -> None:
    clean = clean_environment({"GIT_DIR": "/x", "PYTHONPATH": "/x", "LD_PRELOAD": "/x", "LANG": "de", "HOME": "/root"})
    assert set(clean) == {"PATH", "HOME", "LC_ALL"}


def test_the_older_directory_of_containers_is_used_only_if_it_is_the_only_one(tmp_path: Path) -> None:
    def directory() -> str:
        return real_host(tmp_path, Settings(), {}).paths.containers_folder

    assert directory() == "etc/nixos-containers"
    (tmp_path / "etc/containers").mkdir(parents=True)
    assert directory() == "etc/containers"
    (tmp_path / "etc/nixos-containers").mkdir()
    assert directory() == "etc/nixos-containers"


def test_a_real_host_runs_programs_with_its_clean_environment(tmp_path: Path) -> None:
    assert isinstance(real_host(tmp_path, Settings(), {}).runner, ProcessRunner)


def test_an_operation_of_an_embedded_hive_never_opens_the_real_host(tmp_path: Path) -> None:
    request = WorkerRequest(request=REQUEST, root=tmp_path, embedded=True, settings=Settings())
    with pytest.raises(BadData, match="embedded hive"):
        worker.open_host(request, {})
