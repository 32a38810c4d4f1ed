"""The drop-in with the limits of a container."""

from __future__ import annotations

from hivetui.engine.containers import limits
from hivetui.engine.model.settings import AgentLimits, AgentSection, LimitsSection, Settings


def test_the_limits_are_those_of_the_settings() -> None:
    settings = Settings(agents={"iris": AgentSection(limits=AgentLimits(memory_max="1G"))})
    assert limits.limits_text(settings.limits_of("iris")) == b"[Service]\nMemoryMax=1G\nCPUQuota=50%\n"
    assert limits.limits_text(LimitsSection()) == b"[Service]\nMemoryMax=2G\nCPUQuota=50%\n"
