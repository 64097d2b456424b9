"""Changes of description that must not change the basins."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.partition import basins, gaussian_promolecule, spread_frame

N_ATOMS, SHAPE = 5, (24, 22, 26)
TERMS = [((1.0, a),) for a in (0.3, 0.35, 0.4, 0.45, 0.5)]
FRAME = spread_frame(N_ATOMS, 11.0, seed=7)
GRID = UniformGrid(FRAME.cell, SHAPE)
DENSITY = gaussian_promolecule(FRAME, GRID, TERMS)
EXPECTED = basins(DENSITY, GRID, FRAME)
PROFILE = settings(deadline=None, derandomize=True, max_examples=15)


@PROFILE
@given(order=st.permutations(range(N_ATOMS)))
def test_relabelling_atoms_relabels_the_basins(order):
    frame = Frame(FRAME.atomic_numbers, FRAME.positions[order], FRAME.cell)
    partition = basins(DENSITY, GRID, frame)
    np.testing.assert_allclose(partition.volume, EXPECTED.volume[order], rtol=1e-12)
    np.testing.assert_allclose(partition.population, EXPECTED.population[order], rtol=1e-12)


@PROFILE
@given(shift=st.tuples(*[st.integers(-30, 30)] * 3), method=st.sampled_from(["weight", "ongrid"]))
def test_moving_everything_by_grid_steps_changes_nothing(shift, method):
    density = np.roll(DENSITY, shift, axis=(0, 1, 2))
    positions = FRAME.positions + np.array(shift) @ GRID.voxel_vectors
    frame = Frame(FRAME.atomic_numbers, positions, FRAME.cell)
    partition = basins(density, GRID, frame, method=method)
    expected = basins(DENSITY, GRID, FRAME, method=method)
    np.testing.assert_allclose(partition.volume, expected.volume, rtol=1e-12)
    # distances go through wrapped coordinates: rounding of positions of some ten bohr
    np.testing.assert_allclose(
        partition.attractor_distance, expected.attractor_distance, atol=1e-10
    )


@PROFILE
@given(axes=st.permutations(range(3)), flips=st.tuples(*[st.booleans()] * 3))
def test_turning_and_mirroring_the_cell_changes_nothing(axes, flips):
    """Rotations and reflections of the lattice, some of which make the cell left-handed."""
    density, cell, positions = DENSITY.transpose(axes), FRAME.cell[list(axes)], FRAME.positions
    for axis, flip in enumerate(flips):
        if flip:
            density = np.roll(np.flip(density, axis), 1, axis)
            cell = np.where(np.arange(3)[:, None] == axis, -cell, cell)
    frame = Frame(FRAME.atomic_numbers, positions, cell)
    partition = basins(np.ascontiguousarray(density), UniformGrid(cell, density.shape), frame)
    np.testing.assert_allclose(partition.volume, EXPECTED.volume, rtol=1e-11)


@PROFILE
@given(repeats=st.sampled_from([(2, 1, 1), (1, 2, 1), (1, 1, 3), (2, 1, 2)]))
def test_copies_in_a_supercell_get_the_values_of_the_cell(repeats):
    density = np.tile(DENSITY, repeats)
    cell = FRAME.cell * np.array(repeats)[:, None]
    steps = np.stack(np.meshgrid(*map(np.arange, repeats), indexing="ij"), -1).reshape(-1, 3)
    positions = np.concatenate([FRAME.positions + s @ FRAME.cell for s in steps])
    frame = Frame(np.full(len(positions), 18), positions, cell)
    # Without the cutoff: it sees the images of one atom as one owner, their copies as several.
    partition = basins(density, UniformGrid(cell, density.shape), frame, weight_cutoff=0.0)
    expected = np.tile(basins(DENSITY, GRID, FRAME, weight_cutoff=0.0).volume, len(steps))
    np.testing.assert_allclose(partition.volume, expected, rtol=1e-11)


@PROFILE
@given(scale=st.floats(1e-6, 1e6))
def test_the_unit_of_the_density_does_not_move_surfaces(scale):
    partition = basins(scale * DENSITY, GRID, FRAME)
    np.testing.assert_allclose(partition.volume, EXPECTED.volume, rtol=1e-9)


def test_changing_the_density_does_move_them():
    """Control: the invariances above are not those of an answer that is always the same."""
    other = gaussian_promolecule(FRAME, GRID, TERMS[::-1])
    assert np.abs(basins(other, GRID, FRAME).volume - EXPECTED.volume).max() > 1.0
