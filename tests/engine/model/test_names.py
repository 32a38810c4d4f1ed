import pytest

from hivetui.engine.model import names
from hivetui.engine.model.errors import BadData


@pytest.mark.parametrize(
    ("name", "port"), [("hm1nd", 8000), ("alice", 8879), ("iris", 8178), ("olivia", 8991), ("qa", 8991)]
)
def test_a_port_follows_from_a_name(name: str, port: int) -> None:
    assert names.port_of(name) == port


@pytest.mark.parametrize("name", ["a", "9", "a-b", "a_b", "abcdefghi", "A1"])
def test_a_valid_name_is_returned(name: str) -> None:
    assert names.check(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "abcdefghij", "..", "a/b", "-x", "x-", "_x", "a b", "a\n", "a\x1b", "é", "ａ", "a.b", "\x00", "a\u202e"],
)
def test_an_invalid_name_is_refused(name: str) -> None:
    with pytest.raises(BadData):
        names.check(name)


def test_the_container_of_the_manager_has_its_name() -> None:
    assert names.container_of("hm1nd") == "hm1nd"
    assert names.container_of("iris") == "h-iris"
    assert names.agent_of("h-iris") == "iris"


@pytest.mark.parametrize("container", ["web", "h-", "h-hm1nd", "h-abcdefghij", "h--x"])
def test_a_container_that_the_engine_would_not_create_belongs_to_no_agent(container: str) -> None:
    assert names.agent_of(container) is None


def test_a_name_that_systemd_does_not_start_is_valid_but_not_for_a_new_agent() -> None:
    assert names.check("a_b") == "a_b"
    with pytest.raises(BadData, match="'a-b'"):
        names.check_new("a_b")
