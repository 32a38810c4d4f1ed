"""The environment of every git: nothing of the user's but where programs and temporary files are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hivetui.engine.git import environment


def test_only_the_search_path_and_the_temporary_directory_are_inherited() -> None:
    inherited = {
        "PATH": "/bin",
        "TMPDIR": "/t",
        "HOME": "/root",
        "GIT_DIR": "/x",
        "GIT_CONFIG_GLOBAL": "/y",
        "SECRET": "s",
    }
    hardened = environment.hardened_environment(inherited)
    assert (hardened["PATH"], hardened["TMPDIR"]) == ("/bin", "/t")
    assert (hardened["HOME"], hardened["GIT_CONFIG_GLOBAL"]) == ("/dev/null", "/dev/null")
    assert not {"GIT_DIR", "SECRET"} & hardened.keys()


def test_an_identity_is_of_author_and_committer() -> None:
    assert environment.identity("iris", "i@h", 7) == {
        "GIT_AUTHOR_NAME": "iris",
        "GIT_AUTHOR_EMAIL": "i@h",
        "GIT_AUTHOR_DATE": "7 +0000",
        "GIT_COMMITTER_NAME": "iris",
        "GIT_COMMITTER_EMAIL": "i@h",
        "GIT_COMMITTER_DATE": "7 +0000",
    }


def test_a_configuration_of_the_user_has_no_effect(tmp_path: Path) -> None:
    (tmp_path / ".gitconfig").write_text("[user]\n\tname = mallory\n")
    hardened = environment.hardened_environment({**os.environ, "HOME": str(tmp_path)})
    done = subprocess.run(("git", "config", "--global", "--list"), env=hardened, capture_output=True, cwd=tmp_path)
    assert b"mallory" not in done.stdout


def test_it_needs_the_standard_library_only() -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import hivetui.engine.git.environment"
    root = Path(environment.__file__).parents[3]
    subprocess.run((sys.executable, "-IS", "-c", code, root), check=True)
