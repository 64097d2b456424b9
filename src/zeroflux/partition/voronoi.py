"""The Voronoi cell of a grid point: which neighbours share a facet, and how large it is."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from ase.geometry import minkowski_reduce
from jaxtyping import Float, Int

RELATIVE_AREA_CUTOFF = 1e-9  # facets smaller than this part of the surface are rounding


@dataclass(frozen=True, eq=False)
class VoronoiStencil:
    """Neighbours of a grid point across the facets of its Voronoi cell."""

    offsets: Int[np.ndarray, "n_neighbours 3"]
    """Index steps to the neighbours; the list holds -offset for every offset."""
    areas: Float[np.ndarray, " n_neighbours"]
    """Facet areas (bohr²)."""
    distances: Float[np.ndarray, " n_neighbours"]
    """Distances of the neighbours (bohr)."""

    @property
    def conductances(self) -> Float[np.ndarray, " n_neighbours"]:
        """Facet area over distance (bohr): the weight of a density difference in the flux."""
        return self.areas / self.distances


def voronoi_stencil(voxel_vectors: Float[np.ndarray, "3 3"]) -> VoronoiStencil:
    r"""Facets of the Voronoi cell of the lattice spanned by the steps of a grid.

    The lattice is Minkowski-reduced first. In a reduced basis every Voronoi-relevant vector has
    coefficients in {-1, 0, 1}, so the cell is what 26 half-spaces
    :math:`x \cdot v \le |v|^2/2` leave over, however sheared the grid is. An orthogonal grid has
    6 facets, a general one 14.

    Parameters
    ----------
    voxel_vectors
        Steps between neighbouring points as rows (bohr), of either handedness.

    References
    ----------
    Yu, Trinkle, J. Chem. Phys. 134, 064111 (2011), doi:10.1063/1.3553716, section II.
    Nguyen, Stehlé, ACM Trans. Algorithms 5, 46 (2009), doi:10.1145/1597036.1597050 (reduction).
    """
    reduced, operation = minkowski_reduce(voxel_vectors, pbc=True)
    steps = np.array([m for m in product((-1, 0, 1), repeat=3) if any(m)])
    vectors = steps @ reduced
    areas = np.array([_facet_area(v, vectors) for v in vectors])
    keep = areas > RELATIVE_AREA_CUTOFF * areas.sum()
    return VoronoiStencil(
        offsets=np.rint(steps[keep] @ operation).astype(np.int64),
        areas=areas[keep],
        distances=np.linalg.norm(vectors[keep], axis=1),
    )


def all_neighbours(voxel_vectors: Float[np.ndarray, "3 3"]) -> VoronoiStencil:
    """The 26 index neighbours with unit areas, as the on-grid and near-grid methods use them."""
    offsets = np.array([m for m in product((-1, 0, 1), repeat=3) if any(m)], dtype=np.int64)
    distances = np.linalg.norm(offsets @ voxel_vectors, axis=1)
    return VoronoiStencil(offsets=offsets, areas=np.ones(len(offsets)), distances=distances)


def _facet_area(vector: np.ndarray, vectors: np.ndarray) -> float:
    """Area that the half-spaces of ``vectors`` leave of the bisecting plane of ``vector``."""
    normal = vector / np.linalg.norm(vector)
    first = np.cross(normal, np.eye(3)[np.argmin(np.abs(normal))])
    first /= np.linalg.norm(first)
    second = np.cross(normal, first)
    size = 4.0 * np.linalg.norm(vectors, axis=1).max()
    corners = [(1, 1), (-1, 1), (-1, -1), (1, -1)]
    polygon = [0.5 * vector + size * (x * first + y * second) for x, y in corners]
    for other in vectors:
        if not np.allclose(other, vector):
            polygon = _clip(polygon, other)
    if len(polygon) < 3:
        return 0.0
    x, y = np.array(polygon) @ first, np.array(polygon) @ second
    return 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))


def _clip(polygon: list[np.ndarray], vector: np.ndarray) -> list[np.ndarray]:
    """Part of a convex polygon nearer to the origin than to ``vector``."""
    excess = [float(p @ vector) - 0.5 * float(vector @ vector) for p in polygon]
    clipped = []
    for p, e, q, f in zip(
        polygon, excess, polygon[1:] + polygon[:1], excess[1:] + excess[:1], strict=True
    ):
        if e <= 0.0:
            clipped.append(p)
        if (e < 0.0 < f) or (f < 0.0 < e):
            clipped.append(p + (q - p) * e / (e - f))
    return clipped
