"""Energies of Goedecker-Teter-Hutter pseudopotentials, local in space and per atom."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid

# Beyond this many widths a Gaussian times a sextic polynomial is below 1e-16 of its value.
_REACH_IN_WIDTHS = 9.5


def short_range_potential(
    frame: Frame,
    grid: UniformGrid,
    *,
    widths: Float[np.ndarray, " n_atoms"],
    coefficients: Float[np.ndarray, "n_atoms 4"],
) -> Float[np.ndarray, "n_a n_b n_c"]:
    r"""Short-range local pseudopotential of all ions on a grid.

    .. math:: v_{sr}(r) = \sum_A e^{-x_A^2/2} \,(C_1 + C_2 x_A^2 + C_3 x_A^4 + C_4 x_A^6),
              \quad x_A = |r - R_A| / r_{loc,A}

    Parameters
    ----------
    frame
        Ions.
    grid
        Grid of the result.
    widths
        r_loc of each ion (bohr).
    coefficients
        C_1 to C_4 of each ion (hartree), zero where the pseudopotential has fewer.

    Returns
    -------
    Potential energy of an electron (hartree).

    References
    ----------
    Goedecker, Teter, Hutter, Phys. Rev. B 54, 1703 (1996), doi 10.1103/PhysRevB.54.1703, eq. (1).
    """
    potential = np.zeros(grid.n_points)
    for position, width, c in zip(frame.positions, widths, coefficients, strict=True):
        if not c.any():
            continue
        # In a small cell a point may be reached from several images.
        points, distances = grid.points_near(position, _REACH_IN_WIDTHS * width)
        square = (distances / width) ** 2
        values = np.exp(-0.5 * square) * (c[0] + square * (c[1] + square * (c[2] + square * c[3])))
        potential += np.bincount(points, values, minlength=grid.n_points)
    return potential.reshape(grid.shape)


def nonlocal_energies(
    cell: Any, density_matrix: Float[np.ndarray, "n_ao n_ao"]
) -> Float[np.ndarray, " n_atoms"]:
    r"""Non-local pseudopotential energy of each ion (PySCF cell, Γ point).

    .. math:: E_{nl,A} = \sum_{l,ij} h^{l,A}_{ij} \sum_m
              \langle p^A_{i,lm}|\hat D|p^A_{j,lm}\rangle

    References
    ----------
    Hartwigsen, Goedecker, Hutter, Phys. Rev. B 58, 3641 (1998), doi 10.1103/PhysRevB.58.3641,
    eq. (2).
    """
    from pyscf.pbc.gto.pseudo import pp_int

    projector_cell, strengths = pp_int.fake_cell_vnl(cell)
    overlaps = [
        block[0].real if len(block) else np.zeros((0, cell.nao_nr()))
        for block in pp_int._int_vnl(cell, projector_cell, strengths, np.zeros((1, 3)))
    ]
    energies = np.zeros(cell.natm)
    offsets = [0, 0, 0]
    for shell, h in enumerate(strengths):
        n_m = 2 * projector_cell.bas_angular(shell) + 1
        n_radial = len(h)
        projections = []
        for i in range(n_radial):
            projections.append(overlaps[i][offsets[i] : offsets[i] + n_m])
            offsets[i] += n_m
        p = np.asarray(projections)  # (radial, m, function)
        contracted = p @ density_matrix
        energies[projector_cell.bas_atom(shell)] += np.einsum("imq,ij,jmq", contracted, h, p)
    return energies
