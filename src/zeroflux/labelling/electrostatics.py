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
    spectrum = np.zeros(square.shape, dtype=complex)
    for width in np.unique(widths):
        of_width = np.flatnonzero(widths == width)
        phases = _phases(frame.positions[of_width], grid)
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


def ion_energies(
    potential: Float[np.ndarray, "n_a n_b n_c"],
    frame: Frame,
    grid: UniformGrid,
    *,
    charges: Float[np.ndarray, " n_atoms"],
    widths: Float[np.ndarray, " n_atoms"],
) -> Float[np.ndarray, " n_atoms"]:
    r"""Half the energy of each Gaussian ion in a potential, its own included.

    .. math:: \tfrac12 Z_A \int g_A V\,dr
              = \tfrac12 Z_A \sum_G V(G)\, e^{-\sigma_A^2 G^2/2}\, e^{iG\cdot R_A}

    The ions of `gaussian_charges`; their sum is :math:`\tfrac12\int V \sum_A Z_A g_A` (hartree).
    """
    wave_vectors = grid.reciprocal_vectors()
    square = np.einsum("abcx,abcx->abc", wave_vectors, wave_vectors)
    # A real field: each wave vector stands for itself and its opposite, but those of the planes 0
    # and, for an even number of points, n/2.
    twice = np.full(square.shape[2], 2.0)
    twice[0] = 1.0
    if grid.shape[2] % 2 == 0:
        twice[-1] = 1.0
    spectrum = np.asarray(fft.rfftn(potential)) * twice
    energies = np.zeros(frame.n_atoms)
    for width in np.unique(widths):
        of_width = np.flatnonzero(widths == width)
        smeared = spectrum * np.exp(-0.5 * width**2 * square)
        a, b, c = (phase.conj() for phase in _phases(frame.positions[of_width], grid))
        rows = np.einsum("abn,nb->an", smeared @ c.T, b, optimize=True)
        energies[of_width] = np.einsum("an,na->n", rows, a).real
    return 0.5 * charges * energies / grid.n_points


def _phases(
    positions: Float[np.ndarray, "n 3"], grid: UniformGrid
) -> list[Complex[np.ndarray, "n n_orders"]]:
    """Factors of exp(−iG·R) along the three lattice directions."""
    fractional = (positions - grid.origin) @ np.linalg.inv(grid.cell)
    orders = [
        *(np.fft.fftfreq(n, 1.0 / n) for n in grid.shape[:2]),
        np.fft.rfftfreq(grid.shape[2], 1.0 / grid.shape[2]),
    ]
    return [
        np.exp(-2j * np.pi * np.outer(fractional[:, axis], order))
        for axis, order in enumerate(orders)
    ]
