"""Electrostatic energy density ½ q V of smeared ions and electrons."""

from __future__ import annotations

import numpy as np
from jaxtyping import Complex, Float
from scipy import fft

from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid


def gaussian_charges(
    frame: Frame,
    grid: UniformGrid,
    *,
    charges: Float[np.ndarray, " n_atoms"],
    widths: Float[np.ndarray, " n_atoms"],
) -> Float[np.ndarray, "n_a n_b n_c"]:
    r"""Periodic density of Gaussian ion charges on a grid.

    .. math:: g(r) = \sum_A Z_A (2\pi\sigma_A^2)^{-3/2} e^{-|r-R_A|^2/2\sigma_A^2},
              \quad g(G) = \frac{1}{V}\sum_A Z_A e^{-\sigma_A^2 G^2/2} e^{-iG\cdot R_A}

    built in reciprocal space, so that its integral is exact.

    Parameters
    ----------
    frame
        Ions.
    grid
        Grid of the result.
    charges
        Ion charges Z_A (e).
    widths
        Gaussian widths σ_A (bohr); r_loc of a Goedecker-Teter-Hutter pseudopotential.

    Returns
    -------
    Density (bohr⁻³).

    References
    ----------
    Goedecker, Teter, Hutter, Phys. Rev. B 54, 1703 (1996), doi 10.1103/PhysRevB.54.1703, eq. (1):
    the long-range part of the local pseudopotential is the potential of this charge.
    """
    wave_vectors = grid.reciprocal_vectors()
    square = np.einsum("abcx,abcx->abc", wave_vectors, wave_vectors)
    fractional = (frame.positions - grid.origin) @ np.linalg.inv(grid.cell)
    orders = [
        *(np.fft.fftfreq(n, 1.0 / n) for n in grid.shape[:2]),
        np.fft.rfftfreq(grid.shape[2], 1.0 / grid.shape[2]),
    ]
    spectrum = np.zeros(square.shape, dtype=complex)
    for width in np.unique(widths):
        of_width = np.flatnonzero(widths == width)
        # e^{-iG·R} factors along the three lattice directions.
        phases = [
            np.exp(-2j * np.pi * np.outer(fractional[of_width, axis], order))
            for axis, order in enumerate(orders)
        ]
        plane = np.einsum("n,na,nb->nab", charges[of_width], phases[0], phases[1])
        structure = np.tensordot(plane, phases[2], axes=(0, 0))
        spectrum += structure * np.exp(-0.5 * width**2 * square)
    return np.asarray(fft.irfftn(spectrum, s=grid.shape)) * (grid.n_points / grid.volume)


def coulomb_potential(
    charge_density: Float[np.ndarray, "n_a n_b n_c"], grid: UniformGrid
) -> Float[np.ndarray, "n_a n_b n_c"]:
    r"""Periodic Coulomb potential of a neutral charge density, :math:`V(G) = 4\pi q(G)/G^2`.

    The average is fixed to zero, :math:`V(0) = 0`. Hartree per unit charge.
    """
    wave_vectors = grid.reciprocal_vectors()
    square = np.einsum("abcx,abcx->abc", wave_vectors, wave_vectors)
    spectrum: Complex[np.ndarray, "n_a n_b n_k"] = np.asarray(fft.rfftn(charge_density))
    spectrum[0, 0, 0] = 0.0
    square[0, 0, 0] = 1.0
    return np.asarray(fft.irfftn(4.0 * np.pi * spectrum / square, s=grid.shape))


def gaussian_self_energy(
    charges: Float[np.ndarray, " n_atoms"], widths: Float[np.ndarray, " n_atoms"]
) -> Float[np.ndarray, " n_atoms"]:
    r"""Self-energies :math:`Z_A^2 / (2\sqrt{\pi}\,\sigma_A)` of Gaussian charges (hartree)."""
    return charges**2 / (2.0 * np.sqrt(np.pi) * widths)
