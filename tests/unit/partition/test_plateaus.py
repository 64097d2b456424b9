"""Plateaus: flow leaves them by the shortest way up, and they are no maxima."""

import numpy as np
import pytest

from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.partition import basins
from zeroflux.partition.attractors import terrace_plateaus
from zeroflux.partition.basins import _tops, partition_field
from zeroflux.partition.slabs import Slabs
from zeroflux.partition.voronoi import all_neighbours, voronoi_stencil

CELL = np.eye(3) * 30.0
FRAME = Frame(np.array([18, 18]), np.array([[14.0, 15.1, 15.2], [17.3, 15.0, 14.9]]), CELL)


def two_atoms(n: int) -> np.ndarray:
    axis = np.arange(n) * 30.0 / n
    density = np.zeros((n, n, n))
    for nucleus in FRAME.positions:
        square = sum(np.meshgrid(*[(axis - x) ** 2 for x in nucleus], indexing="ij"))
        density += 4.0 * (0.5 / np.pi) ** 1.5 * np.exp(-0.5 * square)
    return density


def cut(density: np.ndarray) -> np.ndarray:
    return np.where(density < 1e-6, 0.0, density)


def blocks(density: np.ndarray) -> np.ndarray:
    """Each value on a cube of 8 points: plateaus from 0.06 down to 1e-200."""
    for axis in range(3):
        density = np.repeat(density[(slice(None),) * axis + (slice(None, None, 2),)], 2, axis)
    return density


PLATEAUS = {
    "zeros": cut,
    "a small constant": lambda density: np.maximum(density, 1e-6),
    "few digits": lambda density: np.round(density, 4),
}


@pytest.mark.parametrize("kind", PLATEAUS)
@pytest.mark.parametrize("method", ["weight", "ongrid", "neargrid"])
def test_a_plateau_around_atoms_has_no_maximum_and_leaves_their_charges(kind, method):
    full = two_atoms(30)
    grid = UniformGrid(CELL, full.shape)
    flat = PLATEAUS[kind](full)
    with_plateau = basins(flat, grid, FRAME, method=method)
    without = basins(full, grid, FRAME, method=method)
    assert len(with_plateau.attractors.voxels) == len(without.attractors.voxels) == 2
    found, expected = with_plateau.integrate(full)[0], without.integrate(full)[0]
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_blocks_of_equal_values_down_to_the_smallest_numbers_are_no_maxima():
    density = blocks(two_atoms(32))
    assert density.min() < 1e-100
    partition = basins(density, UniformGrid(CELL, density.shape), FRAME)
    assert partition.attractors.n_non_nuclear == 0


def test_control_a_plateau_without_a_way_up_keeps_its_maxima():
    density = cut(two_atoms(30))
    density[:3, :3, :3] = 1e-3
    partition = partition_field(density, UniformGrid(CELL, density.shape), FRAME)
    assert partition.attractors.n_non_nuclear == 27


@pytest.mark.parametrize("stencil_of", [voronoi_stencil, all_neighbours])
@pytest.mark.parametrize("seed", range(4))
def test_points_are_lowered_by_their_distance_from_a_way_up(stencil_of, seed):
    """Against a plain search over all points of small fields of few values, wrapped around."""
    field = np.random.default_rng(seed).integers(0, 2 + seed, (5, 6, 7)).astype(float)
    grid = UniformGrid(np.diag([5.0, 6.0, 7.0]), field.shape)
    stencil = stencil_of(grid.voxel_vectors)
    labels = np.empty(field.shape, dtype=np.int32)
    with Slabs(field.shape, 1) as slabs:
        tops = _tops(field, labels, stencil, slabs)
    near = [np.roll(field, tuple(-o for o in offset), (0, 1, 2)) for offset in stencil.offsets]
    level = np.where(np.any([n > field for n in near], axis=0), 0, 99)
    for _ in range(field.size):
        around = [
            np.where(n == field, np.roll(level, tuple(-o for o in offset), (0, 1, 2)), 99)
            for n, offset in zip(near, stencil.offsets, strict=True)
        ]
        level = np.minimum(level, np.min(around, axis=0) + 1)
    expected = np.where(level >= 99, 0, level)
    lowered = terrace_plateaus(field.copy(), tops, labels, stencil.offsets)
    if lowered is None:
        assert not expected.any()
        return
    step = np.maximum(np.spacing(field), 1e-290)
    np.testing.assert_array_equal(np.rint((field - lowered) / step), expected)
