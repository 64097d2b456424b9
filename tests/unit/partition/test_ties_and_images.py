"""Ties, periodic images and small print of a partition, each against a plain calculation."""

from itertools import product

import numpy as np
import pytest

from zeroflux.errors import PartitionError, RepairWarning
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.partition import basins, gaussian_promolecule, partition_field, refined_basins
from zeroflux.partition._sharing_kernels import write_dominant
from zeroflux.partition.attractors import TIE_TOLERANCE, assign_attractors, nearest_nuclei
from zeroflux.partition.basins import _tops
from zeroflux.partition.refined import extrapolation_coefficients
from zeroflux.partition.slabs import Slabs
from zeroflux.partition.voronoi import all_neighbours

BOX = np.diag([10.0, 8.0, 8.0])


def frame_of(positions, cell=BOX) -> Frame:
    return Frame(np.full(len(positions), 18), np.asarray(positions, dtype=float), cell)


def gaussians(positions, *, shape=(20, 16, 16), electrons=1.0, exponent=0.5):
    """One Gaussian at each place, on a grid of the box."""
    grid = UniformGrid(BOX, shape)
    charges = np.broadcast_to(electrons, len(positions)).tolist()
    terms = [((q, exponent),) for q in charges]
    return gaussian_promolecule(frame_of(positions), grid, terms), grid


# --- extrapolation -------------------------------------------------------------------------------


def test_two_levels_cancel_the_power_three_halves_exactly():
    spacings = 1.0 / np.array([1, 2])
    coefficients = extrapolation_coefficients((1, 2))
    assert coefficients @ (3.0 - 0.2 * spacings**1.5) == pytest.approx(3.0, rel=1e-13)
    assert coefficients.sum() == pytest.approx(1.0, rel=1e-13)
    for power in (1.0, 2.0):  # control
        assert abs(coefficients @ spacings**power) > 0.05


def test_the_volume_change_of_refined_basins_is_that_from_the_finest_grid():
    density, grid = gaussians([[2.5, 4.1, 4.0], [6.9, 4.0, 3.8]], electrons=[1.0, 3.0])
    refined = refined_basins(density, grid, frame_of([[2.5, 4.1, 4.0], [6.9, 4.0, 3.8]]))
    coarse, _, fine = (p.volume for p in refined.partitions)
    np.testing.assert_allclose(refined.volume_change, refined.volume - fine, rtol=1e-12)
    assert np.abs(coarse - fine).max() > 1e-3  # control: the levels differ


# --- nearest nuclei ------------------------------------------------------------------------------

CELLS = {
    "orthogonal": np.diag([5.0, 6.0, 7.0]),
    "face-centred": 4.0 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]]),
    "body-centred": 3.0 * np.array([[-1.0, 1, 1], [1, -1, 1], [1, 1, -1]]),
    "triclinic": np.array([[6.0, 0.5, 1.0], [2.8, 5.5, -0.5], [-2.0, 2.5, 6.0]]),
    "left-handed": np.array([[2.8, 5.5, -0.5], [6.0, 0.5, 1.0], [-2.0, 2.5, 6.0]]),
    "skewed": np.array([[5.0, 0.0, 0.0], [9.0, 6.0, 0.0], [-8.0, 8.0, 7.0]]),
}


@pytest.mark.parametrize("name", CELLS)
def test_the_nearest_nucleus_is_that_of_a_search_over_all_images(name):
    cell = CELLS[name]
    rng = np.random.default_rng(0)
    points = rng.uniform(-1.0, 2.0, (400, 3)) @ cell
    frame = frame_of(rng.uniform(0.0, 1.0, (3, 3)) @ cell, cell)
    # At a nucleus's corners of the cell the shortest image is hardest to find.
    points[:8] = frame.positions[0] + 0.5 * np.array(list(product((-1, 1), repeat=3))) @ cell
    distances, owners, counts = nearest_nuclei(points, frame)
    images = np.array(list(product(range(-6, 7), repeat=3))) @ cell
    brute = np.array(
        [
            np.linalg.norm((points - nucleus)[:, None] + images, axis=2).min(axis=1)
            for nucleus in frame.positions
        ]
    )
    np.testing.assert_allclose(distances, brute.min(axis=0), rtol=1e-12)
    first = owners[np.concatenate([[0], np.cumsum(counts)[:-1]])]
    np.testing.assert_array_equal(first[counts == 1], brute.argmin(axis=0)[counts == 1])


@pytest.mark.parametrize(("difference", "n_owners"), [(0.3, 2), (3.0, 1)])
def test_nuclei_are_equally_near_within_the_tolerance_of_a_tie(difference, n_owners):
    """Rounding of positions must not break a symmetry; a real difference must."""
    shift = difference * TIE_TOLERANCE
    frame = frame_of([[3.0 - shift, 4.0, 4.0], [7.0, 4.0, 4.0]])
    _, owners, counts = nearest_nuclei(np.array([[5.0, 4.0, 4.0]]), frame)
    assert counts.tolist() == [n_owners]
    assert owners.tolist() == [0, 1][2 - n_owners :]


@pytest.mark.parametrize(("steps", "is_nuclear"), [(2, True), (4, False)])
def test_a_core_radius_is_at_least_two_diagonals_of_a_voxel(steps, is_nuclear):
    """A maximum is known to a voxel; the spacing is half a bohr, two diagonals are 1.73 bohr."""
    density, grid = gaussians([[5.0, 4.0, 4.0]])
    voxel = np.ravel_multi_index((10 + steps, 8, 8), grid.shape)
    found = assign_attractors(
        np.array([voxel]), density, grid, frame_of([[5.0, 4.0, 4.0]]), core_radius=0.0
    )
    assert found.distances[0] == pytest.approx(0.5 * steps)
    assert found.is_nuclear.tolist() == [is_nuclear]


