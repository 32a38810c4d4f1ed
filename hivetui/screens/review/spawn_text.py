"""What approving a spawn request would create, and what stands in its way. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hivetui.engine.model.agents import AgentState, SpawnAdvice
from hivetui.engine.model.text import safe
from hivetui.screens.review.text import Part


def describe_spawn(advice: SpawnAdvice, states: Mapping[str, AgentState]) -> Iterator[Part]:
    """Container, repos and port; then the obstacles. `states` are those of all agents by name."""
    if advice.container is None:
        yield (f"▲ {safe(advice.problem or 'This name cannot be used.')}\n", "bold $error")
        return
    reused = ", reusing what was kept of them" if states.get(advice.name) is AgentState.KEPT else ""
    yield ("Approving it creates\n", "bold")
    yield f"  container {safe(advice.container)}, with the base system and an empty agent.nix\n"
    yield f"  its repos, credentials and notes{reused}\n"
    yield f"  its web page on port {advice.port}\n"
    yield from _obstacles(advice, states)


def _obstacles(advice: SpawnAdvice, states: Mapping[str, AgentState]) -> Iterator[Part]:
    if advice.problem:
        yield (f"\n▲ {safe(advice.problem)}: it cannot be created\n", "bold $error")
    for other in advice.shared_with:
        is_running = states.get(other) is AgentState.RUNNING
        effect = "is running: the spawn would be refused" if is_running else "is not running: only one of them can run"
        yield (f"\n▲ port {advice.port} is also the port of {safe(other)}, which {effect}\n", "bold $warning")
    if advice.listener:
        yield (f"\n▲ {safe(advice.listener)} is listening on port {advice.port}\n", "bold $warning")
    if advice.free_names:
        yield "  similar free names: " + ", ".join(safe(name) for name in advice.free_names) + "\n"
