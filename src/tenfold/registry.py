"""The one table of systems. It imports nothing, so that help and lists answer at once."""

from dataclasses import dataclass

__all__ = ["SYSTEMS", "System", "ready"]


@dataclass(frozen=True)
class System:
    """One research system: how it is called, what it does, where it comes from, and whether it is here yet."""

    name: str
    title: str
    summary: str
    paper: str
    extra: str
    is_ready: bool = False
    package: str = ""

    @property
    def module(self) -> str:
        """Import path of the system's package."""
        return self.package or f"tenfold.{self.name}"


_TABLE = (
    System(
        "udrl",
        "Convergence of upside-down RL",
        "Will goal-conditioned supervised learning work on my noisy problem? Exact answers for finite environments.",
        "Strupl et al. 2025, arXiv 2502.05672",
        "udrl",
        is_ready=True,
    ),
    System(
        "policygen",
        "Policy generators",
        "A hypernetwork that turns a wanted return into the weights of a policy.",
        "Di Ventura et al. 2025, arXiv 2501.16288",
        "policygen",
    ),
    System(
        "semgrad",
        "Semantic backpropagation",
        "Optimise the instructions of a graph of language-model calls by feedback.",
        "Wang et al. 2024, arXiv 2412.03624",
        "semgrad",
        is_ready=True,
    ),
    System(
        "album",
        "Album sequencing",
        "Order the tracks of an album by its narrative, in one click.",
        "Herrmann et al. 2024, arXiv 2411.07772",
        "album",
    ),
    System(
        "facts",
        "Factored state-space world model",
        "Forecasting and object dynamics with permutable memory.",
        "Nanbo et al. 2024, arXiv 2410.20922",
        "facts",
        is_ready=True,
    ),
    System(
        "mardini",
        "Masked video diffusion",
        "Fill in any frames of a video: interpolation, image-to-video, expansion.",
        "Liu et al. 2024, arXiv 2410.20280",
        "mardini",
    ),
    System(
        "judge",
        "Agent-as-a-Judge",
        "Judge an agent's workspace requirement by requirement, with evidence.",
        "Zhuge et al. 2024, arXiv 2410.10934",
        "judge",
        is_ready=True,
    ),
    System(
        "chemqa",
        "Chemistry question answering",
        "Yes/no/maybe questions on chemistry papers, with few labels.",
        "Chen et al. 2024, arXiv 2407.16931",
        "chemqa",
    ),
    System(
        "goldfish",
        "Long-video question answering",
        "Questions about videos of any length, by retrieval over described clips.",
        "Ataallah et al. 2024, arXiv 2407.12679",
        "goldfish",
    ),
    System(
        "reactions",
        "Fast SMILES decoding",
        "Reaction prediction and retrosynthesis, many times faster by speculative decoding, with no loss.",
        "Andronov et al. 2025, arXiv 2407.09685",
        "reactions",
        is_ready=True,
    ),
)

SYSTEMS: dict[str, System] = {system.name: system for system in _TABLE}


def ready() -> list[System]:
    """The systems that can be used now, in the order of the table."""
    return [system for system in SYSTEMS.values() if system.is_ready]
