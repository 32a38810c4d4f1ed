"""What git 2 does by default, for the repos that tests make themselves: git 3 makes others (BreakingChanges.adoc).

The engine's own git has its settings from hivetui/engine/git/environment.py, and does not see these.
"""

GIT_2 = {
    "GIT_DEFAULT_HASH": "sha1",
    "GIT_DEFAULT_REF_FORMAT": "files",
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.bareRepository",
    "GIT_CONFIG_VALUE_0": "all",
}
"""Variables of the environment of a test's git."""
