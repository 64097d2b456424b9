"""Energies of atoms by intrinsic atomic orbitals: each electron belongs to one atom's orbitals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

_OCCUPIED = 0.01


def free_atom_orbitals(
    overlap: Float[np.ndarray, "n n"], density_matrix: Float[np.ndarray, "n n"]
) -> Float[np.ndarray, "n n_minimal"]:
    """Occupied natural orbitals of a free atom, in its basis functions."""
    values, vectors = np.linalg.eigh(overlap)
    root = (vectors * np.sqrt(values)) @ vectors.T
    inverse_root = (vectors / np.sqrt(values)) @ vectors.T
    occupations, orbitals = np.linalg.eigh(root @ density_matrix @ root)
    return inverse_root @ orbitals[:, occupations > _OCCUPIED]


def intrinsic_atomic_orbitals(
    overlap: Float[np.ndarray, "n_ao n_ao"],
    occupied: Float[np.ndarray, "n_ao n_occupied"],
    minimal: Float[np.ndarray, "n_ao n_minimal"],
) -> Float[np.ndarray, "n_ao n_minimal"]:
    r"""Free atoms' orbitals, polarised so that they span the occupied orbitals, orthonormal.

    .. math:: A = \big[O\tilde O + (1-O)(1-\tilde O)\big] M

    with the projector O on the occupied orbitals C, :math:`\tilde O` on those projected into the
    space of the minimal basis M, and a symmetric orthogonalisation of A.

    References
    ----------
    Knizia, J. Chem. Theory Comput. 9, 4834 (2013), doi 10.1021/ct400687b, eq. (2).
    """
    projected = minimal @ np.linalg.solve(
        minimal.T @ overlap @ minimal, minimal.T @ overlap @ occupied
    )
    depolarised = _orthonormal(projected, overlap)
    inside = depolarised @ (depolarised.T @ overlap @ minimal)
    outside = minimal - inside
    onto = occupied @ (occupied.T @ overlap)
    return _orthonormal(onto @ inside + outside - onto @ outside, overlap)


def _orthonormal(vectors: np.ndarray, overlap: np.ndarray) -> np.ndarray:
    """Symmetric orthogonalisation, which changes the vectors least."""
    values, rotation = np.linalg.eigh(vectors.T @ overlap @ vectors)
    return vectors @ (rotation / np.sqrt(values)) @ rotation.T


def orbital_energies(
    orbitals: Float[np.ndarray, "n_ao n_minimal"],
    *,
    owners: Sequence[int],
    overlap: Float[np.ndarray, "n_ao n_ao"],
    density_matrix: Float[np.ndarray, "n_ao n_ao"],
    operator: Float[np.ndarray, "n_ao n_ao"],
    n_atoms: int,
) -> Float[np.ndarray, " n_atoms"]:
    r"""Share of each atom in the energy of the electrons.

    .. math:: E_A = \mathrm{tr}\,D_A H, \qquad D_A = \tfrac12 (P_A S D + D S P_A), \qquad
              P_A = \sum_{k\in A} a_k a_k^T

    The D_A sum to D, since the orbitals span the occupied ones.

    Parameters
    ----------
    orbitals
        Intrinsic atomic orbitals a_k.
    owners
        Atom of each.
    overlap, density_matrix
        S and D.
    operator
        H = T + V_nl + v_sr + ε_xc − ½V: what the energy is linear in the density with, half of
        each interaction between charges (hartree).
    n_atoms
        Number of atoms.

    References
    ----------
    Eriksen, J. Chem. Phys. 153, 214109 (2020), doi 10.1063/5.0030764; arXiv 2407.10148.
    """
    per_orbital = np.einsum(
        "mk,mk->k", orbitals, overlap @ (density_matrix @ (operator @ orbitals))
    )
    return np.bincount(owners, per_orbital, minlength=n_atoms)
