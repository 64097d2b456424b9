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
    areas = np.array([_facet_area(n, vectors) for n in range(len(vectors))])
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


def _facet_area(which: int, vectors: np.ndarray) -> float:
    """Area that the half-spaces of the other vectors leave of the bisecting plane of one."""
    vector = vectors[which]
    normal = vector / np.linalg.norm(vector)
    first = np.cross(normal, np.eye(3)[np.argmin(np.abs(normal))])
    first /= np.linalg.norm(first)
    second = np.cross(normal, first)
    size = 4.0 * float(np.linalg.norm(vectors, axis=1).max())
    polygon = [(size, size), (-size, size), (-size, -size), (size, -size)]
    # In the plane, x · v <= |v|²/2 reads (first·v) x + (second·v) y <= limit.
    slopes = np.stack([vectors @ first, vectors @ second], axis=-1).tolist()
    limits = (0.5 * (vectors * vectors).sum(axis=1) - 0.5 * vectors @ vector).tolist()
    for other, ((a, b), limit) in enumerate(zip(slopes, limits, strict=True)):
        if other != which:
            polygon = _clip(polygon, a, b, limit)
    following = polygon[1:] + polygon[:1]
    twice = sum(x * v - y * u for (x, y), (u, v) in zip(polygon, following, strict=True))
    return 0.5 * abs(twice)


def _clip(
    polygon: list[tuple[float, float]], a: float, b: float, limit: float
) -> list[tuple[float, float]]:
    """Part of a convex polygon with ``a x + b y <= limit``."""
    excess = [a * x + b * y - limit for x, y in polygon]
    clipped = []
    for n, ((x, y), here) in enumerate(zip(polygon, excess, strict=True)):
        (u, v), ahead = polygon[(n + 1) % len(polygon)], excess[(n + 1) % len(polygon)]
        if here <= 0.0:
            clipped.append((x, y))
        if (here < 0.0 < ahead) or (ahead < 0.0 < here):
            part = here / (here - ahead)
            clipped.append((x + part * (u - x), y + part * (v - y)))
    return clipped
