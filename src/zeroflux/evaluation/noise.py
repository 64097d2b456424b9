"""Noise floors: errors below which no comparison of local energies means anything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class NoiseFloors:
    """Sizes of what blurs a per-atom energy (hartree, one standard deviation; NaN if unknown)."""

    kinetic_gauge: float
    """A quarter of ∫∇²ρ over a basin: how far two legitimate kinetic energies differ."""
    closure: float
    """Root-mean-square closure residual per atom."""
    shortcut: float
    """Centred difference of direct and shortcut labels."""
    seeds: float
    """Spread of a local energy over networks that differ by their seed only."""


def noise_floors(
    *,
    laplacian: Float[np.ndarray, " n_atoms"],
    closure_per_atom: Float[np.ndarray, " n_configurations"],
    shortcut_rmse: float = float("nan"),
    local_energy_by_seed: Float[np.ndarray, "n_seeds n_scored"] | None = None,
) -> NoiseFloors:
    """Collect the floors from labels, the chosen shortcut and an ensemble of networks."""
    seeds = float("nan")
    if local_energy_by_seed is not None and len(local_energy_by_seed) > 1:
        # Offsets of whole networks are a gauge; only differences between atoms count.
        centred = local_energy_by_seed - local_energy_by_seed.mean(axis=1, keepdims=True)
        seeds = float(np.sqrt(np.mean(centred.var(axis=0, ddof=1))))
    return NoiseFloors(
        kinetic_gauge=float(0.25 * np.sqrt(np.mean(laplacian**2))),
        closure=float(np.sqrt(np.mean(closure_per_atom**2))),
        shortcut=shortcut_rmse,
        seeds=seeds,
    )