# --- ties ----------------------------------------------------------------------------------------


def test_of_equally_steep_ways_up_the_first_neighbour_is_taken_everywhere():
    """At the edges of the grid as inside: otherwise moving the grid would move basins."""
    field = np.random.default_rng(1).integers(0, 3, (6, 7, 8)).astype(float)
    stencil = all_neighbours(np.eye(3))
    labels = np.empty(field.shape, dtype=np.int32)
    with Slabs(field.shape, 1) as slabs:
        tops = _tops(field, labels, stencil, slabs)
    rises = np.array(
        [
            slope * (np.roll(field, tuple(-offset), (0, 1, 2)) - field)
            for slope, offset in zip(stencil.conductances, stencil.offsets, strict=True)
        ]
    )
    expected = np.where(rises.max(axis=0) > 0, -2 - rises.argmax(axis=0), -1)
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(np.sort(tops), np.flatnonzero(expected == -1))
    tied = (rises == rises.max(axis=0)).sum(axis=0) > 1
    assert (tied & (expected != -1)).mean() > 0.3  # control: there are ties to break


@pytest.mark.parametrize("owners", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize(("weights", "main"), [((0.4, 0.4, 0.2), None), ((0.2, 0.3, 0.5), 2)])
def test_the_dominant_owner_of_a_point_is_the_lowest_of_the_largest(owners, weights, main):
    labels = np.full(3, -1)
    write_dominant(
        labels, np.array([1]), np.array([0, 3]), np.array(owners), np.array(weights), 0, 1
    )
    expected = owners[main] if main is not None else min(owners[:2])
    assert labels.tolist() == [-1, expected, -1]


MIDDLE = [5.0, 4.0, 4.0]
PAIR = [[4.5, 4.0, 4.0], [5.5, 4.0, 4.0]]


@pytest.mark.parametrize("method", ["weight", "ongrid", "neargrid"])
def test_a_top_between_two_nuclei_is_shared_in_equal_parts(method):
    """One maximum for two atoms, as for a short bond: neither is empty, neither has more."""
    density, grid = gaussians([MIDDLE])
    partition = basins(density, grid, frame_of(PAIR), method=method)
    assert partition.attractors.owners.tolist() == [0, 1]
    weights = np.array([partition.weights(atom) for atom in range(2)])
    np.testing.assert_allclose(weights.sum(axis=0), 1.0, rtol=1e-13)
    np.testing.assert_allclose(weights[:, 10, 8, 8], 0.5, rtol=1e-13)
    assert partition.integrate(density)[0].sum() == pytest.approx(1.0, rel=1e-9)
    if method == "weight":
        np.testing.assert_allclose(partition.population, 0.5, rtol=1e-12)
        assert (partition.basin_index == 0).all()  # all points are halves: the lowest is named


def test_control_an_atom_far_from_the_only_top_is_empty():
    density, grid = gaussians([MIDDLE])
    with pytest.raises(PartitionError, match="1 of 2 nuclei have no maximum"):
        basins(density, grid, frame_of([[4.5, 4.0, 4.0], [9.0, 4.0, 4.0]]))


# --- records -------------------------------------------------------------------------------------


def test_the_attractor_distance_is_that_of_the_highest_attractor_of_an_atom():
    nuclei = [[2.5, 4.0, 4.0], [7.5, 4.0, 4.0]]
    density, grid = gaussians([*nuclei, [2.5, 0.0, 4.0]], electrons=[1.0, 1.0, 0.3])
    with pytest.warns(RepairWarning, match="not at a nucleus"):
        partition = basins(density, grid, frame_of(nuclei))
    assert np.bincount(partition.attractors.atoms).tolist() == [2, 1]
    assert partition.attractors.distances.max() > 3.0
    assert partition.attractor_distance.max() < 0.05


@pytest.mark.parametrize(
    ("method", "recorded"), [("weight", 1e-4), ("ongrid", 0.0), ("neargrid", 0.0)]
)
def test_a_cutoff_is_recorded_where_there_are_weights(method, recorded):
    density, grid = gaussians(PAIR, shape=(10, 8, 8))
    partition = partition_field(density, grid, frame_of(PAIR), method=method, weight_cutoff=1e-4)
    assert partition.weight_cutoff == recorded


@pytest.mark.parametrize(("part", "is_refused"), [(0.9999e-4, False), (1.0001e-4, True)])
def test_negative_charge_is_measured_against_the_positive_charge(part, is_refused):
    density, grid = gaussians([MIDDLE])
    density[0, 0, 0] = 0.0
    density[0, 0, 0] = -part * density.sum()
    if is_refused:
        with pytest.raises(PartitionError, match="negative"):
            basins(density, grid, frame_of([MIDDLE]))
    else:
        with pytest.warns(RepairWarning, match="negative"):
            basins(density, grid, frame_of([MIDDLE]))


@pytest.mark.parametrize(
    ("n_planes", "n_threads", "expected"), [(4, 8, 2), (9, 3, 3), (1, 4, 1), (5, 1, 1)]
)
def test_a_slab_has_two_planes_at_least(n_planes, n_threads, expected):
    with Slabs((n_planes, 3, 3), n_threads) as slabs:
        assert slabs.count == expected
        assert np.diff(slabs.edges).min() >= min(2, n_planes)
        assert slabs.edges[-1] == n_planes
