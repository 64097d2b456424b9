"""Structures whose local energies every partition and every model must agree on.

Where symmetry makes all atoms equal, the energy of an atom is E/N by any partition: the isolated
atom, the dimer of equal atoms, the perfect crystal. There a local energy has no freedom beyond the
total.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from zeroflux.frames import Frame

SYMMETRY_TOLERANCE = 1e-3
"""Distances of equivalent atoms agree to this (bohr); structure files hold 1e-4 Å or better."""


@dataclass(frozen=True)
class Checkpoint:
    """Local energies of one model in one symmetric structure (hartree)."""

    structure: str
    model: str
    exact: float
    """E/N."""
    local: float
    """Mean of the model's local energies."""
    asymmetry: float
    """Largest deviation of a local energy from their mean: zero for a model that has the symmetry
    of space."""

    @property
    def error(self) -> float:
        """Local energy less the exact one."""
        return self.local - self.exact


def checkpoint(
    *,
    structure: str,
    model: str,
    total_energy: float,
    local_energy: Float[np.ndarray, " n_atoms"],
) -> Checkpoint:
    """Hold the local energies of a symmetric structure against E/N (hartree)."""
    mean = float(local_energy.mean())
    return Checkpoint(
        structure=structure,
        model=model,
        exact=total_energy / len(local_energy),
        local=mean,
        asymmetry=float(np.abs(local_energy - mean).max()),
    )


def has_equal_atoms(frame: Frame, *, reach: float) -> bool:
    """Whether all atoms are one element and have the same distances to all others within reach.

    Equal distance lists are necessary for equivalence by symmetry; for the structures meant here
    (one or two atoms, perfect crystals) they are also sufficient, and no thermal configuration
    passes.

    Parameters
    ----------
    frame
        Periodic configuration.
    reach
        How far neighbours are compared (bohr).
    """
    from ase.neighborlist import primitive_neighbor_list

    if len(np.unique(frame.atomic_numbers)) != 1:
        return False
    first, distance = primitive_neighbor_list("id", [True] * 3, frame.cell, frame.positions, reach)
    rows: Sequence[np.ndarray] = [np.sort(distance[first == k]) for k in range(frame.n_atoms)]
    return all(
        len(row) == len(rows[0]) and bool((np.abs(row - rows[0]) < SYMMETRY_TOLERANCE).all())
        for row in rows
    )
