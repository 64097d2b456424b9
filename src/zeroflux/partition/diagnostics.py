"""Where the attractors and the surfaces of the basins are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from zeroflux.partition import _reduction_kernels
from zeroflux.partition.attractors import image_distances, reduced_images
from zeroflux.partition.voronoi import voronoi_stencil

if TYPE_CHECKING:
    from zeroflux.partition.record import Partition


def attractor_distance(partition: Partition) -> Float[np.ndarray, " n_atoms"]:
    """Distance from each nucleus to its highest attractor (bohr); NaN if it has none."""
    attractors = partition.attractors
    shape = partition.grid.shape
    result = np.full(partition.n_atoms, np.nan)
    order = np.argsort(attractors.values, kind="stable")  # the highest is written last
    highest = np.full(partition.n_atoms, -1)
    highest[attractors.atoms[order]] = order
    for atom in np.flatnonzero(highest >= 0):
        index = np.array(np.unravel_index(attractors.voxels[highest[atom]], shape))
        shift = _parabola_shift(partition.reference, index)
        point = partition.grid.origin + (index + shift) @ partition.grid.voxel_vectors
        result[atom] = image_distances(
            (point - partition.frame.positions[atom])[None], partition.frame.cell
        )[0]
    return result


def _parabola_shift(field: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Offset of the maximum from a grid point, in grid steps, at most half a step."""
    shift = np.zeros(3)
    for axis in range(3):
        step = np.eye(3, dtype=int)[axis]
        before = field[tuple((index - step) % field.shape)]
        here = field[tuple(index)]
        after = field[tuple((index + step) % field.shape)]
        curvature = before - 2.0 * here + after
        if curvature < 0.0:
            shift[axis] = np.clip(0.5 * (before - after) / curvature, -0.5, 0.5)
    return shift


def surface_distance(partition: Partition) -> Float[np.ndarray, " n_atoms"]:
    """Smallest distance from each nucleus to the surface of its basin (bohr)."""
    grid, frame = partition.grid, partition.frame
    offsets = voronoi_stencil(grid.voxel_vectors).offsets
    reduced, images = reduced_images(frame.cell)
    squares = np.full(partition.n_atoms, np.inf)
    _reduction_kernels.nearest_facets(
        partition.basin_index,
        offsets,
        0.5 * (offsets @ grid.voxel_vectors),
        np.array(grid.origin),  # copies: a kernel is compiled anew for a read-only array
        np.array(grid.voxel_vectors),
        np.array(frame.positions),
        reduced,
        np.linalg.inv(reduced),
        images,
        squares,
    )
    return np.sqrt(squares)
