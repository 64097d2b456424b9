"""How long and how fast to train."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train: one rule for every architecture and size."""

    learning_rate: float = 2e-2
    """Peak rate of Adam; matrices of large fan-in get less (`learning_rate_scales`)."""
    n_steps: int = 4000
    """Largest number of steps; the rate follows half a cosine down to zero over them."""
    n_warmup: int = 100
    """Steps over which the rate rises from zero."""
    batch_size: int = 25
    """Configurations per step."""
    interval: int = 50
    """Steps between two looks at the held-out totals."""
    patience: int = 1500
    """Steps without a better held-out error after which a seed stops."""
    is_double: bool = False
    """Train in double precision."""

    def __post_init__(self) -> None:
        counts = ("n_steps", "batch_size", "interval", "patience")
        if self.learning_rate <= 0 or min(getattr(self, c) for c in counts) < 1:
            raise ValueError(f"expected positive numbers in the schedule, found {asdict(self)}")

    def rates(self, start: int) -> Float[np.ndarray, " interval"]:
        """Learning rates of the ``interval`` steps that follow step ``start``."""
        step = np.arange(start, start + self.interval)
        warmup = np.minimum(1.0, (step + 1) / max(self.n_warmup, 1))
        decay = 0.5 * (1.0 + np.cos(np.pi * np.minimum(step / self.n_steps, 1.0)))
        return self.learning_rate * warmup * decay
