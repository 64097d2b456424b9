"""What partitions beside the basins need of PySCF: free atoms, and energies by their orbitals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase.data import atomic_numbers
from jaxtyping import Float

from zeroflux.grids import UniformGrid
from zeroflux.labelling.gth_data import Ions
from zeroflux.labelling.kinetic import one_atom
from zeroflux.labelling.orbital_partition import (
    free_atom_orbitals,
    intrinsic_atomic_orbitals,
    orbital_energies,
)
from zeroflux.labelling.stockholder import NEGLIGIBLE_DENSITY, FreeAtom

_RADII = np.linspace(0.0, 30.0, 3001)
# Both ends of the axes, corners and edges of a cube: averages over angles up to l = 3 exact.
_DIRECTIONS = np.array(
    [
        (x, y, z)
        for x in (-1.0, 0.0, 1.0)
        for y in (-1.0, 0.0, 1.0)
        for z in (-1.0, 0.0, 1.0)
        if (x, y, z) != (0.0, 0.0, 0.0)
    ]
)


def free_atoms(
    cell: Any, density_matrices: Mapping[str, Float[np.ndarray, "n n"]], ions: Ions
) -> dict[int, FreeAtom]:
    """Densities of the free atoms of a PySCF cell, ions added, by atomic number."""
    first = {cell.atom_symbol(i): i for i in reversed(range(cell.natm))}
    return {
        atomic_numbers[symbol]: _free_atom(
            one_atom(cell, i), density_matrices[symbol], ions.charges[i], ions.widths[i]
        )
        for symbol, i in first.items()
    }


def _free_atom(
    mol: Any, density_matrix: Float[np.ndarray, "n n"], charge: float, width: float
) -> FreeAtom:
    """Spherical average of the density of a PySCF molecule of one atom, its ion added."""
    unit = _DIRECTIONS / np.linalg.norm(_DIRECTIONS, axis=1)[:, None]
    valence = np.zeros(len(_RADII))
    for direction in unit:
        values = mol.eval_gto("GTOval", mol.atom_coord(0) + np.outer(_RADII, direction))
        valence += np.einsum("gi,ij,gj->g", values, density_matrix, values, optimize=True)
    ion = charge * (2.0 * np.pi * width**2) ** -1.5 * np.exp(-0.5 * (_RADII / width) ** 2)
    density = valence / len(unit) + ion
    end = np.flatnonzero(density > NEGLIGIBLE_DENSITY)[-1] + 1
    return FreeAtom(radii=_RADII[:end], density=density[:end].clip(min=NEGLIGIBLE_DENSITY))


def electron_energies(
    cell: Any,
    integrator: Any,
    *,
    occupied: Float[np.ndarray, "n_ao n_occupied"],
    free_density_matrices: Mapping[str, np.ndarray],
    local: Float[np.ndarray, "n_a n_b n_c"],
    grid: UniformGrid,
) -> Float[np.ndarray, " n_atoms"]:
    """Energy of each atom's electrons by intrinsic atomic orbitals.

    Parameters
    ----------
    cell
        PySCF cell, Γ point.
    integrator
        Multigrid integrator of it.
    occupied
        Doubly occupied orbitals.
    free_density_matrices
        Density matrices of the free atoms by element.
    local
        Energy of an electron at each point, v_sr + ε_xc − ½V (hartree).
    grid
        Its grid.
    """
    from pyscf.pbc import tools
    from pyscf.pbc.dft.multigrid.multigrid_pair import _get_j_pass2
    from pyscf.pbc.gto.pseudo.pp_int import get_pp_nl
    from scipy.linalg import block_diag

    blocks, owners = [], []
    for atom in range(cell.natm):
        mol = one_atom(cell, atom)
        matrix = free_density_matrices[cell.atom_symbol(atom)]
        blocks.append(free_atom_orbitals(mol.intor("int1e_ovlp"), matrix))
        owners += [atom] * blocks[-1].shape[1]
    overlap = np.asarray(cell.pbc_intor("int1e_ovlp", hermi=1))
    spectrum = tools.fft(local.reshape(1, -1), grid.shape) * grid.voxel_volume
    operator = (
        np.asarray(cell.pbc_intor("int1e_kin", hermi=1))
        + np.asarray(get_pp_nl(cell)).real
        + np.asarray(_get_j_pass2(integrator, spectrum)).reshape(overlap.shape)
    )
    return orbital_energies(
        intrinsic_atomic_orbitals(overlap, occupied, block_diag(*blocks)),
        owners=owners,
        overlap=overlap,
        density_matrix=2.0 * occupied @ occupied.T,
        operator=operator,
        n_atoms=cell.natm,
    )
