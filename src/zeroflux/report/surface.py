"""Surfaces of basins from the owners of grid points, coarse enough for a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float, Int

MIN_POINTS = 8
"""Fewest points of the coarse grid that make a surface."""


@dataclass(frozen=True, eq=False)
class Surface:
    """A closed surface of four-sided facets about one nucleus."""

    vertices: Float[np.ndarray, "n_vertices 3"]
    """In the units of the cell, from the cell's origin."""
    facets: Int[np.ndarray, "n_facets 4"]
    """Corners in order around each facet, seen from outside."""

    @property
    def volume(self) -> float:
        r"""Enclosed volume, :math:`\frac{1}{6}\sum a\cdot(b\times c)` over triangles."""
        total = 0.0
        for corners in ((0, 1, 2), (0, 2, 3)):
            a, b, c = (self.vertices[self.facets[:, k]] for k in corners)
            total += float(np.einsum("ij,ij->", a, np.cross(b, c))) / 6.0
        return total


def basin_surfaces(
    owners: Int[np.ndarray, "nx ny nz"],
    *,
    cell: Float[np.ndarray, "3 3"],
    origin: Float[np.ndarray, " 3"],
    positions: Float[np.ndarray, "n_atoms 3"],
    points_across: int = 9,
) -> Iterator[Surface | None]:
    """Surface of each atom's basin; None for a basin too small to have one.

    The grid is thinned to about ``points_across`` points through an average basin. Each point of
    a basin is taken at the periodic image nearest to the nucleus, so that basins are whole; their
    indicator is smoothed with weights 1, 2, 1 along each axis and its surface at one half is drawn
    with one vertex in each cell that it crosses.

    Parameters
    ----------
    owners
        Atom that owns each grid point; negative for none.
    cell, origin, positions
        Rows of the cell, position of the first grid point and nuclei, in one unit of length.

    References
    ----------
    Gibson, *Constrained elastic surface nets*, MICCAI 1998, LNCS 1496, 888.
    """
    lengths = np.linalg.norm(cell, axis=1)
    spacing = (abs(np.linalg.det(cell)) / max(len(positions), 1)) ** (1 / 3) / points_across
    shape = np.clip(np.ceil(lengths / spacing).astype(int), 1, owners.shape)
    picks = [(np.arange(m) * n) // m for m, n in zip(shape, owners.shape, strict=True)]
    # the thinned points keep their true places, as fractions of the cell
    places = [pick / n for pick, n in zip(picks, owners.shape, strict=True)]
    thin = owners[np.ix_(*picks)]
    flat = thin.ravel()
    order = np.argsort(flat, kind="stable")
    ends = np.searchsorted(flat[order], np.arange(len(positions) + 1))
    inverse = np.linalg.inv(cell)
    for atom, position in enumerate(positions):
        own = np.stack(np.unravel_index(order[ends[atom] : ends[atom + 1]], thin.shape), axis=1)
        if len(own) < MIN_POINTS:
            yield None
            continue
        nucleus = (position - origin) @ inverse
        fractional = np.stack([places[k][own[:, k]] for k in range(3)], axis=1)
        shift = _nearest_shift(fractional - nucleus, cell)
        vertices, facets = _surface_net(*_window(own + shift * shape))
        yield Surface((vertices / shape) @ cell + origin, facets) if len(facets) else None


def _nearest_shift(offset: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Cell vectors to add to fractional offsets so that each is the shortest of its images."""
    base = -np.round(offset).astype(int)
    tried = np.array(list(product((-1, 0, 1), repeat=3)))
    distance = np.linalg.norm((offset + base)[:, None] @ cell + tried @ cell, axis=2)
    return base + tried[distance.argmin(axis=1)]


def _window(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed indicator of grid points in a box around them, and the box's first point."""
    first = points.min(axis=0) - 2
    field = np.zeros(points.max(axis=0) - first + 3)
    field[tuple((points - first).T)] = 1.0
    for axis in range(3):
        field = (
            0.25 * np.roll(field, 1, axis) + 0.5 * field + 0.25 * np.roll(field, -1, axis)
        )  # the rim is empty: nothing is rolled over
    return field, first


def _surface_net(field: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (in grid points) and facets of the surface where the field is one half."""
    value = field - 0.5
    inside = value > 0
    total = np.zeros((*np.subtract(field.shape, 1), 3))
    count = np.zeros(total.shape[:3])
    for axis in range(3):
        low, high = _pair(value, axis)
        crosses = (low > 0) != (high > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(crosses, low / (low - high), 0.0)
        others = [k for k in range(3) if k != axis]
        for corner in product((0, 1), repeat=2):
            piece = [slice(None)] * 3
            for other, c in zip(others, corner, strict=True):
                piece[other] = slice(c, field.shape[other] - 1 + c)
            hit, part = crosses[tuple(piece)], share[tuple(piece)]
            count += hit
            total[..., axis] += part
            for other, c in zip(others, corner, strict=True):
                total[..., other] += c * hit
    used = count > 0
    index = np.full(used.shape, -1)
    index[used] = np.arange(used.sum())
    vertices = np.argwhere(used) + total[used] / count[used][:, None] + first
    facets = [_facets(inside, index, axis) for axis in range(3)]
    return vertices, np.concatenate(facets)


def _pair(value: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Values at the lower and the upper end of each edge along an axis."""
    low = [slice(None)] * 3
    high = list(low)
    low[axis], high[axis] = slice(None, -1), slice(1, None)
    return value[tuple(low)], value[tuple(high)]


def _facets(inside: np.ndarray, index: np.ndarray, axis: int) -> np.ndarray:
    """A facet about each edge along an axis that the surface crosses, facing outwards."""
    low, high = _pair(inside, axis)
    edge = np.argwhere(low != high)
    u, v = np.eye(3, dtype=int)[[(axis + 1) % 3, (axis + 2) % 3]]
    around = [edge - u - v, edge - v, edge, edge - u]
    corners = np.stack([index[tuple(cells.T)] for cells in around], axis=1)
    is_outward = low[tuple(edge.T)]
    return np.where(is_outward[:, None], corners, corners[:, ::-1])
