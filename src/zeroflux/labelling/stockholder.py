"""Stockholder division: each point shared as the free atoms share their densities there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid

NEGLIGIBLE_DENSITY = 1e-10
"""Where the density of a free atom ends (bohr⁻³)."""


@dataclass(frozen=True, eq=False)
class FreeAtom:
    """Spherical density of a free atom, that of its ion's Gaussian charge added.

    As in the reference of the basins: the valence density of a pseudo-atom dips at its nucleus,
    where the tails of the neighbours would have a share.
    """

    radii: Float[np.ndarray, " n_radii"]
    """Evenly spaced from 0 to where the density ends (bohr)."""
    density: Float[np.ndarray, " n_radii"]
    """Density at these radii (bohr⁻³), positive."""

    def at(self, radii: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Density at any radius within the last, linear in its logarithm between the radii."""
        return np.exp(np.interp(radii, self.radii, np.log(self.density)))


def stockholder_integrals(
    field: Float[np.ndarray, "n_a n_b n_c"],
    grid: UniformGrid,
    frame: Frame,
    free_atoms: Mapping[int, FreeAtom],
) -> Float[np.ndarray, " n_atoms"]:
    r"""Integrals of a field over the stockholder shares of the atoms.

    .. math:: F_A = \int \frac{\rho_A^0(r)}{\sum_B \rho_B^0(r)}\, f(r)\, dr

    with the densities :math:`\rho^0` of free atoms and all their images. Points that no free atom
    reaches belong to none.

    Parameters
    ----------
    field
        Values at the points of the grid.
    grid
        Periodic grid.
    frame
        Nuclei.
    free_atoms
        Densities of free atoms by atomic number.

    References
    ----------
    Hirshfeld, Theor. Chim. Acta 44, 129 (1977), doi 10.1007/BF00549096, eqs. (1) to (3).
    """
    shares = [_points_and_density(z, r, grid, free_atoms) for z, r in _atoms(frame)]
    promolecule = np.zeros(grid.n_points)
    for points, density in shares:
        promolecule += np.bincount(points, density, minlength=grid.n_points)
    per_density = np.divide(
        field.ravel(), promolecule, out=np.zeros(grid.n_points), where=promolecule > 0.0
    )
    integrals = [density @ per_density[points] for points, density in shares]
    return np.array(integrals) * grid.voxel_volume


def _atoms(frame: Frame) -> Sequence[tuple[int, np.ndarray]]:
    return [(int(z), r) for z, r in zip(frame.atomic_numbers, frame.positions, strict=True)]


def _points_and_density(
    z: int, position: np.ndarray, grid: UniformGrid, free_atoms: Mapping[int, FreeAtom]
) -> tuple[np.ndarray, np.ndarray]:
    """Points that an atom or an image of it reaches, and its density there."""
    atom = free_atoms[z]
    points, distances = grid.points_near(position, float(atom.radii[-1]))
    return points, atom.at(distances)
