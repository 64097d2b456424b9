"""The result of a partition: who owns which grid point, and integrals over the basins."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, Num

from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.partition import _reduction_kernels
from zeroflux.partition.attractors import Attractors
from zeroflux.partition.shares import SharedVoxels, joined

Method = Literal["weight", "neargrid", "ongrid"]
SLAB_POINTS = 1 << 17  # points (a megabyte) at a time when a field has to be converted on the way


@dataclass(frozen=True, eq=False)
class Partition:
    """Basins of a field on a grid, one per atom.

    Most points belong to one atom; ``basin_index`` names it. The points that several atoms share
    are listed with their weights, which sum to one at every point. `integrate` uses both, so that
    the integrals over all atoms add up to the sum over the grid.
    """

    grid: UniformGrid
    frame: Frame
    method: Method
    basin_index: Int[np.ndarray, "n_a n_b n_c"]
    """Atom that owns the largest part of each point."""
    shared: tuple[SharedVoxels, ...]
    """The points that several atoms share, from each slab of the grid that had its own thread."""
    attractors: Attractors
    """Maxima of the partitioned field and what was done with them."""
    density: Float[np.ndarray, "n_a n_b n_c"] | None = field(repr=False)
    """The electron density (e/bohr³), not copied; None if an arbitrary field was partitioned."""
    reference: Float[np.ndarray, "n_a n_b n_c"] = field(repr=False)
    """The field whose ascent defines the basins, not copied."""
    weight_cutoff: float = 0.0
    """Weights below this were given to the other owners of the point."""

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return self.frame.n_atoms

    @property
    def n_fractional(self) -> int:
        """Number of grid points that several atoms share."""
        return sum(len(part.voxels) for part in self.shared)

    @property
    def fractional_voxels(self) -> Int[np.ndarray, " n_fractional"]:
        """Flat indices of the points that several atoms share."""
        return self._all_shared.voxels

    @property
    def fractional_starts(self) -> Int[np.ndarray, " n_fractional_plus_one"]:
        """Where the owners of each shared point start in the two lists below."""
        return self._all_shared.starts

    @property
    def fractional_owners(self) -> Int[np.ndarray, " n_shares"]:
        """Owners of the shared points."""
        return self._all_shared.owners

    @property
    def fractional_weights(self) -> Float[np.ndarray, " n_shares"]:
        """Part that each owner holds."""
        return self._all_shared.weights

    @cached_property
    def _all_shared(self) -> SharedVoxels:
        return joined(self.shared)

    def integrate(self, *fields: Num[np.ndarray, "_ _ _"]) -> Float[np.ndarray, "n_fields n_atoms"]:
        r"""Integrals over the basins, :math:`\int_{\Omega_A} f\,dr = v \sum_i w_i^A f_i`.

        Parameters
        ----------
        fields
            Values at the grid points, of any real type, memory-mapped or not. An energy density
            (Ha/bohr³) gives basin energies (Ha). The integrals over all atoms add up to the
            voxel volume times the sum of the field, to rounding.

        Raises
        ------
        ValueError
            If a field has not the shape of the grid.
        """
        integrals = np.zeros((len(fields), self.n_atoms))
        for n, values in enumerate(fields):
            if values.shape != self.grid.shape:
                raise ValueError(
                    f"Field {n} has shape {values.shape}; expected the grid's {self.grid.shape}. "
                    "Interpolate it to the grid of the partition, or partition on its grid."
                )
            self._accumulate(values, integrals[n])
        return self.grid.voxel_volume * integrals

    def _accumulate(self, values: np.ndarray, sums: np.ndarray) -> None:
        """Add the sums over the basins, slab by slab so that no full copy of a field is made."""
        n_a, n_b, n_c = self.grid.shape
        is_ready = values.dtype == np.float64 and values.flags.c_contiguous
        step = n_a if is_ready else max(1, SLAB_POINTS // (n_b * n_c))
        for begin in range(0, n_a, step):
            slab = np.ascontiguousarray(np.asarray(values[begin : begin + step]), dtype=np.float64)
            _reduction_kernels.sum_by_owner(slab, self.basin_index[begin : begin + step], sums)
        owners = self.basin_index.reshape(-1)
        for shared in self.shared:
            step = max(1, len(shared.voxels)) if is_ready else SLAB_POINTS
            for begin in range(0, len(shared.voxels), step):
                part = shared.voxels[begin : begin + step]
                if is_ready:
                    at_voxels, labels = np.asarray(values).reshape(-1), owners
                else:
                    at_voxels = values[np.unravel_index(part, self.grid.shape)].astype(np.float64)
                    labels = owners[part]
                    part = np.arange(len(part), dtype=part.dtype)
                _reduction_kernels.share_by_weight(
                    at_voxels,
                    labels,
                    part,
                    shared.starts[begin : begin + len(part) + 1],
                    shared.owners,
                    shared.weights,
                    sums,
                )

    def weights(self, atom: int) -> Float[np.ndarray, "n_a n_b n_c"]:
        """Weight of one atom at every grid point, as a full array."""
        full = (self.basin_index == atom).astype(np.float64).reshape(-1)
        full[self.fractional_voxels] = 0.0
        counts = np.diff(self.fractional_starts)
        mine = self.fractional_owners == atom
        full[np.repeat(self.fractional_voxels, counts)[mine]] = self.fractional_weights[mine]
        return full.reshape(self.grid.shape)

    @cached_property
    def volume(self) -> Float[np.ndarray, " n_atoms"]:
        """Basin volumes (bohr³)."""
        return self.integrate(np.broadcast_to(np.float64(1.0), self.grid.shape))[0]

    @cached_property
    def population(self) -> Float[np.ndarray, " n_atoms"]:
        """Electrons in each basin.

        Raises
        ------
        ValueError
            If an arbitrary field was partitioned, so that there is no density.
        """
        return self.integrate(self._density())[0]

    @cached_property
    def laplacian(self) -> Float[np.ndarray, " n_atoms"]:
        r"""Flux residual :math:`\int_{\Omega_A} \nabla^2\rho\,dr` (e/bohr²); zero for exact basins.

        The Laplacian comes from the Fourier series of the density on the grid, so it only means
        something for a band-limited density, such as the valence density of a plane-wave or
        pseudopotential calculation.
        """
        return self.integrate(fourier_laplacian(self._density(), self.grid))[0]

    @cached_property
    def attractor_distance(self) -> Float[np.ndarray, " n_atoms"]:
        """Distance from each nucleus to its highest attractor (bohr); NaN if it has none.

        The maximum is located between grid points by a parabola along each lattice direction.
        """
        from zeroflux.partition.diagnostics import attractor_distance

        return attractor_distance(self)

    @cached_property
    def surface_distance(self) -> Float[np.ndarray, " n_atoms"]:
        """Smallest distance from each nucleus to the surface of its basin (bohr).

        Infinity if the atom owns no point that touches another basin.
        """
        from zeroflux.partition.diagnostics import surface_distance

        return surface_distance(self)

    def _density(self) -> np.ndarray:
        if self.density is None:
            raise ValueError(
                "This partition was made from an arbitrary field and knows no electron density; "
                "expected one for populations. Call integrate(density) instead."
            )
        return self.density


def fourier_laplacian(
    values: Float[np.ndarray, "n_a n_b n_c"], grid: UniformGrid
) -> Float[np.ndarray, "n_a n_b n_c"]:
    r"""Laplacian of a band-limited periodic field, :math:`-\sum_G G^2 f_G e^{iGr}`.

    Parameters
    ----------
    values
        Field on the grid.
    grid
        Grid; the result has the field's unit over bohr².
    """
    n_a, n_b, n_c = grid.shape
    reciprocal = 2.0 * np.pi * np.linalg.inv(grid.cell).T
    metric = reciprocal @ reciprocal.T
    a, b = (np.fft.fftfreq(n, 1.0 / n) for n in (n_a, n_b))
    c = np.fft.rfftfreq(n_c, 1.0 / n_c)
    spectrum = np.empty((n_a, n_b, n_c // 2 + 1), dtype=np.complex128)
    for i in range(n_a):  # planes stay in the cache, and nothing of full size stands beside this
        spectrum[i] = np.fft.rfft2(np.asarray(values[i], dtype=np.float64))
    for j, m in enumerate(b):
        plane = np.fft.fft(spectrum[:, j], axis=0)
        plane *= -(
            (metric[1, 1] * m * m + 2.0 * metric[0, 1] * m * a + metric[0, 0] * a * a)[:, None]
            + 2.0 * ((metric[0, 2] * a + metric[1, 2] * m)[:, None] * c)
            + metric[2, 2] * c * c
        )
        spectrum[:, j] = np.fft.ifft(plane, axis=0)
    # The result takes the place of the spectrum: a real plane ends before the next spectral one.
    laplacian = spectrum.reshape(-1).view(np.float64)[: n_a * n_b * n_c].reshape(grid.shape)
    for i in range(n_a):
        laplacian[i] = np.fft.irfft2(spectrum[i], s=(n_b, n_c))
    return laplacian
