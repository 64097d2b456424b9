"""Data whose per-atom energies are known exactly: a pair potential, split in halves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from zeroflux.frames import Frame
from zeroflux.sampling.monte_carlo import DEFAULT_CUTOFF, sample_liquid
from zeroflux.sampling.pair_potentials import NOBLE_GASES, PairPotential
from zeroflux.sampling.pair_sums import pair_energies
from zeroflux.sampling.state_points import StatePoint


@dataclass(frozen=True, eq=False)
class PairBenchmark:
    """Frames with total and site energies, exact to rounding.

    Raises
    ------
    ValueError
        If the numbers of frames and energies differ.
    """

    frames: list[Frame]
    """Configurations."""
    site_energies: list[Float[np.ndarray, " _"]]
    """E_i = ½ Σ_j V(r_ij) of each frame (hartree)."""
    potential: PairPotential
    """Potential of the energies, switched to zero at the cutoff."""
    cutoff: float
    """Distance (bohr) beyond which nothing interacts: a model with this cutoff can be exact."""

    def __post_init__(self) -> None:
        if len(self.frames) != len(self.site_energies):
            raise ValueError(
                f"{len(self.frames)} frames with {len(self.site_energies)} sets of site energies; "
                "expected as many"
            )

    @property
    def total_energies(self) -> Float[np.ndarray, " n_frames"]:
        """Energies of the cells (hartree)."""
        return np.array([energies.sum() for energies in self.site_energies])


def label_with_pairs(
    frames: Sequence[Frame],
    *,
    cutoff: float,
    onset: float | None = None,
    potential: PairPotential = NOBLE_GASES,
) -> PairBenchmark:
    """Site energies of given frames by a pair potential.

    Parameters
    ----------
    frames
        Configurations.
    cutoff
        Distance (bohr) from which on the energy is zero.
    onset
        Distance (bohr) from which on it is switched off; 0.8 of the cutoff by default. The
        switching keeps the target as smooth as the models that have to learn it.
    potential
        Curves before switching.
    """
    smooth = potential.switched(onset=0.8 * cutoff if onset is None else onset, cutoff=cutoff)
    return PairBenchmark(
        frames=list(frames),
        site_energies=[pair_energies(frame, smooth, cutoff) for frame in frames],
        potential=smooth,
        cutoff=cutoff,
    )


def pair_benchmark(
    state_points: Sequence[StatePoint],
    *,
    n_frames_each: int,
    seed: int,
    cutoff: float = DEFAULT_CUTOFF,
    potential: PairPotential = NOBLE_GASES,
) -> PairBenchmark:
    """Known-answer data set of liquids, in any amount.

    Every state point gets its own seed, derived from `seed` and its place in the list. The
    frames are drawn with the full potential, the energies taken from the switched one.
    """
    frames: list[Frame] = []
    for i, point in enumerate(state_points):
        child = int(np.random.SeedSequence([seed, i]).generate_state(1)[0])
        sampled = sample_liquid(point, n_frames=n_frames_each, seed=child, potential=potential)
        frames.extend(sampled.frames)
    return label_with_pairs(frames, cutoff=cutoff, potential=potential)
