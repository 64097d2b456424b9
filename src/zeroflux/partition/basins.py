"""Divide a periodic grid into the atomic basins of a density."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Num

from zeroflux.errors import PartitionError, RepairWarning
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.partition import _kernels
from zeroflux.partition.attractors import Attractors, assign_attractors, terrace_plateaus
from zeroflux.partition.record import Method, Partition
from zeroflux.partition.voronoi import VoronoiStencil, all_neighbours, voronoi_stencil

if TYPE_CHECKING:
    from ase import Atoms

WEIGHT_CUTOFF = 1e-6
NEGATIVE_CHARGE_TOLERANCE = 1e-6  # part of the electrons; Fourier ripples stay below it
CELL_TOLERANCE = 1e-3  # relative; a cube file's six decimals stay below it


def basins(
    density: Num[np.ndarray, "n_a n_b n_c"],
    grid: UniformGrid,
    atoms: Frame | Atoms,
    *,
    reference: Num[np.ndarray, "n_a n_b n_c"] | None = None,
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
    frame = _checked_frame(atoms, grid)
    rho = _checked_field(density, grid, "density")
    low, _, total, negative = _kernels.field_range(rho)
    if -negative > NEGATIVE_CHARGE_TOLERANCE * max(total - negative, 0.0):
        raise PartitionError(
            f"The density is negative at some points: smallest value {low:.3g} e/bohr³, "
            f"{negative * grid.voxel_volume:.3g} e of {total * grid.voxel_volume:.6g} e in all; "
            "expected an electron density. Check the sign convention and the units of the file, "
            "or use partition_field for a field that has both signs."
        )
    field = rho if reference is None else _checked_field(reference, grid, "reference")
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
        _require_attractors(partition.attractors, frame)
    _warn_non_nuclear(partition.attractors)
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
    frame = _checked_frame(atoms, grid)
    values = _checked_field(field, grid, "field")
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
    if method not in ("weight", "neargrid", "ongrid"):
        raise ValueError(
            f"Found method '{method}'; expected weight, neargrid or ongrid. Choose one of them."
        )
    if n_threads is not None and n_threads < 1:
        raise ValueError(f"Found n_threads = {n_threads}; expected 1 or more, or None for 1.")
    stencil = (
        voronoi_stencil(grid.voxel_vectors)
        if method == "weight"
        else all_neighbours(grid.voxel_vectors)
    )
    threads = n_threads or 1
    labels = np.empty(grid.shape, dtype=np.int32)
    climbed, attractors = _label_tops(field, labels, grid, frame, stencil, threads, core_radius)
    if method == "neargrid":
        metric = grid.voxel_vectors @ grid.voxel_vectors.T
        _kernels.follow_near_grid(climbed, labels, np.linalg.inv(metric), stencil.offsets)
    else:
        follow = partial(_kernels.follow_pointers, labels, stencil.offsets)
        _over_slabs(follow, grid.shape[0], threads)
    if method == "weight":
        shares = _shares(
            climbed, labels, stencil, attractors, frame.n_atoms, threads, weight_cutoff
        )
    else:
        shares = _whole_tops(attractors)
    return Partition(
        grid=grid,
        frame=frame,
        method=method,
        basin_index=labels,
        fractional_voxels=shares[0],
        fractional_starts=shares[1],
        fractional_owners=shares[2],
        fractional_weights=shares[3],
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
    threads: int,
    core_radius: float | None,
) -> tuple[np.ndarray, Attractors]:
    """Point every voxel uphill and put owners at the tops; also the field without plateaus."""
    slopes = stencil.conductances
    point = partial(_kernels.point_uphill, field, stencil.offsets, slopes, labels)
    _over_slabs(point, grid.shape[0], threads)
    tops = np.flatnonzero(labels == -1)
    terraced = terrace_plateaus(field, tops, stencil.offsets)
    if terraced is not None:
        field = terraced
        point = partial(_kernels.point_uphill, field, stencil.offsets, slopes, labels)
        _over_slabs(point, grid.shape[0], threads)
        tops = np.flatnonzero(labels == -1)
    attractors = assign_attractors(tops, field, grid, frame, core_radius=core_radius)
    labels.reshape(-1)[tops] = attractors.atoms
    return field, attractors


def _shares(
    field: np.ndarray,
    labels: np.ndarray,
    stencil: VoronoiStencil,
    attractors: Attractors,
    n_atoms: int,
    threads: int,
    weight_cutoff: float,
) -> tuple[np.ndarray, ...]:
    find = partial(_kernels.find_seams, field, labels, stencil.offsets)
    seams = np.concatenate(_over_slabs(find, labels.shape[0], threads))
    voxels, starts, owners = _tied_tops(attractors)
    return _kernels.mix_weights(
        field,
        labels,
        stencil.offsets,
        stencil.conductances,
        seams,
        voxels,
        starts,
        owners,
        n_atoms,
        weight_cutoff,
    )


def _tied_tops(
    attractors: Attractors,
) -> tuple[Int[np.ndarray, " n_tied"], Int[np.ndarray, " n_tied_plus_one"], np.ndarray]:
    """Attractors that several equally near nuclei share."""
    counts = np.diff(attractors.owner_starts)
    tied = counts > 1
    starts = np.concatenate([[0], np.cumsum(counts[tied])])
    return attractors.voxels[tied], starts, attractors.owners[np.repeat(tied, counts)]


def _whole_tops(attractors: Attractors) -> tuple[np.ndarray, ...]:
    """The on-grid methods have no weights; only tied tops are shared."""
    voxels, starts, owners = _tied_tops(attractors)
    counts = np.diff(starts)
    return voxels, starts, owners, np.repeat(1.0 / np.maximum(counts, 1), counts)


def _over_slabs(work, n_planes: int, threads: int) -> list:
    """Run ``work(begin, end)`` over slabs of the first index, in threads if asked for."""
    if threads == 1 or n_planes < 2 * threads:
        return [work(0, n_planes)]
    edges = np.linspace(0, n_planes, threads + 1).astype(int)
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, edges[:-1], edges[1:]))


def _checked_frame(atoms: Frame | Atoms, grid: UniformGrid) -> Frame:
    frame = atoms if isinstance(atoms, Frame) else Frame.from_ase(atoms)
    if frame.n_atoms == 0:
        raise ValueError("Found no atoms; expected at least one nucleus. Check the structure.")
    difference = np.abs(frame.cell - grid.cell).max()
    if difference > CELL_TOLERANCE * np.abs(grid.cell).max():
        raise ValueError(
            f"The cells of atoms and grid differ by up to {difference:.3g} bohr; expected the same "
            "cell. Check the units, and that both come from the same calculation."
        )
    return frame


def _checked_field(values: np.ndarray, grid: UniformGrid, name: str) -> np.ndarray:
    if values.shape != grid.shape:
        raise ValueError(
            f"The {name} has shape {values.shape}; expected the grid's {grid.shape}. "
            "Check the axis order and that both come from the same file."
        )
    field = np.ascontiguousarray(np.asarray(values), dtype=np.float64)
    low, high, total, _ = _kernels.field_range(field)
    if not np.isfinite([low, high, total]).all():
        n_bad = np.count_nonzero(~np.isfinite(field))
        raise PartitionError(
            f"The {name} has {n_bad} of {field.size} values that are not finite (NaN or "
            "infinity); expected numbers. Check the file for overflow or a crashed calculation."
        )
    return field


def _require_attractors(attractors: Attractors, frame: Frame) -> None:
    owned = np.bincount(attractors.owners, minlength=frame.n_atoms)
    empty = np.flatnonzero(owned == 0)
    if empty.size:
        raise PartitionError(
            f"{empty.size} of {frame.n_atoms} nuclei have no maximum of the density near them, the "
            f"first one being atom {empty[0]} (Z = {frame.atomic_numbers[empty[0]]}); expected one "
            "each. Check units and origin of the positions, pass a reference with the core "
            "charges, or allow_empty=True."
        )


def _warn_non_nuclear(attractors: Attractors) -> None:
    if attractors.n_non_nuclear:
        far = attractors.distances[~attractors.is_nuclear]
        warnings.warn(
            f"{attractors.n_non_nuclear} of {len(attractors.voxels)} maxima are not at a nucleus "
            f"(farthest {far.max():.3g} bohr); expected none. They were given to the nearest "
            "nuclei; see Partition.attractors, and pass a reference with the core charges if the "
            "density has none.",
            RepairWarning,
            stacklevel=3,
        )
