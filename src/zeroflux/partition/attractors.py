"""Maxima of a field on a grid and the nuclei they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from ase.data import covalent_radii
from ase.geometry import minkowski_reduce
from jaxtyping import Bool, Float, Int

from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.partition import _plateau_kernels, _reduction_kernels
from zeroflux.partition.slabs import flat_steps
from zeroflux.units import ANGSTROM

TIE_TOLERANCE = 1e-6  # bohr; distances to two nuclei closer than this count as equal
NUCLEAR_RADIUS = 0.5  # bohr; polarised hydrogen has its maximum up to so far from its nucleus
SHARED_DENSITY = 1e-3  # e/bohr³; lower maxima are ripples of a vacuum
SMALLEST_STEP = (
    1e-290  # down from a plateau of zeros: below any value, and its fluxes do not vanish
)
PAIRS_AT_ONCE = 1 << 20  # distances held in memory: eight megabytes


@dataclass(frozen=True, eq=False)
class Attractors:
    """Grid points without a higher neighbour, and the nuclei that they were given to."""

    voxels: Int[np.ndarray, " n_attractors"]
    """Flat index of the grid point."""
    positions: Float[np.ndarray, "n_attractors 3"]
    """Position of the grid point (bohr)."""
    values: Float[np.ndarray, " n_attractors"]
    """Value of the partitioned field."""
    atoms: Int[np.ndarray, " n_attractors"]
    """Nearest nucleus; the lowest index where several are equally near."""
    distances: Float[np.ndarray, " n_attractors"]
    """Distance to that nucleus (bohr)."""
    is_nuclear: Bool[np.ndarray, " n_attractors"]
    """Whether it is at the nucleus (one grid diagonal or 0.5 bohr) or on the shell of its dip."""
    owner_starts: Int[np.ndarray, " n_attractors_plus_one"]
    """Where each attractor's owners start in ``owners``."""
    owners: Int[np.ndarray, " n_owners"]
    """All nuclei at the smallest distance; equally near ones share the attractor."""
    has_dip: Bool[np.ndarray, " n_atoms"]
    """Whether the field dips at a nucleus, as pseudo-densities do."""

    @property
    def n_non_nuclear(self) -> int:
        """Number of attractors outside every core."""
        return int(np.count_nonzero(~self.is_nuclear))


def assign_attractors(
    voxels: Int[np.ndarray, " n_attractors"],
    field: Float[np.ndarray, "n_a n_b n_c"],
    grid: UniformGrid,
    frame: Frame,
    *,
    core_radius: float | None,
    shares_far: bool = False,
) -> Attractors:
    """Give each maximum to the nearest nucleus, or to all of them when several are equally near.

    Sharing ties keeps symmetric atoms equal, whatever the order in which they are listed. With
    ``shares_far`` a non-nuclear maximum of a density is shared by nuclei whose distances differ by
    less than the diagonal of a voxel, because its own place is not known better.
    """
    index = np.stack(np.unravel_index(voxels, grid.shape), axis=-1)
    positions = grid.origin + index @ grid.voxel_vectors
    values = field.reshape(-1)[voxels]
    distances, owners, counts = nearest_nuclei(positions, frame)
    nearest = owners[np.concatenate([[0], np.cumsum(counts)])[:-1]]
    diagonal = float(np.linalg.norm(grid.spacing))
    shell = _highest_distances(values, nearest, distances, frame.n_atoms)
    has_dip = _dips(field, grid, frame, shell)
    if core_radius is None:
        radius = covalent_radii[frame.atomic_numbers[nearest]] * ANGSTROM
        on_shell = has_dip[nearest] & (distances <= 2.0 * shell[nearest])
        on_plateau = np.isclose(values, _at(frame.positions, field, grid)[nearest], rtol=1e-9)
        is_nuclear = (distances <= max(diagonal, NUCLEAR_RADIUS)) | (
            (on_shell | on_plateau) & (distances <= radius)
        )
    else:
        is_nuclear = distances <= max(float(core_radius), 2.0 * diagonal)
    far = np.flatnonzero(~is_nuclear & (values > SHARED_DENSITY)) if shares_far else []
    if len(far):
        _, far_owners, far_counts = nearest_nuclei(positions[far], frame, tolerance=diagonal)
        each = np.split(owners, np.cumsum(counts)[:-1])
        for i, found in zip(far, np.split(far_owners, np.cumsum(far_counts)[:-1]), strict=True):
            each[i] = found
        owners, counts[far] = np.concatenate(each), far_counts
    starts = np.concatenate([[0], np.cumsum(counts)])
    return Attractors(
        voxels=voxels,
        positions=positions,
        values=values,
        atoms=owners[starts[:-1]] if len(far) else nearest,
        distances=distances,
        is_nuclear=is_nuclear,
        owner_starts=starts,
        owners=owners,
        has_dip=has_dip,
    )


def _highest_distances(
    values: np.ndarray, atoms: np.ndarray, distances: np.ndarray, n_atoms: int
) -> np.ndarray:
    """Distance of each nucleus to its highest maximum (bohr); infinity if it has none."""
    result = np.full(n_atoms, np.inf)
    order = np.argsort(values, kind="stable")  # the highest is written last
    result[atoms[order]] = distances[order]
    return result


