"""How far a model looks: size of a local energy's gradient by distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class ReceptiveField:
    """Sensitivity of local energies to neighbours at each distance."""

    edges: Float[np.ndarray, " n_bins_plus_1"]
    """Boundaries of the bins (bohr)."""
    sensitivity: Float[np.ndarray, " n_bins"]
    """Root-mean-square |∂ε_i/∂R_j| of neighbours in the bin (hartree/bohr); NaN if empty."""
    share: Float[np.ndarray, " n_bins"]
    """Part of Σ|∂ε_i/∂R_j|² that comes from the bin."""

    def radius(self, fraction: float = 0.9) -> float:
        """Distance that holds this part of the squared gradient (bohr), linear within a bin."""
        cumulative = np.concatenate([[0.0], np.cumsum(self.share)])
        return float(np.interp(fraction, cumulative, self.edges))


def receptive_field(
    distance: Float[np.ndarray, " n_pairs"],
    gradient: Float[np.ndarray, "n_pairs 3"],
    edges: Float[np.ndarray, " n_bins_plus_1"],
) -> ReceptiveField:
    """Gradients of local energies with respect to neighbours, by their distance.

    Parameters
    ----------
    distance
        Distance of each pair of an atom and a neighbour (bohr).
    gradient
        Derivative of the atom's energy with respect to the neighbour's position (hartree/bohr).
    edges
        Boundaries of the bins, ascending (bohr).
    """
    square = np.square(gradient).sum(axis=1)
    inside = (distance >= edges[0]) & (distance < edges[-1])
    bins = np.searchsorted(edges, distance[inside], side="right") - 1
    total = np.bincount(bins, weights=square[inside], minlength=len(edges) - 1)
    count = np.bincount(bins, minlength=len(edges) - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity = np.sqrt(total / count)
        share = total / total.sum()
    return ReceptiveField(edges, sensitivity, share)
