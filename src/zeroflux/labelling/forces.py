"""Forces on the atoms from converged orbitals (PySCF, Γ point)."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float


def kohn_sham_forces(
    solver: Any,
    orbitals: Float[np.ndarray, "n_ao n_occupied"],
    mean_field: Float[np.ndarray, "n_ao n_ao"],
) -> Float[np.ndarray, "n_atoms 3"]:
    r"""Hellmann-Feynman and Pulay forces of doubly occupied orbitals.

    .. math:: F_A = -\frac{\partial E}{\partial R_A}\bigg|_{D} + \mathrm{tr}\, W
              \frac{\partial S}{\partial R_A}, \qquad
              W = 2\, C\,(C^T F C)\,C^T

    Parameters
    ----------
    solver
        PySCF's restricted Kohn-Sham solver of the cell, with a multigrid integrator.
    orbitals
        Orthonormal occupied orbitals C. They need not be eigenfunctions of F: a rotation among them
        makes them such within the occupied space. What the SCF leaves enters in first order.
    mean_field
        Matrix of the Coulomb and exchange-correlation potentials of these orbitals (hartree), built
        when the core Hamiltonian was known to the integrator.

    Returns
    -------
    Forces (hartree/bohr), without dispersion. Their sum is the egg-box of the grid, not zero.

    References
    ----------
    Pulay, Mol. Phys. 17, 197 (1969), doi 10.1080/00268976900100941, eq. (13).
    """
    fock = np.asarray(solver.get_hcore()) + mean_field
    energies, rotation = np.linalg.eigh(orbitals.T @ fock @ orbitals)
    gradients = solver.nuc_grad_method()
    gradients.verbose = 0
    return -np.asarray(
        gradients.kernel(
            mo_energy=energies,
            mo_coeff=orbitals @ rotation,
            mo_occ=np.full(len(energies), 2.0),
        )
    )
