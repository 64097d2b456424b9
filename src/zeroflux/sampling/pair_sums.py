"""Energies, forces and virial of a pair potential in a periodic cell, with all images.

Nothing here assumes that the cutoff fits into half the box: a box of 16 argon atoms at liquid
density is 9.1 Å wide, so that a cutoff of 12 Å meets several images of each atom, and of the
atom itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols
from jaxtyping import Float, Int

from zeroflux.errors import StructureError
from zeroflux.frames import Frame
from zeroflux.sampling import _kernels
from zeroflux.sampling.pair_potentials import PairPotential


@dataclass(frozen=True, eq=False)
class HalfPairs:
    """Each pair of atoms within a cutoff once; an atom and its own image counts as a pair."""

    first: Int[np.ndarray, " n_pairs"]
    """Index of the first atom."""
    second: Int[np.ndarray, " n_pairs"]
    """Index of the second atom; equal to `first` for an atom and its own image."""
    vectors: Float[np.ndarray, "n_pairs 3"]
    """Vector from the first to the image of the second (bohr)."""

    @property
    def distances(self) -> Float[np.ndarray, " n_pairs"]:
        """Lengths of the vectors (bohr)."""
        return np.linalg.norm(self.vectors, axis=1)


def cutoff_reach(cell: Float[np.ndarray, "3 3"], cutoff: float) -> Float[np.ndarray, " 3"]:
    r"""Cutoff in units of the spacings h_k of the lattice planes.

    A displacement with fractional coordinates f, wrapped to [-½, ½], has images within the
    cutoff only for :math:`|f_k + n_k| \le r_c/h_k`. For a cutoff below half of every spacing
    this leaves one image: the minimum-image convention, in any cell.

    Raises
    ------
    ValueError
        If the cutoff is not positive.
    """
    if not cutoff > 0:
        raise ValueError(f"cutoff is {cutoff} bohr; expected a positive length")
    return cutoff * np.linalg.norm(np.linalg.inv(cell), axis=0)


def half_pairs(frame: Frame, cutoff: float) -> HalfPairs:
    """All pairs closer than a cutoff (bohr), images included.

    Cost grows with the square of the number of atoms: right for boxes of up to some thousand
    atoms, which is all that sampling and labels need.
    """
    positions = np.ascontiguousarray(frame.positions)
    cell = np.ascontiguousarray(frame.cell)
    inverse = np.ascontiguousarray(np.linalg.inv(cell))
    reach = cutoff_reach(cell, cutoff)
    n_pairs = _kernels.count_pairs(positions, cell, inverse, reach, cutoff**2)
    first = np.empty(n_pairs, dtype=np.int64)
    second = np.empty(n_pairs, dtype=np.int64)
    vectors = np.empty((n_pairs, 3))
    _kernels.fill_pairs(positions, cell, inverse, reach, cutoff**2, first, second, vectors)
    return HalfPairs(first=first, second=second, vectors=vectors)


def pair_energies(
    frame: Frame, potential: PairPotential, cutoff: float
) -> Float[np.ndarray, " n_atoms"]:
    r"""Site energies of a pair potential, :math:`E_i = \tfrac12\sum_j V(r_{ij})`.

    The sum runs over all images within the cutoff. This is the only decomposition of a pair
    energy that treats the two atoms alike, which makes it a known answer for models that are
    trained on totals.

    Parameters
    ----------
    frame
        Atoms in their cell.
    potential
        Curves of all pairs of elements.
    cutoff
        Distance (bohr) from which on pairs are left out. The curve itself is not shifted; use
        `PairPotential.switched` for an energy that is smooth there.

    Returns
    -------
    Energies of the atoms (hartree); they sum to the energy of the cell.

    Raises
    ------
    StructureError
        If two atoms are closer than the wall of their curve, or an element is unknown.
    """
    pairs = half_pairs(frame, cutoff)
    energies = _per_pair(frame, potential, pairs, derivative=False)
    return 0.5 * (
        np.bincount(pairs.first, weights=energies, minlength=frame.n_atoms)
        + np.bincount(pairs.second, weights=energies, minlength=frame.n_atoms)
    )


def pair_forces(
    frame: Frame, potential: PairPotential, cutoff: float
) -> Float[np.ndarray, "n_atoms 3"]:
    """Forces (hartree/bohr) of a pair potential; arguments as for `pair_energies`."""
    pairs = half_pairs(frame, cutoff)
    slope = _per_pair(frame, potential, pairs, derivative=True)
    on_first = (slope / pairs.distances)[:, None] * pairs.vectors
    forces = np.zeros((frame.n_atoms, 3))
    np.add.at(forces, pairs.first, on_first)
    np.add.at(forces, pairs.second, -on_first)
    return forces


def pair_stress(frame: Frame, potential: PairPotential, cutoff: float) -> Float[np.ndarray, "3 3"]:
    r"""Stress (hartree/bohr³), :math:`\frac1\Omega\sum_{pairs} V'(r)\,r_a r_b / r`.

    The derivative of the energy by homogeneous strain per volume, so that the virial part of
    the pressure is minus a third of its trace; arguments as for `pair_energies`.
    """
    pairs = half_pairs(frame, cutoff)
    weight = _per_pair(frame, potential, pairs, derivative=True) / pairs.distances
    return np.einsum("p,pa,pb->ab", weight, pairs.vectors, pairs.vectors) / frame.volume


def check_overlaps(frame: Frame, minimum_distance: float) -> None:
    """Refuse a frame in which two atoms, or an atom and an image, are too close.

    Parameters
    ----------
    frame
        Atoms in their cell.
    minimum_distance
        Smallest distance allowed (bohr).

    Raises
    ------
    StructureError
        Naming the closest two atoms, their distance and the distance expected.
    """
    pairs = half_pairs(frame, minimum_distance)
    if len(pairs.first):
        k = int(np.argmin(pairs.distances))
        raise _overlap_error(frame, pairs, k, minimum_distance)


def _per_pair(
    frame: Frame, potential: PairPotential, pairs: HalfPairs, *, derivative: bool
) -> np.ndarray:
    """V or dV/dr of each pair, by the curve of its two elements."""
    distances = pairs.distances
    numbers = np.sort(
        np.stack([frame.atomic_numbers[pairs.first], frame.atomic_numbers[pairs.second]]), axis=0
    )
    values = np.zeros(len(distances))
    for a, b in np.unique(numbers, axis=1).T:
        curve = potential.curve_of_numbers(int(a), int(b))
        mask = (numbers[0] == a) & (numbers[1] == b)
        inside = np.flatnonzero(mask & (distances < curve.wall))
        if inside.size:
            k = int(inside[np.argmin(distances[inside])])
            raise _overlap_error(frame, pairs, k, curve.wall)
        evaluate = curve.derivative if derivative else curve.energy
        values[mask] = evaluate(distances[mask])
    return values


def _overlap_error(frame: Frame, pairs: HalfPairs, k: int, minimum: float) -> StructureError:
    i, j = int(pairs.first[k]), int(pairs.second[k])
    names = [f"{i} ({chemical_symbols[frame.atomic_numbers[i]]})"]
    names.append(f"{j} ({chemical_symbols[frame.atomic_numbers[j]]})" if i != j else "its image")
    return StructureError(
        f"Atoms overlap: atom {names[0]} and {'atom ' if i != j else ''}{names[1]}, counted from "
        f"0, are {_angstrom(pairs.distances[k])} apart; expected at least {_angstrom(minimum)}. "
        "Check positions, cell and length unit of the structure."
    )


def _angstrom(length: float) -> str:
    from zeroflux.units import ANGSTROM

    return f"{length / ANGSTROM:.3f} Å"
