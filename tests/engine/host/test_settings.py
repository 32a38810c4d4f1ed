from pathlib import Path

import pytest

from hivetui.engine.host import settings_files, settings_sources
from hivetui.engine.model.errors import BadConfiguration, NotAllowed
from hivetui.engine.model.settings import Settings


def load(tmp_path: Path, text: str, **environment: str) -> Settings:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return settings_files.load(environment, path, host_file=tmp_path / "none.toml")


def refusal(tmp_path: Path, text: str, **environment: str) -> BadConfiguration:
    with pytest.raises(BadConfiguration) as caught:
        load(tmp_path, text, **environment)
    return caught.value


def test_without_files_every_setting_has_its_default(tmp_path: Path) -> None:
    assert settings_files.load({"HOME": str(tmp_path)}, host_file=tmp_path / "none.toml") == Settings()


def test_later_sources_win_key_by_key(tmp_path: Path) -> None:
    host_file, user = tmp_path / "host.toml", tmp_path / "xdg/hivetui/config.toml"
    explicit = tmp_path / "explicit.toml"
    user.parent.mkdir(parents=True)
    host_file.write_text('[hive]\nflake = "git+file:///a"\ndashboard_port = 1\n[limits]\nmemory_max = "1G"\n')
    user.write_text('[hive]\ndashboard_port = 2\n[console.keys]\n"agent.start" = "s"\n')
    explicit.write_text('[limits]\nmemory_max = "3G"\n[console.keys]\n"agent.stop" = "x"\n')
    environment = {"XDG_CONFIG_HOME": str(tmp_path / "xdg"), "HIVETUI_LIMITS__CPU_QUOTA": "75%"}
    found = settings_files.load(environment, explicit, host_file)
    assert found.hive.flake == "git+file:///a"
    assert found.hive.dashboard_port == 2
    assert (found.limits.memory_max, found.limits.cpu_quota) == ("3G", "75%")
    assert found.console.keys == {"agent.start": "s", "agent.stop": "x"}


def test_an_agent_can_have_its_own_limits(tmp_path: Path) -> None:
    found = load(tmp_path, '[agents.iris.limits]\nmemory_max = "4G"\n')
    assert found.limits_of("iris").memory_max == "4G"
    assert found.limits_of("iris").cpu_quota == "50%"
    assert found.limits_of("alice").memory_max == "2G"


def test_a_variable_can_name_one_agent(tmp_path: Path) -> None:
    found = load(tmp_path, "", HIVETUI_AGENTS__Iris__LIMITS__MEMORY_MAX="512M")
    assert found.limits_of("Iris").memory_max == "512M"


def test_variables_are_converted_to_the_type_of_the_setting(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        "",
        HIVETUI_HIVE__DASHBOARD_PORT="7001",
        HIVETUI_CONSOLE__COLUMNS="name, state",
    )
    assert found.hive.dashboard_port == 7001
    assert found.console.columns == ("name", "state")


def test_a_host_keeps_the_case_of_its_name_and_its_command_as_it_is(tmp_path: Path) -> None:
    found = load(tmp_path, '[hosts.Lab]\naddress = "ops@lab:2222"\ncommand = ["hivetui", "engine", "--stdio"]\n')
    assert found.hosts["Lab"].address == "ops@lab:2222"
    assert found.hosts["Lab"].command == ("hivetui", "engine", "--stdio")


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ('address = "-oProxyCommand=x"', "start with -"),
        ('address = "lab;reboot"', "shell characters"),
        ('address = "lab:0"', "1 to 65535"),
        ('address = "lab:ssh"', "HOST:PORT"),
        ('socket = "run/host.sock"', "pattern"),
        ("command = []", "at least 1"),
    ],
)
def test_a_host_that_cannot_be_reached_so_is_refused(tmp_path: Path, setting: str, why: str) -> None:
    assert why in refusal(tmp_path, f"[hosts.lab]\n{setting}\n").why


ADA_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFVNvvVZDI49c29XUYivzS110L0/Ul/SJw6295iDTnds ada@laptop"


