"""Local error against local prediction rigidity: does what totals pin down come out better?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from zeroflux.evaluation.statistics import spearman


@dataclass(frozen=True)
class RigidityProfile:
    """Error of local energies by rigidity."""

    edges: tuple[float, ...]
    """Boundaries of the groups, equal numbers of atoms in each."""
    rmse: tuple[float, ...]
    """Root-mean-square error in each group, least rigid first (the unit of the errors)."""
    correlation: float
    """Spearman correlation of |error| with rigidity: negative if rigid atoms come out better."""


def rigidity_profile(
    error: Float[np.ndarray, " n_atoms"],
    rigidity: Float[np.ndarray, " n_atoms"],
    *,
    n_groups: int = 4,
) -> RigidityProfile:
    """Group atoms by rigidity and compare their errors.

    `error` should be centred per species first: an offset is a gauge, not an error.
    """
    if len(error) < n_groups:
        raise ValueError(
            f"Found {len(error)} atoms for {n_groups} groups; expected at least one each. "
            "Use fewer groups."
        )
    order = np.argsort(rigidity, kind="stable")
    groups = np.array_split(order, n_groups)
    return RigidityProfile(
        edges=(
            *(float(rigidity[group[0]]) for group in groups),
            float(rigidity[order[-1]]),
        ),
        rmse=tuple(float(np.sqrt(np.mean(error[group] ** 2))) for group in groups),
        correlation=spearman(np.abs(error), rigidity),
    )
