"""Basins whose volumes and populations are known from symmetry or by other means."""

import numpy as np
import pytest

from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.partition import basins, gaussian_promolecule, partition_field, spread_frame

WIDE, NARROW = ((1.0, 0.35),), ((1.0, 0.6),)


def frame_of(positions, cell):
    positions = np.asarray(positions, dtype=float)
    return Frame(np.full(len(positions), 18), positions, np.asarray(cell, dtype=float))


def promolecule(frame, shape, terms=None):
    grid = UniformGrid(frame.cell, shape)
    return gaussian_promolecule(frame, grid, terms or [WIDE] * frame.n_atoms), grid


@pytest.mark.parametrize("method", ["weight", "neargrid", "ongrid"])
def test_two_equal_gaussians_share_the_cell_at_their_mid_planes(method):
    frame = frame_of([[2.6, 4.0, 4.1], [7.6, 4.0, 4.1]], np.diag([10.0, 8.0, 8.0]))
    density, grid = promolecule(frame, (50, 32, 32))
    partition = basins(density, grid, frame, method=method)
    # The planes x = 0.1 and 5.1 bohr lie half a step beside grid points: halves for any method.
    np.testing.assert_allclose(partition.population, 1.0, rtol=1e-9)
    # Control: with one atom moved by 0.4 bohr the surface is not there any more.
    moved = frame_of([[2.6, 4.0, 4.1], [8.0, 4.0, 4.1]], frame.cell)
    other = basins(*promolecule(moved, grid.shape), moved, method=method)
    assert (partition.basin_index[26] == 1).all()
    assert (other.basin_index[26] == 0).any()


def test_sites_of_a_face_centred_crystal_get_equal_numbers_to_rounding():
    """Exact ties: every surface of this crystal goes through grid points."""
    sites = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]) * 3.6
    frame = frame_of(sites, 7.2 * np.eye(3))
    density, grid = promolecule(frame, (24, 24, 24))
    partition = basins(density, grid, frame)
    np.testing.assert_allclose(partition.volume, grid.volume / 4.0, rtol=1e-12)
    np.testing.assert_allclose(partition.population, 1.0, rtol=1e-12)
    moved = frame_of(
        sites + np.array([[0.3, 0, 0]] + 3 * [[0, 0, 0]]), frame.cell
    )  # control: no symmetry
    broken = basins(*promolecule(moved, (24, 24, 24)), moved)
    assert np.ptp(broken.volume) > 0.1


def test_plateaus_are_divided_evenly_whatever_the_order_of_the_atoms():
    """Densities cut off to exact plateaus: flat tops at nuclei and a flat, empty vacuum."""
    frame = frame_of([[3.0, 4.0, 4.0], [9.0, 4.0, 4.0]], np.diag([12.0, 8.0, 8.0]))
    density, grid = promolecule(frame, (48, 32, 32))
    flat = np.round(np.clip(density, 1e-3, 0.6 * density.max()) - 1e-3, 3)
    assert (flat == 0.0).mean() > 0.3
    assert (flat == flat.max()).sum() > 10
    partition = basins(flat, grid, frame)
    assert partition.attractors.n_non_nuclear == 0  # the vacuum has a way up at its edge
    np.testing.assert_allclose(partition.volume, grid.volume / 2.0, rtol=1e-12)
    swapped = frame_of(frame.positions[::-1], frame.cell)
    again = basins(flat, grid, swapped)
    np.testing.assert_allclose(again.volume, partition.volume, rtol=1e-12)


@pytest.mark.parametrize(
    "shear",
    [
        np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]]),
        np.array([[1, 0, 0], [2, 1, 0], [-1, 1, 1]]),
        np.diag([1, 1, -1]),
        np.array([[0, 1, 0], [1, 0, 0], [1, 0, 1]]),
    ],
    ids=["sheared", "strongly sheared", "left-handed", "left-handed and sheared"],
)
def test_another_cell_of_the_same_crystal_gives_the_same_basins(shear):
    """The same grid points, listed in another basis: the result may only differ by rounding."""
    frame = spread_frame(6, 12.0, seed=2)
    n = 40
    density, grid = promolecule(frame, (n, n, n), [WIDE, NARROW] * 3)
    expected = basins(density, grid, frame)
    # Point m of the new grid is point m @ shear of the old one, because both have n³ points.
    index = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), axis=-1) @ shear % n
    again = density[tuple(np.moveaxis(index, -1, 0))]
    cell = shear @ frame.cell
    other = Frame(frame.atomic_numbers, frame.positions, cell)
    partition = basins(again, UniformGrid(cell, grid.shape), other)
    np.testing.assert_allclose(partition.volume, expected.volume, rtol=1e-10)
    np.testing.assert_allclose(partition.population, expected.population, rtol=1e-10)
    # Control: neighbours along the listed axes only, as if they were orthogonal, are wrong as
    # soon as the axes are sheared; a left-handed orthogonal cell needs no other neighbours.
    naive_frame = Frame(frame.atomic_numbers, other.fractional_positions @ frame.cell, frame.cell)
    naive = partition_field(again, grid, naive_frame)
    is_orthogonal = np.count_nonzero(shear) == 3
    assert (np.abs(naive.volume - expected.volume).max() > 0.1) == (not is_orthogonal)


def test_a_crystal_on_a_rhombohedral_grid_has_the_volumes_of_the_cubic_one():
    """Other grid points, so equal within the discretisation errors, some 2e-3 each."""
    length = 9.6
    conventional = length * np.eye(3)
    sites = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]) * length / 2
    offset = np.array([0.47, 0.52, 0.5]) * length
    cubic = frame_of(np.concatenate([sites, sites + offset]), conventional)
    terms = [WIDE] * 4 + [NARROW] * 4
    large = basins(*promolecule(cubic, (60, 60, 60), terms), cubic)
    primitive = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) * length / 2
    small_frame = frame_of([[0, 0, 0], offset], primitive)
    small = basins(*promolecule(small_frame, (45, 45, 45), [WIDE, NARROW]), small_frame)
    np.testing.assert_allclose(small.volume[0], large.volume[:4].mean(), rtol=5e-3)
    np.testing.assert_allclose(small.volume[1], large.volume[4:].mean(), rtol=5e-3)


def test_charge_neutral_volumes_carry_no_charge_although_the_potential_is_flat():
    """Ions of charge 1 screened by Gaussians: basins of the potential are neutral.

    Control: basins of the density of two unlike atoms are not.
    """
    frame = frame_of([[2.6, 4.0, 4.0], [7.4, 4.0, 4.0]], np.diag([10.0, 8.0, 8.0]))
    density, grid = promolecule(frame, (80, 64, 64), [WIDE, NARROW])
    ions = gaussian_promolecule(frame, grid, [((1.0, 1.5),)] * 2)
    wave = (grid.reciprocal_vectors() ** 2).sum(-1)
    wave[0, 0, 0] = np.inf
    potential = np.fft.irfftn(
        4 * np.pi * np.fft.rfftn(ions - density) / wave, s=grid.shape, axes=(0, 1, 2)
    )
    neutral = partition_field(potential, grid, frame)
    charge = neutral.integrate(ions - density)[0]
    np.testing.assert_allclose(charge, 0.0, atol=2e-3)
    assert np.abs(basins(density, grid, frame).population - 1.0).max() > 1e-2