def test_an_operator_keeps_the_case_of_the_name_and_has_a_role_keys_and_addresses(tmp_path: Path) -> None:
    operator = f'[serve.operators.Ada]\nrole = "look"\nkeys = ["{ADA_KEY}"]\nfrom = ["192.0.2.0/24", "2001:db8::7"]\n'
    found = load(tmp_path, operator, HIVETUI_SERVE__OPERATORS__Ada__ROLE="decide")
    assert found.serve.operators["Ada"].role == "decide"
    assert found.serve.operators["Ada"].from_ == ("192.0.2.0/24", "2001:db8::7")
    assert found.serve.operators["Ada"].fingerprints == {"SHA256:FbW2GfSmraa9vJEUUEua/zUYGiWmYJbKPW2olwFnzhY"}
    assert Settings.model_validate_json(found.model_dump_json(), strict=False) == found  # as a worker is given them


@pytest.mark.parametrize(
    ("name", "settings", "line", "why"),
    [
        ("ada", f'role = "decide"\nkeys = ["{ADA_KEY[:60]}"]', 3, "not complete"),
        ("ada", f'role = "decide"\nkeys = ["{ADA_KEY}",\n  "ssh-dss AAAA"]', 3, "starts with its type"),
        ("ada", f"""role = "decide"\nkeys = ['from="10.0.0.1" {ADA_KEY}']""", 3, "starts with its type"),
        ("ada", 'role = "decide"\nkeys = ["ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIHWq"]', 3, "not complete"),
        (
            "ada",
            f'role = "decide"\nkeys = ["{ADA_KEY.replace("ssh-ed25519", "ssh-rsa")}"]',
            3,
            "not one of type ssh-rsa",
        ),
        ("ada", f'role = "admin"\nkeys = ["{ADA_KEY}"]', 2, "'decide' or 'look'"),
        ("ada", f'role = "look"\nfrom = ["192.0.2.7/24"]\nkeys = ["{ADA_KEY}"]', 3, "host bits set"),
        ("ada", f'role = "look"\nfrom = ["lab.example"]\nkeys = ["{ADA_KEY}"]', 3, "192.0.2.0/24"),
        ('"a b"', f'role = "look"\nkeys = ["{ADA_KEY}"]', 1, "an operator's name"),
        ('"-x"', f'role = "look"\nkeys = ["{ADA_KEY}"]', 1, "an operator's name"),
    ],
)
def test_an_operator_who_could_not_log_in_so_is_refused_with_the_line(
    tmp_path: Path, name: str, settings: str, line: int, why: str
) -> None:
    error = refusal(tmp_path, f"[serve.operators.{name}]\n{settings}\n")
    assert error.what.startswith(f"{tmp_path}/config.toml:{line}: serve.operators.")
    assert why in error.why


def test_a_key_of_an_operator_with_a_typing_error_names_the_nearest(tmp_path: Path) -> None:
    error = refusal(tmp_path, f'[serve.operators.ada]\nrole = "look"\nkeys = ["{ADA_KEY}"]\nfrm = ["10.0.0.1"]\n')
    assert error.what == f"{tmp_path}/config.toml:4: serve.operators.ada.frm is not a setting"
    assert error.why == "The nearest known key is serve.operators.ada.from."


@pytest.mark.parametrize("listen", ["2022", ":2022", "lab", "lab:65536", "ops@lab:22", "lab:ssh"])
def test_an_address_that_cannot_be_listened_on_is_refused(tmp_path: Path, listen: str) -> None:
    assert refusal(tmp_path, f'[serve]\nlisten = "{listen}"\n').what.startswith(
        f"{tmp_path}/config.toml:2: serve.listen"
    )