def _dips(field: np.ndarray, grid: UniformGrid, frame: Frame, shell: np.ndarray) -> np.ndarray:
    """Whether the field is higher on a sphere around a nucleus, through its maximum, than at it.

    That tells the shell around a dip from a maximum that a neighbour has pulled to one side: there
    the mean over the sphere is lower.
    """
    directions = np.array([d for d in product((-1, 0, 1), repeat=3) if any(d)], dtype=float)
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    has_dip = np.zeros(frame.n_atoms, dtype=bool)
    atoms = np.flatnonzero(np.isfinite(shell) & (shell > 0.5 * grid.spacing.min()))
    nuclei = frame.positions[atoms]
    points = nuclei[:, None] + shell[atoms, None, None] * directions
    mean = _at(points, field, grid).mean(axis=1)
    has_dip[atoms] = mean > 1.02 * _at(nuclei, field, grid)
    return has_dip


def _at(points: np.ndarray, field: np.ndarray, grid: UniformGrid) -> np.ndarray:
    """The field at the grid points nearest to some places."""
    scaled = (points - grid.origin) @ np.linalg.inv(grid.voxel_vectors)
    index = np.rint(scaled).astype(np.int64) % np.array(grid.shape)
    return field[index[..., 0], index[..., 1], index[..., 2]]


def nearest_nuclei(
    points: Float[np.ndarray, "n_points 3"], frame: Frame, *, tolerance: float = TIE_TOLERANCE
) -> tuple[
    Float[np.ndarray, " n_points"], Int[np.ndarray, " n_owners"], Int[np.ndarray, " n_points"]
]:
    """Smallest distance to a nucleus (bohr), the nuclei at that distance, and how many they are.

    All pairs are looked at, a block at a time: there are few maxima for each nucleus, and a search
    tree takes longer to import than this takes to run. Nuclei of one point come in ascending order.
    """
    reduced, images = reduced_images(frame.cell)
    inverse = np.linalg.inv(reduced)
    nuclei = np.array(frame.positions)  # a copy: kernels are compiled anew for read-only arrays
    smallest, owners, counts = np.empty(len(points)), [], np.empty(len(points), dtype=np.int64)
    step = max(1, PAIRS_AT_ONCE // frame.n_atoms)
    for begin in range(0, len(points), step):
        block = slice(begin, begin + step)
        distances = np.empty((len(points[block]), frame.n_atoms))
        _reduction_kernels.image_squares(
            np.array(points[block]), nuclei, reduced, inverse, images, distances
        )
        np.sqrt(distances, out=distances)
        smallest[block] = distances.min(axis=1)
        is_owner = distances <= smallest[block, None] + tolerance
        owners.append(np.nonzero(is_owner)[1])
        counts[block] = is_owner.sum(axis=1)
    return smallest, np.concatenate(owners), counts


def image_distances(
    vectors: Float[np.ndarray, "n_vectors 3"], cell: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, " n_vectors"]:
    """Lengths of the shortest periodic images of vectors (bohr)."""
    reduced, images = reduced_images(cell)
    wrapped = vectors - np.rint(vectors @ np.linalg.inv(reduced)) @ reduced
    squares = np.full(len(vectors), np.inf)
    for shift in images:
        squares = np.minimum(squares, ((wrapped + shift) ** 2).sum(axis=1))
    return np.sqrt(squares)


def reduced_images(
    cell: Float[np.ndarray, "3 3"],
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "n_images 3"]]:
    """Minkowski-reduced cell, and the lattice vectors around the origin (bohr).

    The shortest image of any vector is found by wrapping it into the reduced cell (centred at the
    origin) and adding one of these, for cells of any shape and handedness.
    """
    reduced = np.array(minkowski_reduce(cell, pbc=True)[0])
    shifts = np.array(list(product((-1, 0, 1), repeat=3))) @ reduced
    # w + s is shorter than w only if 2 w·s < -s², and |w·s| is at most ½ Σ |a·s| in the cell: of a
    # rectangular one no image but the first is left.
    can_be_nearest = np.abs(shifts @ reduced.T).sum(axis=1) > (1 + 1e-12) * (shifts**2).sum(axis=1)
    return reduced, np.concatenate([np.zeros((1, 3)), shifts[can_be_nearest]])


def terrace_plateaus(
    field: Float[np.ndarray, "n_a n_b n_c"],
    tops: Int[np.ndarray, " n_tops"],
    labels: Int[np.ndarray, "n_a n_b n_c"],
    offsets: Int[np.ndarray, "n_neighbours 3"],
) -> Float[np.ndarray, "n_a n_b n_c"] | None:
    """Lower the inner points of plateaus that have a way up, so that flow leaves them by it.

    A point without a higher neighbour is not a maximum if a path of equal values leads to a point
    that has one. Such points are lowered by the smallest representable amount per step of the
    shortest such path, which treats symmetric plateaus symmetrically. None if there are none.

    Each point is visited once: vacuum of exact zeros may be most of the grid. ``labels`` are those
    of `point_uphill`. Where there are such points, they and ``tops`` serve as scratch.
    """
    flat, levels = field.reshape(-1), labels.reshape(-1)
    reach, steps = np.abs(offsets).max(axis=0), flat_steps(offsets, field.shape)
    n_lowered = _plateau_kernels.plateau_levels(
        flat, levels, field.shape, offsets, steps, reach, tops
    )
    if n_lowered == 0:
        return None
    lowered = field.copy()
    _plateau_kernels.lower_by_level(lowered.reshape(-1), levels, tops[:n_lowered], SMALLEST_STEP)
    return lowered
