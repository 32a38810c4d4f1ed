"""What is shown of a failed nix, by the output of several versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivetui.engine.nix import failures

if TYPE_CHECKING:
    pass


def test_the_summary_of_an_evaluation_error_is_the_error_and_its_location() -> None:
    # of nix 2.8
    stderr = """\
warning: not writing modified lock file of flake 'git+file:///hive/meta?rev=e0d0':
• Updated input 'agent-9x':
    'git+file:///hive/applied/9x?ref=main&rev=3c58' (2026-11-22)
error: undefined variable 'nope'

       at /nix/store/qa1rb3a94s37y7bqw67n5dj1s5glxg9y-source/agent.nix:1:38:

            1| { ... }: { environment.variables.X = nope; }
             |                                      ^
(use '--show-trace' to show detailed location information)
"""
    assert failures.summarize(stderr).splitlines() == [
        "error: undefined variable 'nope'",
        "at agent.nix:1:38:",
        "     1| { ... }: { environment.variables.X = nope; }",
        "      |                                      ^",
    ]


def test_the_summary_of_a_newer_nix_is_its_last_error_without_the_stack() -> None:
    # the shape of nix 2.20 and later: an empty first line, frames, the error last
    stderr = """\
error:
       … while evaluating the attribute 'config.system.build.toplevel'
         at /nix/store/x/flake.nix:1:1:
       error: undefined variable 'nope'
       at /nix/store/qa1rb3a94s37y7bqw67n5dj1s5glxg9y-source/agent.nix:1:38:
            1| { ... }: { environment.variables.X = nope; }
"""
    assert failures.summarize(stderr).splitlines()[:2] == ["error: undefined variable 'nope'", "at agent.nix:1:38:"]


def test_the_summary_of_a_failed_builder_is_its_derivation_and_the_end_of_its_log() -> None:
    # of nix 2.8, with a second derivation that failed because of the first
    stderr = """\
building '/nix/store/bgy7xw3gb988xrc0s07vam937ivp89k1-tool.drv'...
error: builder for '/nix/store/bgy7xw3gb988xrc0s07vam937ivp89k1-tool.drv' failed with exit code 1;
       last 2 log lines:
       > error: in the log
       > no room
       For full logs, run 'nix log /nix/store/bgy7xw3gb988xrc0s07vam937ivp89k1-tool.drv'.
error: 1 dependencies of derivation '/nix/store/0jvyvv84jmvmlnsd8i0vs1y1hzf0jfmi-system.drv' failed to build
"""
    assert failures.summarize(stderr).splitlines() == [
        "error: builder for '/nix/store/bgy7xw3gb988xrc0s07vam937ivp89k1-tool.drv' failed with exit code 1;",
        "last 2 log lines:",
        "> error: in the log",
        "> no room",
    ]


def test_the_log_of_a_failed_builder_is_found_by_its_name_without_the_version() -> None:
    stderr = """\
tool> no room
other> fine
error: builder for '/nix/store/bgy7xw3gb988xrc0s07vam937ivp89k1-tool-2.1.drv' failed with exit code 1
"""
    assert failures.summarize(stderr).splitlines()[1:] == ["tool> no room"]


def test_the_summary_without_an_error_is_the_end_of_the_output() -> None:
    assert failures.summarize("\n".join(map(str, range(100)))).splitlines()[-1] == "99"
    assert failures.summarize("") == ""
