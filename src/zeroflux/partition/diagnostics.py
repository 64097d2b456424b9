"""Where the attractors and the surfaces of the basins are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from zeroflux.partition import _kernels
from zeroflux.partition.attractors import image_distances
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
    stencil = voronoi_stencil(grid.voxel_vectors)
    found = _kernels.find_facets(partition.basin_index, stencil.offsets)
    voxels: np.ndarray = found[0]
    neighbours: np.ndarray = found[1]
    here = _position(voxels, grid)
    step = stencil.offsets[neighbours] @ grid.voxel_vectors
    owner = partition.basin_index.reshape(-1)[voxels]
    middle = here + 0.5 * step
    distances = image_distances(middle - frame.positions[owner], frame.cell)
    result = np.full(partition.n_atoms, np.inf)
    np.minimum.at(result, owner, distances)
    return result


def _position(voxels: np.ndarray, grid) -> np.ndarray:
    index = np.stack(np.unravel_index(voxels, grid.shape), axis=-1)
    return grid.origin + index @ grid.voxel_vectors
