"""Basin integrals extrapolated to zero grid spacing from interpolated finer grids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Num

from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.partition.basins import basins, partition_field
from zeroflux.partition.checks import require_attractors
from zeroflux.partition.record import Partition, fourier_laplacian

if TYPE_CHECKING:
    from ase import Atoms

FACTORS = (1, 2, 3)


@dataclass(frozen=True, eq=False)
class RefinedPartition:
    """Partitions of one density on several grids, and integrals extrapolated from them."""

    partitions: tuple[Partition, ...]
    """Partitions by the weight method, from the given grid to the finest one."""
    factors: tuple[int, ...]
    """Points per point of the given grid along each axis."""
    density: Float[np.ndarray, "n_a n_b n_c"]
    """Electron density on the given grid (e/bohr³)."""

    @property
    def coefficients(self) -> Float[np.ndarray, " n_levels"]:
        """Coefficients of the levels in the extrapolation; they sum to one."""
        return extrapolation_coefficients(self.factors)

    def levels(
        self, *fields: Num[np.ndarray, "_ _ _"]
    ) -> Float[np.ndarray, "n_levels n_fields n_atoms"]:
        """Integrals of fields on the given grid over the basins of every level.

        Fields are interpolated like the density, so they should be smooth near basin surfaces.
        """
        integrals = np.empty((len(self.factors), len(fields), self.partitions[0].n_atoms))
        for level, (factor, partition) in enumerate(
            zip(self.factors, self.partitions, strict=True)
        ):
            for n, values in enumerate(fields):
                integrals[level, n] = partition.integrate(locally_refined(values, factor))[0]
        return integrals

    def integrate(self, *fields: Num[np.ndarray, "_ _ _"]) -> Float[np.ndarray, "n_fields n_atoms"]:
        """Extrapolated integrals; over all atoms they still add up to the grid total."""
        return np.einsum("l,lfa->fa", self.coefficients, self.levels(*fields))

    @cached_property
    def volume(self) -> Float[np.ndarray, " n_atoms"]:
        """Basin volumes (bohr³), extrapolated."""
        return self.coefficients @ np.array([p.volume for p in self.partitions])

    @cached_property
    def volume_change(self) -> Float[np.ndarray, " n_atoms"]:
        """Extrapolated volume less that of the finest grid (bohr³): a bound on its error."""
        return self.volume - self.partitions[-1].volume

    @cached_property
    def population(self) -> Float[np.ndarray, " n_atoms"]:
        """Electrons in each basin, extrapolated."""
        return self.integrate(self.density)[0]

    @cached_property
    def laplacian(self) -> Float[np.ndarray, " n_atoms"]:
        """Flux residual ∫∇²ρ of each basin (e/bohr²), extrapolated."""
        return self.integrate(fourier_laplacian(self.density, self.partitions[0].grid))[0]


def refined_basins(
    density: Num[np.ndarray, "n_a n_b n_c"],
    grid: UniformGrid,
    atoms: Frame | Atoms,
    *,
    reference: Num[np.ndarray, "_ _ _"] | None = None,
    factors: tuple[int, ...] = FACTORS,
    n_threads: int | None = None,
) -> RefinedPartition:
    r"""Basins of a density with the grid error of the weight method removed.

    The error of an integral by the weight method is smooth in the grid spacing h: a second-order
    part from the fluxes between points and a first-order part of opposite sign from numerical
    diffusion along the surface. With

    .. math:: I(h) = I_0 + a h + b h^2

    three spacings give :math:`I_0`; for h, h/2 and h/3 it is
    :math:`\tfrac12 I(h) - 4 I(h/2) + \tfrac92 I(h/3)`. The finer grids are interpolated
    from the given one, so no new information is needed, and the cost is 36 times that of the given
    grid. It assumes a density that is smooth on the grid away from the nuclei.

    Parameters
    ----------
    density, grid, atoms, reference, n_threads
        As in `basins`.
    factors
        Refinements to use, in ascending order.

    Raises
    ------
    PartitionError
        As `basins`, or if a nucleus has no maximum on a refined grid.
    ValueError
        If the factors are not ascending positive numbers, or shapes do not match.
    """
    if min(factors) < 1 or list(factors) != sorted(set(factors)):
        raise ValueError(
            f"Found factors {factors}; expected ascending positive numbers such as (1, 2, 3)."
        )
    given = basins(density, grid, atoms, reference=reference, n_threads=n_threads)
    field = density if reference is None else reference
    partitions = []
    for factor in factors:
        if factor == 1:
            partitions.append(given)
            continue
        shape = (factor * grid.shape[0], factor * grid.shape[1], factor * grid.shape[2])
        finer = UniformGrid(grid.cell, shape, grid.origin)
        partition = partition_field(
            locally_refined(field, factor), finer, given.frame, n_threads=n_threads
        )
        require_attractors(partition.attractors, given.frame)
        partitions.append(partition)
    return RefinedPartition(
        partitions=tuple(partitions),
        factors=tuple(factors),
        density=np.asarray(density, dtype=np.float64),
    )


def extrapolation_coefficients(factors: tuple[int, ...]) -> Float[np.ndarray, " n_levels"]:
    """Coefficients that cancel the powers h, h², ... of errors at spacings h/factor.

    Two spacings cannot tell the powers apart and take their effective one, 3/2: docs/basins.md has
    what that leaves in basin energies beside three spacings and a single grid.
    """
    spacings = 1.0 / np.array(factors, dtype=np.float64)
    powers = np.array([0.0, 1.5]) if len(factors) == 2 else np.arange(len(factors))
    return np.linalg.solve(spacings ** powers[:, None], np.eye(len(factors))[0])


def locally_refined(
    values: Num[np.ndarray, "n_a n_b n_c"], factor: int
) -> Float[np.ndarray, "m_a m_b m_c"]:
    """A field on a periodic grid with ``factor`` times as many points along each axis.

    The values at the given points are kept; those between are of the polynomial through the eight
    nearest points along each axis in turn. The mean does not change. A Fourier series would be
    exact for a band-limited field, but what is too sharp for the grid at one nucleus would leave
    ripples at every basin surface; here it stays within four grid steps of that nucleus.
    """
    from scipy import ndimage

    refined = np.asarray(values, dtype=np.float64)
    for axis in range(3 if factor > 1 else 0):
        shape = list(refined.shape)
        shape[axis] *= factor
        finer = np.empty(shape)
        between = np.moveaxis(finer, axis, 0)
        between[::factor] = np.moveaxis(refined, axis, 0)
        for k in range(1, factor):
            shifted = ndimage.correlate1d(
                refined, _weights_between(k / factor), axis=axis, mode="wrap", origin=-1
            )
            between[k::factor] = np.moveaxis(shifted, axis, 0)
        refined = finer
    return refined


def _weights_between(offset: float) -> Float[np.ndarray, " 8"]:
    """Lagrange weights of the points −3 to 4 for the value at ``offset``, between 0 and 1."""
    nodes = np.arange(-3.0, 5.0)
    others = [np.delete(nodes, i) for i in range(len(nodes))]
    return np.array([np.prod((offset - o) / (x - o)) for x, o in zip(nodes, others, strict=True)])