@pytest.mark.parametrize(
    ("text", "line", "key", "nearest"),
    [
        ('# a comment\n[hive]\nflakee = "x"\n', 3, "hive.flakee", "hive.flake"),
        ('[limits]\nmemory-max = "2G"\n', 2, "limits.memory-max", "limits.memory_max"),
        ('[agents.iris.limits]\ncpu_quote = "2%"\n', 2, "agents.iris.limits.cpu_quote", "agents.iris.limits.cpu_quota"),
        ("[hive]\n\n[consol]\n", 3, "consol", "console"),
        (
            'limits = { memory_max = "2G",\n  cpu_quot = "5%" }\n'.replace("\n  ", " "),
            1,
            "limits.cpu_quot",
            "cpu_quota",
        ),
        ('flake = "x"\n', 1, "flake", "hive.flake"),
        ("[proposals]\nmax_pendin = 3\nmax_pending = 3\n", 2, "proposals.max_pendin", "proposals.max_pending"),
    ],
)
def test_an_unknown_key_is_refused_with_its_line_and_the_nearest_known_key(
    tmp_path: Path, text: str, line: int, key: str, nearest: str
) -> None:
    error = refusal(tmp_path, text)
    assert error.what == f"{tmp_path}/config.toml:{line}: {key} is not a setting"
    assert nearest in error.why
    assert error.fix
    assert error.code == 78


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("[hive]\nflake = 3\n", 2, "hive.flake"),
        ('[hive]\nflake = "--upload-pack=x"\n', 2, "hive.flake"),
        ('[hive]\nflake = "a\\" b"\n', 2, "hive.flake"),
        ("[hive]\ndashboard_port = 70000\n", 2, "hive.dashboard_port"),
        ('[limits]\nmemory_max = "2 GB"\n', 2, "limits.memory_max"),
        ('[limits]\ncpu_quota = "50"\n', 2, "limits.cpu_quota"),
        ('[limits]\nmemory_max = "1G\\n[Service]"\n', 2, "limits.memory_max"),
        ('[deploy]\n\ninterrupted = "ask"\n', 3, "deploy.interrupted"),
        ('[agents."../x".limits]\n', 1, "agents.../x"),
        ("[console]\ncolumns = [\n  'a',\n  3,\n]\n", 2, "console.columns.1"),
        ("proposals = 3\n", 1, "proposals"),
    ],
)
def test_an_invalid_value_is_refused_with_its_line(tmp_path: Path, text: str, line: int, key: str) -> None:
    error = refusal(tmp_path, text)
    assert error.what.startswith(f"{tmp_path}/config.toml:{line}: {key} = ")
    assert error.why


@pytest.mark.parametrize(
    ("text", "line"), [("[hive]\nflake = = 3\n", 2), ("[hive\n", 1), ('x = "open\n', 1), ("a = 1\n\na = 2\n", 3)]
)
def test_invalid_toml_is_refused_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    assert refusal(tmp_path, text).what == f"{tmp_path}/config.toml:{line} is not valid TOML"


@pytest.mark.parametrize(
    ("variable", "key"),
    [("HIVETUI_HIVE__FLAKEE", "hive.flakee"), ("HIVETUI_HIVE__DASHBOARD_PORT", "hive.dashboard_port")],
)
def test_an_invalid_variable_is_named(tmp_path: Path, variable: str, key: str) -> None:
    assert refusal(tmp_path, "", **{variable: "x"}).what.startswith(f"environment variable {variable}: {key}")


def test_a_file_named_with_config_must_exist(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="cannot be read"):
        settings_files.load({}, tmp_path / "missing.toml", host_file=tmp_path / "none.toml")


def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b'[hive]\nflake = "\xff"\n')
    with pytest.raises(BadConfiguration, match=r"config\.toml:2 is not UTF-8"):
        settings_files.load({}, path, host_file=tmp_path / "none.toml")


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    loop = tmp_path / "loop.toml"
    loop.symlink_to(loop)
    with pytest.raises((BadConfiguration, NotAllowed), match="cannot be read"):
        settings_files.load({}, loop, host_file=tmp_path / "none.toml")


def test_a_relative_xdg_directory_counts_as_unset() -> None:
    found = settings_sources.user_file({"XDG_CONFIG_HOME": "here", "HOME": "/home/a"})
    assert found == Path("/home/a/.config/hivetui/config.toml")


def test_only_variables_with_a_section_and_a_key_are_settings(tmp_path: Path) -> None:
    empty = {"HOME": str(tmp_path), "HIVETUI_EMBEDDED_NIX": "real"}
    assert settings_sources.files(empty, tmp_path / "none") == []
    assert settings_sources.variables(empty) == {}
