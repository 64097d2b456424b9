"""Divide a periodic grid into the atomic basins of a density."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Num

from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.partition import _ascent_kernels as kernels
from zeroflux.partition.attractors import Attractors, assign_attractors, terrace_plateaus
from zeroflux.partition.checks import (
    NEGATIVE_CHARGE_LIMIT,
    NEGATIVE_CORE_LIMIT,
    check_options,
    checked_field,
    checked_frame,
    require_attractors,
    warn_non_nuclear,
)
from zeroflux.partition.record import Method, Partition
from zeroflux.partition.shares import SharedVoxels, share_voxels
from zeroflux.partition.slabs import Slabs, compact_integer, flat_steps
from zeroflux.partition.voronoi import VoronoiStencil, all_neighbours, voronoi_stencil

if TYPE_CHECKING:
    from ase import Atoms

WEIGHT_CUTOFF = 1e-6
LONGEST_PATH = 4096  # voxels of one ascent that are labelled at once


def basins(
    density: Num[np.ndarray, "n_a n_b n_c"],
    grid: UniformGrid,
    atoms: Frame | Atoms,
    *,
    reference: Num[np.ndarray, "_ _ _"] | None = None,
    method: Method = "weight",
    n_threads: int | None = None,
    core_radius: float | None = None,
    weight_cutoff: float = WEIGHT_CUTOFF,
    allow_empty: bool = False,
) -> Partition:
    r"""Atomic basins of an electron density: volumes bounded by :math:`\nabla\rho\cdot n = 0`.

    Every grid point sends its content uphill. In the weight method the flux from point i to the
    neighbour j across a facet of its Voronoi cell (area a, distance l) is
    :math:`J_{ij} = \max(0, \rho_j - \rho_i)\,a_{ij}/l_{ij}`, and the weight of atom A is

    .. math:: w_i^A = \sum_j \frac{J_{ij}}{\sum_k J_{ik}}\, w_j^A .

    Maxima belong to the nearest nucleus, wherever they are: the shell of maxima around the dip of
    a pseudo-density is merged into its nucleus, and non-nuclear attractors are merged, counted in
    ``Partition.attractors`` and named in a `RepairWarning`.

    Parameters
    ----------
    density
        Electron density at the grid points (e/bohr³). There is no vacuum cutoff.
    grid
        The grid; its cell may be of any shape and either handedness.
    atoms
        Nuclei in the same cell.
    reference
        Field whose ascent defines the basins, such as the valence density plus Gaussian ion
        charges, or AECCAR0 + AECCAR2. Default: the density itself.
    method
        ``"weight"``; ``"ongrid"`` and ``"neargrid"`` assign whole points and are there for
        comparison.
    n_threads
        Threads for the sweeps over the grid; one by default.
    core_radius
        Maxima within this distance (bohr) of a nucleus count as its own. Default: the covalent
        radius of the element, at least two grid steps.
    weight_cutoff
        Weights below this are given to the other owners of a point. It bounds how far numerical
        diffusion carries fractional weights, and thereby cost and memory.
    allow_empty
        Accept atoms that own no maximum; their basins are empty.

    Raises
    ------
    PartitionError
        If values are not finite, the density is negative, or a nucleus has no maximum.
    ValueError
        If shapes or cells do not match.

    References
    ----------
    Yu, Trinkle, J. Chem. Phys. 134, 064111 (2011), doi:10.1063/1.3553716, eqs. 5 to 8.
    Henkelman, Arnaldsson, Jónsson, Comput. Mater. Sci. 36, 354 (2006) (on-grid).
    Tang, Sanville, Henkelman, J. Phys.: Condens. Matter 21, 084204 (2009) (near-grid).
    """
    check_options(method, n_threads, weight_cutoff)
    frame = checked_frame(atoms, grid)
    # with a reference, negative values of a PAW density at nuclei do not touch the basins
    limit = NEGATIVE_CHARGE_LIMIT if reference is None else NEGATIVE_CORE_LIMIT
    rho = checked_field(density, grid, "density", n_threads=n_threads, negative_limit=limit)
    field = rho
    if reference is not None:
        field = checked_field(reference, grid, "reference", n_threads=n_threads)
    partition = _partition(
        field,
        rho,
        grid,
        frame,
        method=method,
        n_threads=n_threads,
        core_radius=core_radius,
        weight_cutoff=weight_cutoff,
    )
    if not allow_empty:
        require_attractors(partition.attractors, frame)
    warn_non_nuclear(partition.attractors)
    return partition


def partition_field(
    field: Num[np.ndarray, "n_a n_b n_c"],
    grid: UniformGrid,
    atoms: Frame | Atoms,
    *,
    method: Method = "weight",
    n_threads: int | None = None,
    core_radius: float | None = None,
    weight_cutoff: float = WEIGHT_CUTOFF,
) -> Partition:
    r"""Basins of the maxima of any field, of either sign, merged into nuclei.

    With minus the electrons' potential energy (the potential, positive at the nuclei) these are
    the charge-neutral volumes of the energy density method: no flux of :math:`\nabla V` leaves
    them. Such a field is flat between atoms and has many spurious maxima there; each goes to the
    nearest nucleus, and ``Partition.attractors`` lists them. Arguments as in `basins`.

    Raises
    ------
    PartitionError
        If values are not finite.
    ValueError
        If shapes or cells do not match.

    References
    ----------
    Yu, Trinkle, Martin, Phys. Rev. B 83, 115113 (2011), doi:10.1103/PhysRevB.83.115113.
    """
    check_options(method, n_threads, weight_cutoff)
    frame = checked_frame(atoms, grid)
    values = checked_field(field, grid, "field", n_threads=n_threads)
    return _partition(
        values,
        None,
        grid,
        frame,
        method=method,
        n_threads=n_threads,
        core_radius=core_radius,
        weight_cutoff=weight_cutoff,
    )


def _partition(
    field: Float[np.ndarray, "n_a n_b n_c"],
    density: Float[np.ndarray, "n_a n_b n_c"] | None,
    grid: UniformGrid,
    frame: Frame,
    *,
    method: Method,
    n_threads: int | None,
    core_radius: float | None,
    weight_cutoff: float,
) -> Partition:
    stencil = (
        voronoi_stencil(grid.voxel_vectors)
        if method == "weight"
        else all_neighbours(grid.voxel_vectors)
    )
    labels = np.empty(grid.shape, dtype=np.int32)
    with Slabs(grid.shape, n_threads or 1) as slabs:
        climbed, attractors = _label_tops(
            *(field, labels, grid, frame, stencil, slabs, core_radius),
            is_density=density is not None,
        )
        if method == "neargrid":
            metric = grid.voxel_vectors @ grid.voxel_vectors.T
            path = np.empty(field.size, dtype=np.int64)  # no memory until it is written
            kernels.follow_near_grid(
                climbed, labels, labels.copy(), np.linalg.inv(metric), stencil.offsets, path
            )
        else:
            slabs.run(
                kernels.follow_pointers,
                *(labels.reshape(-1), grid.shape),
                *(stencil.offsets, flat_steps(stencil.offsets, grid.shape)),
                each=[(np.empty(LONGEST_PATH, dtype=np.int64),) for _ in range(slabs.count)],
            )
        tied = _tied_tops(attractors, field.size, frame.n_atoms)
        shared = (tied,)
        if method == "weight":
            shared = share_voxels(
                climbed,
                labels,
                stencil,
                tied,
                slabs,
                n_atoms=frame.n_atoms,
                weight_cutoff=weight_cutoff,
            )
    return Partition(
        grid=grid,
        frame=frame,
        method=method,
        basin_index=labels,
        shared=shared,
        attractors=attractors,
        density=density,
        reference=field,
        weight_cutoff=weight_cutoff if method == "weight" else 0.0,
    )


def _label_tops(
    field: np.ndarray,
    labels: np.ndarray,
    grid: UniformGrid,
    frame: Frame,
    stencil: VoronoiStencil,
    slabs: Slabs,
    core_radius: float | None,
    *,
    is_density: bool,
) -> tuple[np.ndarray, Attractors]:
    """Point every voxel uphill and put owners at the tops; also the field without plateaus."""
    tops = _tops(field, labels, stencil, slabs)
    terraced = terrace_plateaus(field, tops, labels, stencil.offsets)
    if terraced is not None:
        field = terraced
        tops = _tops(field, labels, stencil, slabs)
    tops = tops.astype(np.int64)
    attractors = assign_attractors(
        tops, field, grid, frame, core_radius=core_radius, shares_far=is_density
    )
    labels.reshape(-1)[tops] = attractors.atoms
    return field, attractors


def _tops(
    field: np.ndarray, labels: np.ndarray, stencil: VoronoiStencil, slabs: Slabs
) -> np.ndarray:
    """Point every voxel uphill; the flat indices of those without a higher neighbour."""
    kind = compact_integer(field.size)  # most of the grid may be a plateau
    each = [(np.empty(field.shape[2]), found) for found in slabs.room(kind)]
    counts = slabs.run(
        kernels.point_uphill, field, stencil.offsets, stencil.conductances, labels, each=each
    )
    return np.concatenate([found[:n] for (_, found), n in zip(each, counts, strict=True)])


def _tied_tops(attractors: Attractors, n_points: int, n_atoms: int) -> SharedVoxels:
    """Attractors that several equally near nuclei share, each with equal weights."""
    counts = np.diff(attractors.owner_starts)
    tied = counts > 1
    return SharedVoxels(
        voxels=attractors.voxels[tied].astype(compact_integer(n_points)),
        starts=np.concatenate([[0], np.cumsum(counts[tied])]).astype(np.int32),
        owners=attractors.owners[np.repeat(tied, counts)].astype(
            compact_integer(n_atoms, at_least=np.int16)
        ),
        weights=np.repeat(1.0 / counts[tied], counts[tied]),
    )
